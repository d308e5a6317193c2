"""What Conch takes from the package `tensorrt_llm`; nothing else imports it.

Versions up to 1.2.1 run compiled engines (`_tensorrt_engine.LLM`) and checkpoints (`LLM`); later
ones checkpoints only. Importing takes seconds and starts MPI, so it is done when a model loads.
"""

import importlib
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from ..errors import LoadError
from ..manifest import ENGINE


@dataclass(frozen=True)
class Library:
    """The classes this adapter uses, and the arguments that the PyTorch flow's LLM knows."""

    llm: Any
    sampling_params: Any
    guided_decoding_params: Any
    lora_request: Any
    request_error: type[Exception]
    pytorch_arguments: frozenset[str]


def prepare_environment(environ: MutableMapping[str, str], *, single_process: bool) -> None:
    """Set what TensorRT-LLM reads when it is imported and when it starts its workers."""
    # Triton's stub sets it, and the MPI daemon that the import forks would hand it on: workers
    # of another Python die of it (seen with 1.2.1).
    environ.pop("PYTHONHOME", None)
    # A server looks nothing up outside while it loads a model.
    environ["HF_HUB_OFFLINE"] = environ["TRANSFORMERS_OFFLINE"] = "1"
    # nvidia-smi's order, so that the GPUs that were checked are those that are used.
    environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if single_process:
        environ["TLLM_WORKER_USE_SINGLE_PROCESS"] = "1"
    if os.geteuid() == 0:
        # Open MPI refuses to start workers as root, which containers usually are.
        environ["OMPI_ALLOW_RUN_AS_ROOT"] = environ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"


def load_library(kind: str) -> Library:
    """The library for this kind of build (see GpuBuild); LoadError when it lacks what is needed."""
    try:
        return _load(kind)
    except ImportError as error:
        raise LoadError(
            f"TensorRT-LLM cannot be used here: {error.name or 'a library'} is missing from it."
        ) from error


def _load(kind: str) -> Library:
    package = importlib.import_module("tensorrt_llm")
    api = importlib.import_module("tensorrt_llm.llmapi")
    arguments: frozenset[str] = frozenset()
    if kind == ENGINE:
        llm = importlib.import_module("tensorrt_llm._tensorrt_engine").LLM
    else:
        llm = package.LLM
        fields = importlib.import_module("tensorrt_llm.llmapi.llm_args").TorchLlmArgs.model_fields
        arguments = frozenset(fields)
    return Library(
        llm=llm,
        sampling_params=package.SamplingParams,
        guided_decoding_params=api.GuidedDecodingParams,
        lora_request=importlib.import_module("tensorrt_llm.executor").LoRARequest,
        request_error=importlib.import_module("tensorrt_llm.executor.utils").RequestError,
        pytorch_arguments=arguments,
    )
