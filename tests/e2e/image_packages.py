"""What this machine has installed already, put where an image's pip and npm look before they fetch.

It came from the same lock files by the same commands (scripts/test), and to read the registry's
lists once more takes a minute of a core. Whatever is missing, or of another version, is fetched.
"""

import contextlib
import os
import re
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from scripts.launcher.bootstrap import ROOT

_PINNED = re.compile(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==([^ ;]+)", re.MULTILINE)
_NODE_MODULES = ROOT / "webapp" / "node_modules"


def lend_python(lock: Path, venv: Path) -> None:
    """Put the packages of a lock file into an environment, without their commands."""
    (folder,) = venv.glob("lib/python*/site-packages")
    for name, version in _PINNED.findall(lock.read_text()):
        with contextlib.suppress(PackageNotFoundError):
            found = distribution(name)
            if found.version == version:
                for path in found.files or ():
                    if path.parts[0] != "..":
                        _link(path.locate(), folder / path)


def lend_node(folder: Path) -> None:
    """Put the packages of the web chat there, without what its builds left among them."""
    if _NODE_MODULES.is_dir():
        ignored = shutil.ignore_patterns(".vite*", ".conch*")
        shutil.copytree(_NODE_MODULES, folder, symlinks=True, ignore=ignored, copy_function=_link)


def _link(source: "os.PathLike[str] | str", target: "os.PathLike[str] | str") -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # a list of files may name one twice
    except OSError:
        shutil.copy2(source, target)  # from another file system
