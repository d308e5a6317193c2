"""The events of a response: a pure function of its message, its pieces and its ending.

How it works: every piece of text is one delta event. Where the kind of the pieces changes, the
open item is ended and the next one begun, as `domain.messages.items_of` parts them. Every event
has the next number, from 0; so whoever has seen the events up to N gets the rest, from any
worker, by having all made again and the first N + 1 left out. The events of one item's deltas
differ in number and text only: their bytes are made once, a delta costs one JSON string.
A cancelled response ends with `response.incomplete` and the status `cancelled`: OpenAI has no
event of its own for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from frontend_api.domain.answer_pieces import CallArguments, CallStarted, Content, Piece, Reasoning
from frontend_api.domain.errors import ServiceError
from frontend_api.domain.messages import INTERRUPTED, Called, Item, Message, Said, Thought, item_id
from frontend_api.web.item_types import ItemStatus
from frontend_api.web.items_json import item_json, output_text
from frontend_api.web.response_json import opened_json, response_json, run_of

Json: TypeAlias = Mapping[str, object]
Told: TypeAlias = Reasoning | Content | CallArguments

# Stand for the number and the text in an event that is cut there; JSON holds neither otherwise.
_NUMBER: Final = "\x00number\x00"
_TEXT: Final = "\x00text\x00"
_NUMBER_JSON: Final = orjson.dumps(_NUMBER)
_TEXT_JSON: Final = orjson.dumps(_TEXT)
_TERMINAL: Final = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "cancelled": "response.incomplete",
    "failed": "response.failed",
}


# About a millisecond of work: whoever tells more at once lets others go between two of these.
_BATCH: Final = 1000


def batches(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """Return the pieces in portions, for a reader that gets very many at once."""
    return (pieces[at : at + _BATCH] for at in range(0, len(pieces), _BATCH))


@dataclass(frozen=True, slots=True)
class Framing:
    """How an event goes over the wire; `fields` are added to each."""

    is_sse: bool = True
    fields: Json = field(default_factory=dict)

    def frame(self, kind: str, body: Json) -> bytes:
        """Return one event."""
        json = orjson.dumps({"type": kind, **body, **self.fields})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), json) if self.is_sse else json


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the text of one kind of item is told; `has_part`: inside a part of its content."""

    piece: type[Told]
    delta: str
    done: str
    text_field: str
    has_part: bool
    log_probs: Json = field(default_factory=dict)


_KINDS: Final[Mapping[type[Item], _Kind]] = {
    Said: _Kind(
        Content,
        "response.output_text.delta",
        "response.output_text.done",
        "text",
        has_part=True,
        log_probs={"logprobs": []},
    ),
    Thought: _Kind(
        Reasoning,
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "text",
        has_part=True,
    ),
    Called: _Kind(
        CallArguments,
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "arguments",
        has_part=False,
    ),
}


class _OpenItem:
    """The item that is being told."""

    def __init__(self, item: Said | Thought | Called, item_id_: str, index: int) -> None:
        self.kind = _KINDS[type(item)]
        self.texts: list[str] = []
        self._item = item
        self._id = item_id_
        self._place: Json = {"item_id": item_id_, "output_index": index}
        if self.kind.has_part:
            self._place = {**self._place, "content_index": 0}
        self.index = index

    def delta(self, text: str) -> Json:
        return {**self._place, "delta": text, **self.kind.log_probs}

    def done(self, text: str) -> Json:
        named = {"name": self._item.name} if isinstance(self._item, Called) else {}
        return {**self._place, self.kind.text_field: text, **named, **self.kind.log_probs}

    def part(self, text: str) -> Json:
        is_said = isinstance(self._item, Said)
        part = output_text(text) if is_said else {"type": "reasoning_text", "text": text}
        return {**self._place, "part": part}

    def begun(self) -> Json:
        json = item_json(self._id, self._item, "in_progress")
        empty: Json = {"content": []} if self.kind.has_part else {}
        return {"output_index": self.index, "item": {**json, **empty}}

    def ended(self, text: str, status: ItemStatus) -> Json:
        return {"output_index": self.index, "item": item_json(self._id, self._with(text), status)}

    def _with(self, text: str) -> Item:
        match self._item:
            case Called(call_id, name):
                return Called(call_id, name, text)
            case Said(role):
                return Said(role, text)
            case _:
                return Thought(text)


class ResponseEvents:
    """Makes the events after number `after` of one response, in order; each is complete bytes."""

    def __init__(self, message: Message, framing: Framing, after: int = -1) -> None:
        """Begin before the first event."""
        self._message = message
        self._framing = framing
        self._after = after
        self._next = 0
        self._ready: list[bytes] = []
        self._open: _OpenItem | None = None
        self._num_items = 0
        self._template = (b"", b"", b"")

    def opening(self) -> Sequence[bytes]:
        """Return the events before the model says anything."""
        response = opened_json(self._message)
        if run_of(self._message).is_background:
            queued = {**response, "status": "queued"}
            self._put("response.created", {"response": queued})
            self._put("response.queued", {"response": queued})
        else:
            self._put("response.created", {"response": response})
        self._put("response.in_progress", {"response": response})
        return self._taken()

    def told(self, pieces: Iterable[Piece]) -> Sequence[bytes]:
        """Return the events of these pieces; the hot path."""
        for piece in pieces:
            if self._open is None or not isinstance(piece, self._open.kind.piece):
                self._turn_to(piece)
            if self._open is not None and isinstance(piece, self._open.kind.piece):
                self._put_delta(self._open, piece.text)
        return self._taken()

    def ending(self, message: Message, *, is_saved: bool) -> Sequence[bytes]:
        """Return the last events of the response, which has ended so."""
        run = run_of(message)
        self._close("completed" if run.status == "completed" else "incomplete")
        if run.ending is not None and run.ending.reason == INTERRUPTED:
            # Its worker died with pieces that were told and not stored: a client may have seen
            # more events than there are, and still waits for the last one.
            self._next = max(self._next, self._after + 1)
        response = response_json(message, is_saved=is_saved)
        self._put(_TERMINAL[run.status], {"response": response})
        return self._taken()

    def broken(self, error: ServiceError) -> bytes:
        """Return the event of a reader that cannot read on, though the response may go on.

        It has the number of the last event: whoever comes back after that one misses nothing.
        """
        last = max(self._next - 1, self._after, 0)
        told = {"code": error.code, "message": error.message, "param": error.param}
        return self._framing.frame("error", {"sequence_number": last, **told})

    def _turn_to(self, piece: Piece) -> None:
        match piece:
            case Content():
                self._begin(Said("assistant", ""))
            case Reasoning():
                self._begin(Thought(""))
            case CallStarted(_, call_id, name):
                self._begin(Called(call_id, name, ""))

    def _begin(self, item: Said | Thought | Called) -> None:
        self._close("completed")
        number = self._num_items
        self._num_items += 1
        begun = self._open = _OpenItem(item, item_id(self._message, number, item), number)
        self._put("response.output_item.added", begun.begun())
        if begun.kind.has_part:
            self._put("response.content_part.added", begun.part(""))
        whole = {"sequence_number": _NUMBER, **begun.delta(_TEXT)}
        before, rest = self._framing.frame(begun.kind.delta, whole).split(_NUMBER_JSON, 1)
        between, after = rest.split(_TEXT_JSON, 1)
        self._template = before, between, after

    def _close(self, status: ItemStatus) -> None:
        ended, self._open = self._open, None
        if ended is None:
            return
        text = "".join(ended.texts)
        self._put(ended.kind.done, ended.done(text))
        if ended.kind.has_part:
            self._put("response.content_part.done", ended.part(text))
        self._put("response.output_item.done", ended.ended(text, status))

    def _put_delta(self, to: _OpenItem, text: str) -> None:
        to.texts.append(text)
        if self._next > self._after:
            before, between, after = self._template
            json = orjson.dumps(text)
            self._ready.append(b"%b%d%b%b%b" % (before, self._next, between, json, after))
        self._next += 1

    def _put(self, kind: str, body: Json) -> None:
        if self._next > self._after:
            numbered = {"sequence_number": self._next, **body}
            self._ready.append(self._framing.frame(kind, numbered))
        self._next += 1

    def _taken(self) -> Sequence[bytes]:
        ready, self._ready = self._ready, []
        return ready
