"""A machine with NVIDIA GPUs and TensorRT-LLM, as far as this process can see."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tensorrt_llm_double as double
from triton_backend.llm.engines.tensorrt_llm_options import ENGINE_FOLDER
from triton_backend.llm.integrity import sha256_of
from triton_backend.llm.manifest import (
    CHECKPOINT,
    ENGINE,
    GpuBuild,
    read_manifest,
    write_manifest,
)

DEMO = Path(__file__).parents[1] / "model_repository" / "demo" / "1"
H100 = "0, GPU-1f, NVIDIA H100 80GB HBM3, 9.0, 81559, 81000, 590.44.01"
A10 = "0, GPU-2e, NVIDIA A10, 8.6, 23028, 22500, 590.44.01"
BUILD = GpuBuild(
    kind=ENGINE,
    gpu="NVIDIA H100 80GB HBM3",
    sm=90,
    runs_on=(90,),
    memory_bytes=20 * 2**30,
    tensor_parallel=1,
    pipeline_parallel=1,
    tensorrt_llm="1.2.1",
    tensorrt="10.14.1.48",
    driver="590.44.01",
    container="nvcr.io/nvidia/tritonserver:26.07-trtllm-python-py3",
    flags={"max_batch_size": "8"},
    arguments=("--target", "tensorrt-llm", "--name", "gpu", "source"),
)
CAPABILITIES = ("n", "seed", "log_probs", "json_schema", "logit_bias", "min_tokens")


@contextmanager
def machine(folder: Path, *, gpus: str = H100, version: str | None = "1.2.1") -> Iterator[None]:
    """Put a nvidia-smi that lists these GPUs and the double of a version in this process's way."""
    tools = folder / "bin"
    tools.mkdir()
    smi = tools / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\nprintf '%s\\n' '{gpus}'\n", encoding="utf-8")
    smi.chmod(0o755)
    double.EngineLLM.opened.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        for name in ("PYTHONHOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            patch.setenv(name, "x")  # so that it is put back at the end
        for name in (
            "OMPI_ALLOW_RUN_AS_ROOT",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
            "CUDA_DEVICE_ORDER",
        ):
            patch.setenv(name, "1")
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if version is not None:
            patch.syspath_prepend(double.written_to(folder / "site", version))
        try:
            yield
        finally:
            for name in [one for one in sys.modules if one.split(".")[0] == "tensorrt_llm"]:
                del sys.modules[name]


def opened_llm() -> Any:
    """The LLM that was opened last."""
    return double.EngineLLM.opened[-1]


def engine_folder(repository: Path, *, build: GpuBuild = BUILD, **options: Any) -> Path:
    """A model folder with a compiled engine of no content, and the demo's tokenizer."""
    folder = repository / "gpu" / "1"
    (folder / ENGINE_FOLDER).mkdir(parents=True)
    limits = {"max_seq_len": 4096, "max_batch_size": 8, "max_num_tokens": 4096}
    config = {
        "version": build.tensorrt_llm,
        "pretrained_config": {"vocab_size": double.VOCAB_SIZE},
        "build_config": limits | {"plugin_config": {"lora_plugin": "auto"}},
    }
    (folder / ENGINE_FOLDER / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / ENGINE_FOLDER / "rank0.engine").write_bytes(b"an engine")
    return _finished(folder, build, options)


def checkpoint_folder(repository: Path, **options: Any) -> Path:
    """A model folder with a checkpoint of no content for the PyTorch flow of 1.3."""
    folder = repository / "gpu" / "1"
    folder.mkdir(parents=True)
    config = {"architectures": ["Qwen2ForCausalLM"], "vocab_size": double.VOCAB_SIZE}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    build = replace(BUILD, kind=CHECKPOINT, runs_on=(89, 90), tensorrt_llm="1.3.0")
    return _finished(folder, build, {"max_batch_size": 8} | options)


def _finished(folder: Path, build: GpuBuild, options: dict[str, Any]) -> Path:
    demo = read_manifest(DEMO)
    for name in ("tokenizer.json", "chat_template.jinja"):
        (folder / name).write_bytes((DEMO / name).read_bytes())
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    write_manifest(
        folder,
        replace(
            demo,
            engine="tensorrt_llm",
            capabilities=CAPABILITIES,
            quantization="fp8",
            options=options,
            files=sha256_of(folder, sorted(names)),
            build=build,
        ),
    )
    return folder
