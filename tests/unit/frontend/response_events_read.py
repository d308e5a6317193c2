"""A response that has ended, and its events as their readers get them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallStarted,
    Content,
    Piece,
    Reasoning,
)
from frontend_api.domain.generation import Timing, Usage
from frontend_api.domain.messages import Ending, Message, Run
from frontend_api.web.response_events import Framing, ResponseEvents

Json = dict[str, Any]

PIECES: Sequence[Piece] = (
    Reasoning("Hm"),
    Reasoning(", a tool."),
    Content("Let "),
    Content('me "look"\n'),
    CallStarted(0, "call_1", "look"),
    CallArguments(0, '{"at":'),
    CallArguments(0, '"sea"}'),
    CallStarted(1, "call_2", "wait"),
    Content("é"),
)


def ending(**given: object) -> Ending:
    """Return the ending of a response that said everything."""
    said = Ending(
        status="completed",
        completed_at=1_700_000_009.5,
        usage=Usage(10, 9, 4, 2),
        timing=Timing(0.1, 0.2, 30.0),
        finish_reason="stop",
    )
    return replace(said, **given)  # type: ignore[arg-type]


def opened(**given: object) -> Message:
    """Return the response before the model says anything."""
    run = Run(model="demo", status="in_progress", worker="w", lease_until=0.0)
    return Message(
        id="resp_0a",
        session_id="conv_1",
        owner="alice",
        parent_id="msg_1",
        created_at=1_700_000_000.5,
        run=replace(run, **given),  # type: ignore[arg-type]
    )


def ended(message: Message, pieces: Iterable[Piece], how: Ending) -> Message:
    """Return the response as this ending leaves it."""
    assert message.run is not None
    run = replace(message.run, status=how.status, pieces=tuple(pieces), ending=how)
    return replace(message, run=run)


def told(
    pieces: Sequence[Piece] = PIECES,
    *,
    how: Ending | None = None,
    message: Message | None = None,
    after: int = -1,
    framing: Framing | None = None,
    batch: int = 1,
) -> list[bytes]:
    """Return every event after that number."""
    first = message or opened()
    events = ResponseEvents(first, framing or Framing(), after)
    found = list(events.opening())
    for at in range(0, len(pieces), batch):
        found += events.told(pieces[at : at + batch])
    return [*found, *events.ending(ended(first, pieces, how or ending()), is_saved=True)]


def read(event: bytes) -> Json:
    """Return what one server-sent event says."""
    name, data, *rest = event.decode().split("\n")
    parsed: Json = json.loads(data.removeprefix("data: "))
    assert name == f"event: {parsed['type']}"
    assert rest == ["", ""]
    return parsed
