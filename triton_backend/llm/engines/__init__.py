"""Engines: what runs a compiled model. `open_engine` is the only way to one."""

from pathlib import Path

from ..backlog import Backlog
from ..errors import LoadError
from ..manifest import EngineManifest
from .protocol import Engine
from .tokenizer_only import TokenizerOnly


def open_engine(folder: Path, manifest: EngineManifest, backlog: Backlog | None = None) -> Engine:
    """The engine a version folder's manifest names, ready to run; LoadError otherwise.

    backlog: what other threads of this process have to do, for engines that must make room.
    """
    name = folder.parent.name
    engine = _open(folder, manifest, backlog)
    missing = sorted(set(manifest.capabilities) - engine.capabilities)
    if missing:
        engine.close(timeout_s=5)
        raise LoadError(
            f"{name}: engine.json claims {', '.join(missing)}, "
            f"which the {manifest.engine} engine does not have."
        )
    return engine


def _open(folder: Path, manifest: EngineManifest, backlog: Backlog | None) -> Engine:
    # Imported when needed: each engine's library is large and may not be installed.
    match manifest.engine:
        case "openvino":
            from .openvino import open_openvino_engine  # noqa: PLC0415

            return open_openvino_engine(folder, manifest, backlog)
        case "simulated":
            from .simulated import open_simulated_engine  # noqa: PLC0415

            return open_simulated_engine(folder, manifest)
        case "tensorrt_llm":
            from .tensorrt_llm_opening import open_tensorrt_llm_engine  # noqa: PLC0415

            return open_tensorrt_llm_engine(folder, manifest)
        case "tokenizer":
            return TokenizerOnly()
    raise LoadError(
        f"{folder.parent.name}: engine.json names the unknown engine {manifest.engine}."
    )
