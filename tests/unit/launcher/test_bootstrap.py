"""The environment is made once, repeated when it was interrupted, and never by two at once."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.launcher import bootstrap
from scripts.launcher.bootstrap import CannotPrepareError, ensure_environment

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


def write_wheel(folder: Path, name: str) -> str:
    """Write a wheel of one empty module; its requirement line with hash."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    meta = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{meta}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{meta}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{meta}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name} @ {wheel.as_uri()} --hash=sha256:{digest}\n"


def can_import(venv: Path, name: str) -> bool:
    return subprocess.call([venv / "bin" / "python", "-c", f"import {name}"]) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lock of one package, installed into `.venv` there (made once: 4 s)."""
    folder = tmp_path_factory.mktemp("bootstrap")
    (folder / "serve.lock").write_text(write_wheel(folder, "conch_probe"))
    ensure_environment(folder / "serve.lock", folder / ".venv")
    return folder


def test_a_first_run_installs_the_lock(folder: Path) -> None:
    assert can_import(folder / ".venv", "conch_probe")


def test_a_second_run_says_and_does_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = ensure_environment(folder / "serve.lock", folder / ".venv")

    assert python == folder / ".venv" / "bin" / "python"
    assert capsys.readouterr().out == ""


def test_another_lock_is_added_to_the_same_environment(folder: Path) -> None:
    (folder / "test.lock").write_text(write_wheel(folder, "conch_second"))

    ensure_environment(folder / "test.lock", folder / ".venv")

    assert can_import(folder / ".venv", "conch_second")
    assert can_import(folder / ".venv", "conch_probe")


def test_a_wrong_hash_is_refused_and_the_next_run_starts_afresh(folder: Path) -> None:
    lock, stray = folder / "bad.lock", folder / ".venv" / "half-installed"
    right = write_wheel(folder, "conch_third")
    lock.write_text(right[:-5] + "0000\n")
    with pytest.raises(CannotPrepareError, match=r"Could not install bad\.lock"):
        ensure_environment(lock, folder / ".venv")
    stray.touch()

    lock.write_text(right)
    ensure_environment(lock, folder / ".venv")

    assert can_import(folder / ".venv", "conch_third")
    assert not stray.exists()


def test_of_two_at_once_one_waits_for_the_other(folder: Path) -> None:
    lock = folder / "both.lock"
    lock.write_text(write_wheel(folder, "conch_fourth"))
    code = (
        "import sys; from pathlib import Path; from scripts.launcher.bootstrap import *;"
        "ensure_environment(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(lock), str(folder / ".venv")]

    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = "".join(process.communicate(timeout=60)[0] for process in both)

    assert [process.returncode for process in both] == [0, 0]
    assert printed.count("Installed in") == 1


def test_an_unsupported_python_without_another_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        CannotPrepareError, match=r"needs Python 3\.11 or 3\.12; this is Python 3\.9"
    ) as told:
        bootstrap.find_python()

    assert told.value.exit_code == 2


def test_an_unsupported_python_uses_a_supported_one_from_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken, works = tmp_path / "python3.12", tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 127\n")  # such as a pyenv shim of a version not chosen
    works.write_text("#!/bin/sh\nexit 0\n")
    for program in (broken, works):
        program.chmod(0o755)
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setenv("PATH", str(tmp_path))

    found = bootstrap.find_python()

    assert (found.path, found.version) == (str(works), "3.11")


def test_a_wrong_argument_of_the_module_has_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["/nowhere.lock"]) == 2
    assert "/nowhere.lock" in capsys.readouterr().err
