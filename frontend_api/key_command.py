"""`python -m frontend_api keys …`: keys for people at the machine, straight in the database.

Running workers heed a change within 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final, cast

import structlog

from frontend_api.domain.errors import ServiceError
from frontend_api.domain.keys import ApiKey, KeyLimits
from frontend_api.key_arguments import read_arguments
from frontend_api.service.audit import DONE, Audit, Happening
from frontend_api.service.key_checks import KeyChecks
from frontend_api.service.keys import KeyOrder, Keys, LimitChanges, NewKey, static_keys
from frontend_api.settings import Settings, load_settings
from frontend_api.wiring import SystemClock, store_of

# In the audit, for whoever sits at the machine.
ACTOR: Final = "command line"
_FAILED: Final = 1
_SECONDS_PER_DAY: Final = 86_400
_PAGE: Final = 100
_COLUMNS: Final = ("id", "state", "name", "owner", "scopes", "models", "expires")


def manage_keys(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments say; returns the exit code.

    Raises SettingsError or StoreRefused.
    """
    options = read_arguments(argv)
    settings = load_settings(options.config, environ)
    # Standard output has the key and nothing else: a script may take it from there.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        asyncio.run(_act(options, settings))
    except ServiceError as exc:
        sys.stderr.write(f"frontend_api keys: {exc.message}\n")
        return _FAILED
    return 0


async def _act(options: argparse.Namespace, settings: Settings) -> None:
    store, clock = store_of(settings.store), SystemClock()
    static = static_keys(settings.security.api_keys)
    async with store.running():
        keys = Keys(store, clock, static, KeyChecks(store, clock, static))
        audit = Audit(store, clock, days=0)
        changed = await _changed(options, keys, clock.now())
        if changed is not None:
            what = Happening(
                actor=ACTOR, action=f"keys.{options.action}", outcome=DONE, subject=changed.id
            )
            audit.note(what)
            await audit.write()


async def _changed(options: argparse.Namespace, keys: Keys, now: float) -> ApiKey | None:
    """Do it; returns the key that is another one now."""
    match options.action:
        case "create":
            return _hand_out(await keys.create(_order(options, now)), "was made")
        case "rotate":
            made = await keys.rotate(options.id, options.overlap_seconds)
            return _hand_out(made, "has a new secret")
        case "limit":
            key = await keys.limit(options.id, _limits_in(options))
            sys.stderr.write(f"Key '{key.name}' ({key.id}) has {_limits(key.limits)}.\n")
            return key
        case "revoke":
            key = await keys.revoke(options.id)
            sys.stderr.write(f"Key '{key.name}' ({key.id}) lets nobody in any more.\n")
            return key
        case "describe":
            described = _described(await keys.describe(options.id), now)
            _write(f"{name}: {value}" for name, value in described.items())
        case _:
            _write(await _table(keys, now))
    return None


def _order(options: argparse.Namespace, now: float) -> KeyOrder:
    days = options.expires_in_days
    return KeyOrder(
        name=options.name,
        owner=options.owner or "",
        scopes=options.scopes,
        models=options.models,
        expires_at=None if days is None else now + days * _SECONDS_PER_DAY,
        limits=KeyLimits(**_limits_in(options)),
    )


def _limits_in(options: argparse.Namespace) -> LimitChanges:
    given = vars(options)
    names = KeyLimits.__dataclass_fields__
    return cast(LimitChanges, {name: given[name] for name in names if name in given})


def _hand_out(made: NewKey, what: str) -> ApiKey:
    key = made.record
    sys.stderr.write(f"Key '{key.name}' ({key.id}) {what}; it is shown only this once:\n")
    _write([made.text])
    return key


async def _table(keys: Keys, now: float) -> Sequence[str]:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    after: str | None = None
    while True:
        page = await keys.page(after, _PAGE)
        rows += [tuple(_described(key, now)[name] for name in _COLUMNS) for key in page.keys]
        if not page.has_more:
            break
        after = page.keys[-1].id
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _described(key: ApiKey, now: float) -> Mapping[str, str]:
    old = key.old_secret
    return {
        "id": key.id,
        "state": key.state(now),
        "name": key.name,
        "owner": key.owner,
        "scopes": ",".join(key.scopes),
        "models": "all" if key.models is None else ",".join(key.models),
        "limits": _limits(key.limits),
        "created": _moment(key.created_at or None),
        "updated": _moment(key.updated_at or None),
        "expires": _moment(key.expires_at),
        "old key valid until": _moment(None if old is None else old.valid_until),
    }


def _limits(limits: KeyLimits) -> str:
    given = (f"{name}={limit}" for name, limit in asdict(limits).items() if limit is not None)
    return ",".join(given)


def _moment(at: float | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _write(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
