"""Builds the web chat when Node.js is there, and only when its sources have changed.

Conch serves without it, so whatever goes wrong here is one sentence and not the end. As a command
it checks the web chat: `python -m scripts.launcher.webapp` (lint, types and unit tests).
"""

import contextlib
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scripts.launcher.plan import ROOT

FOLDER = ROOT / "webapp"
_OLDEST_NODE = 20
# Installing takes 8 s and building 3 s here; a dead registry must not keep Conch from serving.
_LIMIT_S = 240.0
_SHOWN_LINES = 5
_BUILT, _STAMP = "dist", ".conch-sources"
# Here neither Git nor Tailwind, which reads all sources, looks.
_MADE = "node_modules/.conch-dist"
_CHECKS = ("lint", "types", "test")
_HOW = "The web chat is not {}: it needs Node.js {} or later; the API does not."


class CannotBuildError(Exception):
    """The web chat cannot be built; the message is for the user."""


def build(say: Callable[[str], None], folder: Path = FOLDER) -> None:
    """Make `dist` in the folder, unless it is of these sources; says what went wrong, if it did."""
    if not (folder / "package.json").is_file() or _is_built(folder):
        return
    try:
        if not has_node():
            raise CannotBuildError(_HOW.format("built", _OLDEST_NODE))
        with _one_at_a_time(folder):
            if not _is_built(folder):  # the one waited for may have done it
                say("Building the web chat ...")
                sources = _fingerprint(folder)
                install(folder)
                made = folder / _MADE
                _run(folder, "npm", "run", "build", "--", "--emptyOutDir", "--outDir", _MADE)
                (made / _STAMP).write_text(sources, encoding="utf-8")
                _put_in_place(made, folder / _BUILT)
    except CannotBuildError as exc:
        say(str(exc))


def has_node() -> bool:
    """Whether Node.js is there and new enough."""
    try:
        ran = subprocess.run(
            ["node", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.", ran.stdout)
    return found is not None and int(found[1]) >= _OLDEST_NODE


def install(folder: Path) -> None:
    """Install what the lock file names, unless it is there. Raises CannotBuildError."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".conch-installed"
    if _text_of(stamp) != lock:
        # Not `ci`: that wants the packages of every platform in the lock file, which not every
        # registry has. The versions and hashes of the file count here as well.
        _run(folder, "npm", "install", "--no-save", "--no-audit", "--no-fund")
        stamp.write_text(lock, encoding="utf-8")


def main() -> int:
    """Check the web chat; the exit status. Without Node.js one sentence is said instead."""
    if not has_node():
        print(_HOW.format("checked", _OLDEST_NODE))
        return 0
    try:
        with _one_at_a_time(FOLDER):
            install(FOLDER)
        for check in _CHECKS:
            _run(FOLDER, "npm", "run", check)
    except CannotBuildError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _is_built(folder: Path) -> bool:
    return _text_of(_stamp(folder)) == _fingerprint(folder)


def _stamp(folder: Path) -> Path:
    # Inside what it speaks of: both go away together.
    return folder / _BUILT / _STAMP


def _put_in_place(made: Path, built: Path) -> None:
    """Give the new build the place of the old one: whoever reads it now finds a whole one."""
    old = made.with_name(f"{made.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if built.exists():
        built.rename(old)
    made.rename(built)
    shutil.rmtree(old, ignore_errors=True)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _fingerprint(folder: Path) -> str:
    """Return a hash of everything that a build reads."""
    digest = hashlib.sha256()
    files = [path for path in folder.iterdir() if path.is_file()]
    below = [path for name in ("src", "public") for path in (folder / name).rglob("*")]
    for path in sorted([*files, *(path for path in below if path.is_file())]):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _run(folder: Path, *command: str) -> None:
    try:
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise CannotBuildError(f"The web chat is not built: {exc}.") from exc
    if ran.returncode != 0:
        raise CannotBuildError(f"`{' '.join(command)}` failed in webapp:\n{_last_lines(ran)}")


def _last_lines(ran: "subprocess.CompletedProcess[str]") -> str:
    lines: Sequence[str] = (ran.stdout + ran.stderr).strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock beside the folder; the system drops it when this process ends."""
    path = folder.parent / ".run" / f"{folder.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
