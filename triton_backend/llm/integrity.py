"""Whether the files of a version folder are those that engine.json was written for.

All are read at every load, a few at a time: the engine reads them next anyway, and finds them in
memory then.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from .errors import LoadError

_READERS: Final = 4


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(folder: Path, names: list[str]) -> dict[str, str]:
    """The SHA-256 of each of these files of a folder, by name."""
    with ThreadPoolExecutor(_READERS) as pool:
        return dict(zip(names, pool.map(lambda name: sha256(folder / name), names), strict=True))


def refuse_altered(folder: Path, files: Mapping[str, str], remedy: str) -> None:
    """Raise LoadError, ending in the remedy, for the first file that is missing or altered."""
    model = folder.parent.name
    for name in files:
        if not (folder / name).is_file():
            raise LoadError(f"{model}: {Path(name).name} is missing. {remedy}")
    found = sha256_of(folder, list(files))
    for name, expected in files.items():
        if found[name] != expected:
            raise LoadError(f"{model}: {Path(name).name} is not the file that was built. {remedy}")
