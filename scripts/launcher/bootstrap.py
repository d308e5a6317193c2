"""Makes the virtual environment that a command of this repository runs in.

Standard library only, and it parses on Python 3.6: an old interpreter gets a sentence, not a
SyntaxError (hence no walrus, and quoted generics). Safe to run twice at once (a lock file) and
after an interrupted installation (a marker, on which the next run starts afresh).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# 3.13 has no numpy 1, and Triton 2.51's Python stub misreads every tensor under numpy 2 (measured:
# strides of 0, then the stub aborts).
SUPPORTED = ("3.12", "3.11")
STAMP_NAME = "conch-installed.json"
MARKER_NAME = "conch-installing"
_USAGE = (
    "Make .venv and install a lock file into it. Example: "
    "python3 -m scripts.launcher.bootstrap requirements/test.lock"
)


class CannotPrepareError(Exception):
    """The environment cannot be made; the message is one sentence for the user."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Interpreter(object):  # noqa: UP004 (nothing here may need a newer Python than 3.6)
    """A Python to make the environment with: its path and its version, such as "3.11"."""

    def __init__(self, path: str, version: str) -> None:
        self.path = path
        self.version = version


def find_python() -> Interpreter:
    """Return this interpreter if it is a supported one, else the newest supported one on PATH.

    Raises CannotPrepareError (exit code 2) when there is none.
    """
    here = "{}.{}".format(*sys.version_info[:2])
    if here in SUPPORTED:
        # Inside the environment that is replaced, `sys.executable` would go away with it.
        return Interpreter(getattr(sys, "_base_executable", None) or sys.executable, here)
    for version in SUPPORTED:
        path = shutil.which("python" + version)
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return Interpreter(path, version)
    raise CannotPrepareError(
        "Conch needs Python 3.11 or 3.12; this is Python " + here + ", and neither is on PATH.",
        exit_code=2,
    )


def ensure_environment(lock: Path, venv: Path) -> Path:
    """Return the environment's Python, with everything of `lock` installed first if need be.

    Raises CannotPrepareError with one sentence when that is not possible.
    """
    base = find_python()
    if not _is_installed(lock, venv, base):
        with _one_at_a_time(venv.parent / ".run" / (venv.name + ".lock")):
            if not _is_installed(lock, venv, base):  # the one waited for may have done it
                _install(lock, venv, base)
    return venv / "bin" / "python"


def become(module: str, argv: "list[str]", lock: str = "serve.lock") -> int:
    """Install what serving needs, then turn this process into `python -m module` with `argv`.

    lock: another one of requirements/, for a command that needs more.

    Returns, with the exit status and one sentence said, only when that is not possible.
    """
    try:
        python = ensure_environment(ROOT / "requirements" / lock, ROOT / ".venv")
    except CannotPrepareError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    # -P: a folder named `scripts` where the user stands must not be taken for ours.
    command = [str(python), "-P", "-m", module, *argv]
    return os.execve(str(python), command, dict(os.environ, PYTHONPATH=str(ROOT)))  # noqa: S606


def main(argv: "list[str]") -> int:
    """Install the lock file named by the only argument into .venv; the exit status."""
    if argv in (["--help"], ["-h"]):
        print(_USAGE)
        return 0
    if len(argv) != 1 or not Path(argv[0]).is_file():
        print("bootstrap takes one lock file, got: " + " ".join(argv), file=sys.stderr)
        return 2
    try:
        ensure_environment(Path(argv[0]), ROOT / ".venv")
    except CannotPrepareError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


def _is_installed(lock: Path, venv: Path, base: Interpreter) -> bool:
    return _is_usable(venv, base) and _read_stamp(venv).get(lock.name) == _fingerprint(lock)


def _is_usable(venv: Path, base: Interpreter) -> bool:
    """Whether the environment is whole and made by this version of Python."""
    packages = venv / "lib" / ("python" + base.version) / "site-packages"
    python = venv / "bin" / "python"
    return packages.is_dir() and python.exists() and not (venv / MARKER_NAME).exists()


def _install(lock: Path, venv: Path, base: Interpreter) -> None:
    print(f"Installing {lock.stem} into {venv.name} (first run only) ...", flush=True)
    started = time.monotonic()
    if not _is_usable(venv, base):
        _create(venv, base)
    stamp = _read_stamp(venv)
    marker = venv / MARKER_NAME
    marker.touch()
    _pip_install(lock, venv)
    stamp[lock.name] = _fingerprint(lock)
    (venv / STAMP_NAME).write_text(json.dumps(stamp), encoding="utf-8")
    marker.unlink()
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)


def _create(venv: Path, base: Interpreter) -> None:
    # Debian keeps ensurepip in a package of its own.
    if subprocess.call([base.path, "-c", "import ensurepip"], stderr=subprocess.DEVNULL) != 0:
        raise CannotPrepareError(
            "Python's venv module is incomplete here; on Debian or Ubuntu install it with: "
            "sudo apt install python" + base.version + "-venv",
            exit_code=2,
        )
    made = subprocess.run(
        [base.path, "-m", "venv", "--clear", str(venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,  # noqa: UP021 (`text` is newer than 3.6)
        close_fds=False,  # it holds our lock, too (see _one_at_a_time)
        check=False,
    )
    if made.returncode != 0:
        last = (made.stdout.strip().splitlines() or ["no output"])[-1]
        raise CannotPrepareError("Could not create " + str(venv) + ": " + last)


def _pip_install(lock: Path, venv: Path) -> None:
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # What is imported is compiled then; compiling everything here takes 17 s of 38.
    options = ["--no-deps", "--require-hashes", "--no-compile", "--no-warn-script-location"]
    with subprocess.Popen(
        [*pip, "install", *options, "--progress-bar", "off", "-r", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        # A user-wide `pip --user` setting would make any installation into an environment fail.
        env=dict(os.environ, PIP_USER="0"),
    ) as process:
        output = _show_progress(process, lock)
    if process.returncode != 0:
        print("\n".join(output[-8:]), file=sys.stderr)
        raise CannotPrepareError(
            f"Could not install {lock.name} (see above); run the command again to retry."
        )


def _show_progress(process: "subprocess.Popen[str]", lock: Path) -> "list[str]":
    """Count pip's packages on a terminal until it ends; return its output lines."""
    total = sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())
    output = []
    for line in process.stdout or ():
        output.append(line.rstrip())
        # "Processing" when the package comes from a folder.
        if sys.stdout.isatty() and line.startswith(("Collecting ", "Processing ")):
            fetched = sum(text.startswith(("Collecting ", "Processing ")) for text in output)
            print(f"\r  {fetched} of {total} packages", end="\r", flush=True)
    return output


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> "Iterator[None]":
    """Hold an exclusive lock on `path`; the system drops it when its last holder ends.

    The programs started meanwhile hold it as well: killed, we may leave a pip at work, and the
    next run must not touch the environment before that is over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another command is installing; waiting for it ...", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _read_stamp(venv: Path) -> "dict[str, str]":
    """The locks installed into this environment: file name → SHA-256 of the lock."""
    try:
        return dict(json.loads((venv / STAMP_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
