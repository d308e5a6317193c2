"""Dockerfiles: linted, and what they copy and install is what is needed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
_NAME = re.compile(r"^[a-z0-9-]+", re.MULTILINE)
_ENTRY = re.compile(r"^(?=[a-z0-9])", re.MULTILINE)
_HASH = re.compile(r"sha256:\w+")
# For scripts/, which no image of these two has.
OF_COMMANDS = {"rich"}
each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


def copied(path: Path) -> list[str]:
    """The sources of the COPY lines that read the build context."""
    lines = [line.split()[1:] for line in path.read_text().splitlines() if line[:5] == "COPY "]
    return [source for words in lines if words[0][:2] != "--" for source in words[:-1]]


def pinned(lock: str) -> set[tuple[str, frozenset[str]]]:
    """Each package and version with the hashes of its files."""
    entries = _ENTRY.split((ROOT / "requirements" / lock).read_text())
    return {(each.split()[0], frozenset(_HASH.findall(each))) for each in entries if "==" in each}


@each_dockerfile
def test_hadolint_finds_nothing(path: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"

    done = subprocess.run(
        [hadolint, "--failure-threshold", "info", path],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@each_dockerfile
def test_everything_copied_exists_and_reaches_the_build(path: Path) -> None:
    shown = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]

    sources = copied(path)

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    hidden = [
        source
        for source in sources
        if not any(source == each or source.startswith(f"{each}/") for each in shown)
    ]
    assert hidden == []


@pytest.mark.parametrize("lock", ["serve.lock", "test.lock"])
def test_the_images_install_the_very_files_of_serving_and_testing(lock: str) -> None:
    images = pinned("frontend.lock") | pinned("triton.lock")

    assert len(images) > 60
    assert all(hashes for _, hashes in images)
    assert images <= pinned(lock)


def test_every_dependency_is_in_an_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {_NAME.findall(line)[0] for line in project["dependencies"]}

    inputs = [(ROOT / "requirements" / f"{image}.in") for image in ("frontend", "triton")]
    installed = {name for path in inputs for name in _NAME.findall(path.read_text())}

    assert installed == needed - OF_COMMANDS


def test_a_copied_path_that_is_not_there_would_be_found(tmp_path: Path) -> None:
    dockerfile = tmp_path / "x.Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY docker/nothing /x\nCOPY --from=a /there /here\n")

    assert copied(dockerfile) == ["docker/nothing"]
    assert not (ROOT / "docker/nothing").exists()
