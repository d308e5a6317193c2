"""Reads the rules about what may be said from a TOML file, and again whenever it changes.

A file that cannot be used any more changes nothing: the rules from before stay, and the log says
why. A change counts once the file has rested for a look, as it may be written in several steps; and
one without any rule says so (`rule = []`), as it may have been emptied only to be written anew.
With several workers each reads it for itself.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import structlog
from pydantic import BaseModel, Field, ValidationError

from frontend_api.service.blocklist import MASK, Action, Place, Rules, new_rule, rules_of
from frontend_api.settings import SettingsError

# Two looks at a file's date are nothing to a machine.
_LOOK_S: Final = 1.0
_log = structlog.get_logger()


class _RuleIn(BaseModel, frozen=True, extra="forbid"):
    """[[rule]]: one expression."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    pattern: Annotated[str, Field(min_length=1)]
    action: Action
    where: Place = "both"
    mask: str = MASK


class _FileIn(BaseModel, frozen=True, extra="forbid"):
    """The whole file."""

    rule: tuple[_RuleIn, ...]


class BlocklistFile:
    """The rules of a file; a RuleSource."""

    def __init__(self, path: Path, look_s: float = _LOOK_S) -> None:
        """Read it; raises SettingsError in one sentence when it cannot be used."""
        self._path = path
        self._look_s = look_s
        self._seen = _state_of(path)
        self._rules = _read(path)

    @property
    def current(self) -> Rules:
        """Return the rules of this moment."""
        return self._rules

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Watch the file while the block runs."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self) -> None:
        state = self._seen
        while True:
            await asyncio.sleep(self._look_s)
            before, state = state, await asyncio.to_thread(_state_of, self._path)
            if state != before or state == self._seen:
                continue
            self._seen = state
            try:
                self._rules = await asyncio.to_thread(_read, self._path)
            except SettingsError as error:
                _log.error("blocklist.kept", reason=str(error))
            else:
                _log.info("blocklist.read", path=str(self._path))


def _state_of(path: Path) -> tuple[int, int, int]:
    """Return what tells one version of the file from another."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> Rules:
    try:
        said = _FileIn.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise SettingsError(f"The blocklist {path} cannot be read: {exc.strerror}.") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"The blocklist {path} has a fault in {place}: {first['msg']}."
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise SettingsError(f"The blocklist {path} is not valid TOML: {exc}.") from exc
    rules = []
    for each in said.rule:
        try:
            rules.append(
                new_rule(each.name, each.pattern, each.action, place=each.where, mask=each.mask)
            )
        except (ValueError, RecursionError) as exc:
            raise SettingsError(
                f"The rule '{each.name}' of the blocklist {path} cannot be used: {exc}."
            ) from exc
    return rules_of(rules)
