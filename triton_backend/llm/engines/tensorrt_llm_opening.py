"""From a version folder to a running TensorRT-LLM engine."""

import os
from pathlib import Path

from ..errors import LoadError
from ..manifest import EngineManifest
from .tensorrt_llm import TensorRtLlmEngine
from .tensorrt_llm_check import (
    checked_build,
    installed_version,
    ranks_over_nodes,
    refuse_other_machine,
)
from .tensorrt_llm_gpus import read_gpus
from .tensorrt_llm_library import load_library, prepare_environment
from .tensorrt_llm_options import (
    EngineSettings,
    adapters_in,
    capabilities,
    llm_arguments,
    read_settings,
)


def open_tensorrt_llm_engine(folder: Path, manifest: EngineManifest) -> TensorRtLlmEngine:
    """Check the folder against this machine and load it; LoadError is one sentence."""
    ranks = ranks_over_nodes(os.environ)
    refuse_other_machine(folder, manifest, read_gpus(), installed_version(), ranks)
    build = checked_build(folder, manifest)
    options, shape = read_settings(folder, manifest, build)
    prepare_environment(os.environ, single_process=options.single_process)
    library = load_library(build.kind)
    arguments = llm_arguments(folder, manifest, options, library.pytorch_arguments)
    settings = EngineSettings(
        capabilities=capabilities(build, options, shape, library.pytorch_arguments),
        kind=build.kind,
        max_running=options.max_batch_size,
        vocab_size=shape.vocab_size,
        adapters=adapters_in(folder) if shape.has_lora else {},
        silence_limit_s=options.silence_limit_s,
        load_limit_s=options.load_limit_s,
    )
    try:
        return TensorRtLlmEngine(library, lambda: library.llm(**arguments), settings)
    except LoadError as error:
        raise LoadError(f"{folder.parent.name}: {error}") from error
