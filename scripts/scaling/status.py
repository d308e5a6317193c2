"""What a fleet looks like now: one row for each part."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.launcher import ports
from scripts.launcher.errors import LaunchError
from scripts.launcher.readiness import is_ready
from scripts.scaling.haproxy import ServerState
from scripts.scaling.parts import Part, Parts

_HEADER = ("part", "state", "pid", "address", "requests", "broken", "")


@dataclass(frozen=True)
class Row:
    """One part. state: up, starting, draining, down, primary, secondary or away.

    requests: those that run there; broken: those that it broke off, since HAProxy's last reload.
    """

    name: str
    state: str
    pid: int | None
    address: str
    requests: int | None
    broken: int | None
    note: str


async def rows_of(parts: Parts) -> Sequence[Row]:
    """Return all parts as they are now."""
    try:
        servers = await parts.haproxy.servers()
    except LaunchError:
        servers = {}
    return await asyncio.gather(*(_row(part, parts, servers) for part in parts.all))


async def _row(part: Part, parts: Parts, servers: dict[str, ServerState]) -> Row:
    own = [servers[name] for name in part.servers if name in servers]
    state = await _state(part, parts, own)
    if part.kind == "haproxy":
        state = "up" if servers else "starting"
    return Row(
        name=part.name,
        state=state,
        pid=part.service.pid,
        address=part.address,
        requests=sum(server.sessions for server in own) if own else None,
        broken=sum(server.num_broken for server in own) if own else None,
        note=part.note,
    )


async def _state(part: Part, parts: Parts, own: Sequence[ServerState]) -> str:
    if part.service.pid is None:
        return "down"
    if part.kind == "mongod":
        member = next(each for each in parts.members if each.address == part.address)
        return await member.role()
    if part.asked_at and not await is_ready(ports.LOOPBACK, part.asked_at, part.ready_path):
        return "starting"
    return "draining" if any(server.status.startswith("DRAIN") for server in own) else "up"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text, in columns."""
    cells = [
        _HEADER,
        *(
            (
                r.name,
                r.state,
                _shown(r.pid),
                r.address,
                _shown(r.requests),
                _shown(r.broken),
                r.note,
            )
            for r in rows
        ),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _shown(number: int | None) -> str:
    return "" if number is None else str(number)
