"""The Python processes ("stubs") in which Triton runs its models, as /proc shows them."""

import contextlib
import os
import select
from pathlib import Path

_PROGRAM = "triton_python_backend_stub"


def find_stub(server_pid: int, model: str) -> "Stub | None":
    """Return the model's living stub under this tritonserver, or None."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and _is_stub_of(folder, server_pid, model):
            with contextlib.suppress(ProcessLookupError):
                return Stub(int(folder.name))
    return None


def _is_stub_of(folder: Path, server_pid: int, model: str) -> bool:
    try:
        arguments = (folder / "cmdline").read_bytes().decode().split("\0")
        if Path(arguments[0]).name != _PROGRAM:
            return False
        # <stub> <repository>/<model>/<version>/model.py ...
        is_model = Path(arguments[1]).parents[1].name == model
        # pid (name) state ppid ...; the name may hold spaces, but not this program's.
        parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
    except (OSError, UnicodeDecodeError):
        return False
    return is_model and parent == server_pid


class Stub:
    """A stub whose end is known at once: its pidfd becomes readable, a zombie's too."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when it is gone already."""
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)

    def is_dead(self) -> bool:
        """Return whether the process has ended."""
        return bool(select.select([self.descriptor], [], [], 0)[0])

    def close(self) -> None:
        """Forget the process."""
        os.close(self.descriptor)
