"""Triton's backend directory: the Python backend of the wheel, and `llm` beside it."""

import contextlib
import ctypes
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scripts.launcher.errors import LaunchError

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class TritonFiles:
    """Where the installed wheel keeps NVIDIA's tritonserver."""

    package: Path  # …/pytriton/tritonserver
    libraries: Path  # …/nvidia_pytriton.libs

    @property
    def program(self) -> Path:
        """The server itself."""
        return self.package / "bin" / "tritonserver"


def find_triton() -> TritonFiles:
    """Return the wheel's files. Raises LaunchError when it is not installed."""
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise LaunchError("nvidia-pytriton is not installed; start Conch with scripts/serve.")
    package = Path(spec.origin).parent
    return TritonFiles(package / "tritonserver", package.parent / "nvidia_pytriton.libs")


@contextlib.contextmanager
def backend_folder(folder: Path, triton: TritonFiles, llm: Path) -> Iterator[None]:
    """Keep `python/` (copied: Triton refuses a link there) and a link to `llm` in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    stub = triton.package / "python_backend_stubs" / _VERSION / "triton_python_backend_stub"
    shutil.copytree(
        triton.package / "backends" / "python",
        folder / "python",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy2(stub, folder / "python")
    (folder / "llm").symlink_to(llm)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def library_path(triton: TritonFiles) -> str:
    """Return LD_LIBRARY_PATH for Triton and its stub.

    Raises LaunchError (exit code 2) when Python's shared library, which the stub is linked to,
    is nowhere: Debian packages it apart, and pyenv builds may lack it.
    """
    folders = [str(triton.libraries)]
    name = f"libpython{_VERSION}.so.1.0"
    beside_python = Path(str(sysconfig.get_config_var("LIBDIR")))
    if (beside_python / name).exists():
        return ":".join([*folders, str(beside_python)])
    try:
        ctypes.CDLL(name)
    except OSError as exc:
        raise LaunchError(
            f"Triton needs Python's shared library {name}; on Debian or Ubuntu install it with: "
            f"sudo apt install libpython{_VERSION}",
            exit_code=2,
        ) from exc
    return ":".join(folders)
