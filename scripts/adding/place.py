"""Where a model is made and how it gets into the repository: whole, or not at all."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.adding.errors import AddingError

# Two levels down, so that neither Triton nor we take what lies there for a model.
STAGING: Final = ".adding"


@contextlib.contextmanager
def staged(repository: Path, name: str) -> Iterator[Path]:
    """Yield a fresh folder on the repository's disk; it is gone after the block.

    What a killed run left of the same model is removed first. Raises AddingError when another
    command is adding that model now.
    """
    outer = repository / STAGING
    folder = outer / name
    is_new = not repository.exists()
    try:
        outer.mkdir(parents=True, exist_ok=True)
        with (outer / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AddingError(f"Another command is adding {name} now.") from None
            shutil.rmtree(folder, ignore_errors=True)
            _bring_back(folder, repository / name)
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                Path(lock.name).unlink(missing_ok=True)
    finally:
        with contextlib.suppress(OSError):  # another model may be in the making
            outer.rmdir()
            if is_new:
                repository.rmdir()  # unless a model is in it now


def _bring_back(folder: Path, target: Path) -> None:
    """Undo a replacement that was killed between its two renames."""
    old = _old(folder)
    if old.exists() and not target.exists():
        old.rename(target)


def _old(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.old"


def put_in_place(folder: Path, target: Path) -> None:
    """Make the finished folder the model of that name; the one before is replaced."""
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def require_free(repository: Path, name: str, *, replaces: bool) -> None:
    """Raise AddingError when there is a model of that name that is not to be replaced."""
    if (repository / name).exists() and not replaces:
        raise AddingError(
            f"There is a model {name} already: give --name another one, or --replace.", 2
        )


def require_space(repository: Path, num_bytes: int) -> None:
    """Raise AddingError when the repository's disk has not so much room."""
    near = next(path for path in (repository, *repository.parents) if path.exists())
    free = shutil.disk_usage(near).free
    if free < num_bytes:
        raise AddingError(
            f"The disk has {free / 1e6:,.0f} MB free, and {num_bytes / 1e6:,.0f} MB are needed."
        )
