"""The web chat is built once for its sources, and Conch serves without it if it cannot be."""

from pathlib import Path

import pytest

from scripts.launcher import webapp

# Stands for npm: notes what it was asked, and "builds" a page.
NPM = """#!/bin/sh -eu
echo "$*" >> npm.log
case "$*" in
  install*) mkdir -p node_modules ;;
  "run build "*) for out; do :; done; mkdir -p "$out"; echo built > "$out/index.html" ;;
esac
"""
BUILD = "run build -- --emptyOutDir --outDir node_modules/.conch-dist"
BROKEN_NPM = """#!/bin/sh
echo "a type is wrong" >&2
exit 1
"""


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with a Node.js 20 and an npm."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder / "node", "#!/bin/sh\necho v20.1.0\n")
    write_program(folder / "npm", NPM)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "webapp"
    (folder / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "src/main.tsx"):
        (folder / name).write_text("{}")
    return folder


def asked_of_npm(folder: Path) -> list[str]:
    log = folder / "npm.log"
    lines = log.read_text().splitlines() if log.exists() else []
    # Beside the sources, where it would count as one.
    log.unlink(missing_ok=True)
    return lines


def said_by_build(folder: Path) -> list[str]:
    said: list[str] = []
    webapp.build(said.append, folder)
    return said


@pytest.mark.usefixtures("programs")
def test_a_first_run_installs_and_builds(folder: Path) -> None:
    said = said_by_build(folder)

    assert said == ["Building the web chat ..."]
    assert asked_of_npm(folder) == ["install --no-save --no-audit --no-fund", BUILD]
    assert (folder / "dist" / "index.html").is_file()


@pytest.mark.usefixtures("programs")
def test_a_second_run_says_and_does_nothing(folder: Path) -> None:
    said_by_build(folder)
    asked_of_npm(folder)

    said = said_by_build(folder)

    assert (said, asked_of_npm(folder)) == ([], [])


@pytest.mark.usefixtures("programs")
def test_a_changed_source_is_built_again_without_an_installation(folder: Path) -> None:
    said_by_build(folder)
    asked_of_npm(folder)
    (folder / "src" / "main.tsx").write_text("changed")

    said_by_build(folder)

    assert asked_of_npm(folder) == [BUILD]


@pytest.mark.parametrize("version", ["v18.19.0", "nonsense", ""])
def test_without_a_new_enough_node_one_sentence_says_so(
    folder: Path, programs: Path, version: str
) -> None:
    write_program(programs / "node", f"#!/bin/sh\necho {version}\n")

    said = said_by_build(folder)

    assert said == ["The web chat is not built: it needs Node.js 20 or later; the API does not."]
    assert asked_of_npm(folder) == []


def test_a_failed_build_is_told_and_tried_again(folder: Path, programs: Path) -> None:
    write_program(programs / "npm", BROKEN_NPM)
    said = said_by_build(folder)
    write_program(programs / "npm", NPM)

    said_again = said_by_build(folder)

    assert (
        said[1]
        == "`npm install --no-save --no-audit --no-fund` failed in webapp:\n  a type is wrong"
    )
    assert said_again == ["Building the web chat ..."]
    assert (folder / "dist" / "index.html").is_file()


@pytest.mark.usefixtures("programs")
def test_a_copy_without_the_sources_is_served_as_it_is(tmp_path: Path) -> None:
    assert said_by_build(tmp_path / "elsewhere") == []
