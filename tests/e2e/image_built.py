"""An image's files, made without a container engine: its Dockerfile's own commands, in a folder.

COPY, RUN, ENV and the rest are taken as they stand; paths of the image's tree are put below the
folder. All stages share it, so that what one stage copies from another is there already. A command
that would touch a path outside is refused. pip and npm find what they would install in place, as
far as this machine has it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from scripts.launcher.bootstrap import ROOT
from tests.e2e.image_packages import lend_node, lend_python

# Where a path begins; the trees that our Dockerfiles write to.
_START = r"(?<![^\s\"'=:(])/"
_OURS = re.compile(_START + r"(?=(?:opt|tmp|webapp|usr/local/bin)\b)")
_ABSOLUTE = re.compile(_START + r"\w+")
_MOUNT = re.compile(r"--mount=\S+\s+")
_PIP = re.compile(r"pip --python (\S+) install .*-r (\S+)")
# Of one command: generous, since most of it is the registry's.
_LIMIT_S = 240


@dataclass
class Image:
    """What a Dockerfile made below `root`."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)

    def inside(self, text: str) -> str:
        """The text with the image's paths put below the root."""
        return _OURS.sub(f"{self.root}/", text)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start the entrypoint; its output is one stream."""
        return subprocess.Popen(
            [*map(self.inside, self.entrypoint), *arguments],
            cwd=self._folder(),
            env=self._surroundings() | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str) -> str:
        """What a command prints in the image; fails when it does."""
        with subprocess.Popen(
            command,
            cwd=self._folder(),
            env=self._surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=_LIMIT_S)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # a shell's children as well
                raise
        assert process.returncode == 0, f"{command}: {output[-4000:]}"
        return output

    def _folder(self) -> Path:
        folder = Path(self.inside(self.workdir)) if self.workdir != "/" else self.root
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _surroundings(self) -> dict[str, str]:
        # Registries, proxies and caches are this machine's; its Python environment is not.
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PYTHON", "VIRTUAL_ENV", "CONCH_"))
        }
        python = str(Path(sys.executable).parent)
        path = f"{self.root}/usr/local/bin:{python}:{os.environ['PATH']}"
        mine = {
            key: self.inside(value.replace("$PATH", path)) for key, value in self.environ.items()
        }
        return {**kept, "PATH": path, **mine}


def build_image(dockerfile: str, root: Path) -> Image:
    """Do what docker/<dockerfile> says, below `root`."""
    image = Image(root)
    for word, rest in _instructions((ROOT / "docker" / dockerfile).read_text()):
        match word:
            case "FROM":
                image = Image(root)
            case "WORKDIR" | "ENV" | "ENTRYPOINT":
                _set(image, word, rest)
            case "COPY":
                _copy(image, rest.split())
            case "RUN":
                _run(image, _MOUNT.sub("", rest))
            case "ARG" | "USER" | "EXPOSE" | "HEALTHCHECK":
                pass  # the base image, and what a container engine does
            case _:
                raise AssertionError(f"{dockerfile} has {word}, which is not known here")
    return image


def _set(image: Image, word: str, rest: str) -> None:
    if word == "WORKDIR":
        image.workdir = rest
    elif word == "ENV":
        image.environ |= dict(part.split("=", 1) for part in shlex.split(rest))
    else:
        image.entrypoint = [part.strip(' "') for part in rest.strip("[]").split(",")]


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = lines.replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined) if word
    ]


def _run(image: Image, command: str) -> None:
    outside = _ABSOLUTE.findall(_OURS.sub("", command))
    assert not outside, f"{command!r} touches {outside}"
    if found := _PIP.search(image.inside(command)):
        lend_python(lock=Path(found[2]), venv=Path(found[1]))
    elif command.startswith("npm install "):
        lend_node(image._folder() / "node_modules")
    image.run("/bin/sh", "-c", image.inside(command))


def _copy(image: Image, words: Sequence[str]) -> None:
    stage = words[0].startswith("--from=")
    *sources, target = words[1:] if stage else words
    folder = image._folder()
    for source in sources:
        found = Path(image.inside(source)) if stage else ROOT / source
        goal = Path(image.inside(target)) if target.startswith("/") else folder / target
        if found.resolve() == goal.resolve():
            continue  # between stages, which share the tree
        if found.is_dir():
            shutil.copytree(found, goal, ignore=_ignored, dirs_exist_ok=True)
        else:
            goal = goal / found.name if target.endswith("/") else goal
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, goal)


def _ignored(folder: str, names: Sequence[str]) -> set[str]:
    """Of a folder of ours, what .dockerignore keeps from a build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and line[0] not in "#!*"]
    anywhere = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    place = Path(folder)
    return {
        name
        for name in names
        if any(fnmatch(name, pattern) for pattern in anywhere)
        or (place.is_relative_to(ROOT) and str((place / name).relative_to(ROOT)) in patterns)
    }
