"""The nodes of a session's tree.

A message is one node: an item of input, or all that one generation said. The latter has a
`run` and is a *response* in OpenAI's words; its items are a pure function of the run's
pieces, which are kept as they were streamed, so that its events can be told again exactly.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallStarted,
    Content,
    Piece,
    Reasoning,
    merged,
)
from frontend_api.domain.generation import Timing, Usage

Role = Literal["system", "developer", "user", "assistant"]
RunStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

MESSAGE_PREFIX: Final = "msg_"
RESPONSE_PREFIX: Final = "resp_"
RUNNING: Final = frozenset({"queued", "in_progress"})
# Why a run is incomplete when its worker died.
INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought before it spoke."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of the model; `arguments` is the JSON text it wrote."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What a tool answered."""

    call_id: str
    output: str


Item = Said | Thought | Called | Returned


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended.

    reason: why it is incomplete (`max_output_tokens`, `interrupted`), else None.
    error_code, error_message: set when it failed.
    """

    status: RunStatus
    completed_at: float
    usage: Usage | None = None
    timing: Timing | None = None
    finish_reason: str | None = None
    reason: str | None = None
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The generation behind a message.

    settings: a JSON object, the fields of the request that its answer repeats.
    worker: who runs it; it alone may write to it while the lease, renewed with every checkpoint,
    lasts. num_dropped: how many of the oldest messages did not fit into the context.
    """

    model: str
    status: RunStatus
    worker: str
    lease_until: float
    settings: str = "{}"
    pieces: tuple[Piece, ...] = ()
    ending: Ending | None = None
    is_background: bool = False
    is_cancel_requested: bool = False
    num_dropped: int = 0

    @property
    def is_running(self) -> bool:
        """Whether more may come."""
        return self.status in RUNNING

    @property
    def queue_ms(self) -> float | None:
        """The time until the model took it, as logs have it; None as long as it runs."""
        timing = None if self.ending is None else self.ending.timing
        return None if timing is None else timing.queue_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One node; `parent_id` None is a root. removed: numbers of the items deleted by a client."""

    id: str
    session_id: str
    owner: str
    parent_id: str | None
    created_at: float
    said: tuple[Item, ...] = ()
    run: Run | None = None
    removed: frozenset[int] = frozenset()
    is_deleted: bool = False

    @property
    def items(self) -> Sequence[tuple[str, Item]]:
        """The items left, each with its id."""
        if self.is_deleted:
            return ()
        items = self.said if self.run is None else items_of(self.run.pieces)
        return [
            (item_id(self, number, item), item)
            for number, item in enumerate(items)
            if number not in self.removed
        ]

    @property
    def text(self) -> str:
        """What was said in it, for people: to search in, to make a title of."""
        return "\n".join(item.text for _, item in self.items if isinstance(item, Said))

    def number_of(self, wanted: str) -> int:
        """Return the number of the item with that id; raises ValueError when it is not here."""
        items = self.said if self.run is None else items_of(self.run.pieces)
        return [item_id(self, number, item) for number, item in enumerate(items)].index(wanted)


_NAME_CHARS: Final = 32
_ITEM_PREFIX: Final = {Said: "msg_", Thought: "rs_", Called: "fc_", Returned: "fco_"}


def new_message_id() -> str:
    """Return an id for a message of input."""
    return MESSAGE_PREFIX + secrets.token_hex(_NAME_CHARS // 2)


def new_response_id() -> str:
    """Return an id for a message that a generation makes."""
    return RESPONSE_PREFIX + secrets.token_hex(_NAME_CHARS // 2)


def item_id(message: Message, number: int, item: Item) -> str:
    """Return the id of a message's item: the message's own id with the number and kind of it.

    A plain message of input has the id of its only item.
    """
    if message.run is None and number == 0 and isinstance(item, Said):
        return message.id
    return f"{_ITEM_PREFIX[type(item)]}{message.id.partition('_')[2]}{number:02x}"


def message_ids_of(wanted: str) -> Sequence[str]:
    """Return the messages that could hold the item of this id: only one of them does."""
    name = wanted.partition("_")[2][:_NAME_CHARS]
    return [MESSAGE_PREFIX + name, RESPONSE_PREFIX + name]


def items_of(pieces: Iterable[Piece]) -> Sequence[Item]:
    """Return what these pieces amount to: neighbours of one kind are one item."""
    items: list[Item] = []
    for piece in merged(pieces):
        match piece:
            case Reasoning(text):
                items.append(Thought(text))
            case Content(text):
                items.append(Said("assistant", text))
            case CallStarted():
                items.append(Called(piece.id, piece.name, ""))
            case CallArguments(_, text):
                last = items[-1]
                if isinstance(last, Called):
                    items[-1] = Called(last.call_id, last.name, last.arguments + text)
    return items
