"""The SharedLevel port: a file in the folder that only the workers of this server share."""

from __future__ import annotations

import os
from pathlib import Path


class OwnLevel:
    """That of a server of one worker."""

    def __init__(self) -> None:
        """Begin with none."""
        self._level: str | None = None

    def tell(self, level: str) -> None:
        """See SharedLevel."""
        self._level = level

    def told(self) -> str | None:
        """See SharedLevel."""
        return self._level


class LevelFile:
    """That of several workers; one that starts again finds it as well."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; nothing is read yet."""
        self._file = folder / "log-level"
        self._new = folder / f"log-level.{os.getpid()}"

    def tell(self, level: str) -> None:
        """See SharedLevel."""
        # In one step: nobody reads half a word.
        self._new.write_text(level, encoding="utf-8")
        self._new.replace(self._file)

    def told(self) -> str | None:
        """See SharedLevel."""
        try:
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
