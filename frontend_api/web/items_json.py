"""Items as OpenAI writes them: of a request into ours, and ours into an answer.

An item of a request is a message (also without its `type`, with text or parts of text), a call
of a function, its output, reasoning, or the id of a stored item. Other kinds, and parts that
are no text, are refused by name. Ids and states that a client sends along are left over from an
answer; an item gets a new id wherever it is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, Protocol, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.messages import Called, Item, Returned, Said, Thought
from frontend_api.web.item_types import ItemStatus
from frontend_api.web.validation import refused, wrong_type
from frontend_api.web.wire_base import Unsupported, Wire

Json: TypeAlias = Mapping[str, object]
Find: TypeAlias = Callable[[str], Awaitable[Item]]

MAX_ID_CHARS: Final = 256
# Each is a query of its own.
MAX_REFERENCES: Final = 100
_MAX_INT32: Final = 2**31 - 1
_TEXT_PARTS: Final = frozenset({"input_text", "output_text", "text", "reasoning_text"})
_KINDS: Final = frozenset(
    {"message", "function_call", "function_call_output", "reasoning", "item_reference"}
)

ItemId = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
# The number of an event. It is told again in the event of an error, and orjson writes 64 bits.
EventNumber = Annotated[int, Field(ge=0, le=_MAX_INT32)]
Empty = Annotated[list[object], Field(max_length=0)]


def _refuse_media(value: object) -> object:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if isinstance(kind, str) and kind not in _TEXT_PARTS:
        raise refused(
            f"Unsupported content: a part of type '{kind[:64]}' is not supported with this model.",
            "unsupported_parameter",
        )
    return value


class TextPartIn(Wire):
    """A piece of a text, of whichever side."""

    type: Literal["input_text", "output_text", "text", "reasoning_text"]
    text: str
    annotations: Empty | None = None
    logprobs: Empty | None = None
    prompt_cache_breakpoint: Unsupported = None


Part = Annotated[TextPartIn, BeforeValidator(_refuse_media)]
Parts = Annotated[list[Part], Field(max_length=1000, fail_fast=True)]


def _check_text(value: object) -> object:
    if not isinstance(value, str | list):
        raise wrong_type("a string or array of objects")
    return value


def _text_form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<parts>"


Text = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Parts, Tag("<parts>")],
    Discriminator(_text_form),
    BeforeValidator(_check_text),
]


class InlineItem(Protocol):
    """An item that a request holds itself."""

    def to_domain(self) -> Item:
        """Return the item."""
        ...


class MessageItemIn(Wire):
    """A turn of somebody; `phase` is an assistant's own note, for which templates have no place."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text
    type: Literal["message"] = "message"
    id: ItemId | None = None
    status: ItemStatus | None = None
    phase: Literal["commentary", "final_answer"] | None = None

    def to_domain(self) -> Item:
        """Return what was said."""
        return Said(self.role, _text_of(self.content))


class FunctionCallIn(Wire):
    """A call a model made."""

    type: Literal["function_call"]
    call_id: ItemId
    name: Annotated[str, Field(min_length=1, max_length=128)]
    arguments: str
    id: ItemId | None = None
    status: ItemStatus | None = None
    caller: Unsupported = None
    namespace: Unsupported = None

    def to_domain(self) -> Item:
        """Return the call."""
        return Called(self.call_id, self.name, self.arguments)


class FunctionCallOutputIn(Wire):
    """What a tool answered."""

    type: Literal["function_call_output"]
    call_id: ItemId
    output: Text
    id: ItemId | None = None
    status: ItemStatus | None = None
    name: Unsupported = None
    caller: Unsupported = None
    namespace: Unsupported = None

    def to_domain(self) -> Item:
        """Return the answer."""
        return Returned(self.call_id, _text_of(self.output))


class SummaryIn(Wire):
    """A piece of a summary of what a model thought."""

    type: Literal["summary_text"]
    text: str


class ReasoningIn(Wire):
    """What a model thought; the summary stands for it where the thoughts themselves are kept."""

    type: Literal["reasoning"]
    summary: Annotated[list[SummaryIn], Field(max_length=1000)]
    content: Parts | None = None
    id: ItemId | None = None
    status: ItemStatus | None = None
    encrypted_content: Unsupported = None

    def to_domain(self) -> Item:
        """Return the thought."""
        if self.content:
            return Thought(_text_of(self.content))
        return Thought("\n".join(part.text for part in self.summary))


class ItemReferenceIn(Wire):
    """A stored item, wherever it is."""

    id: ItemId
    type: Literal["item_reference"] | None = None


def _refuse_kind(value: object) -> object:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if isinstance(kind, str) and kind not in _KINDS:
        raise refused(
            f"Unsupported input: an item of type '{kind[:64]}' is not supported by this server.",
            "unsupported_parameter",
            at="type",
        )
    return value


def _kind_of(value: object) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    if isinstance(kind, str):
        return f"<{kind}>"
    # Both may leave their type out; a message then has a role.
    is_reference = isinstance(value, Mapping) and "role" not in value and "id" in value
    return "<item_reference>" if is_reference else "<message>"


ItemIn = Annotated[
    Annotated[MessageItemIn, Tag("<message>")]
    | Annotated[FunctionCallIn, Tag("<function_call>")]
    | Annotated[FunctionCallOutputIn, Tag("<function_call_output>")]
    | Annotated[ReasoningIn, Tag("<reasoning>")]
    | Annotated[ItemReferenceIn, Tag("<item_reference>")],
    Discriminator(_kind_of),
    BeforeValidator(_refuse_kind),
]


async def read_items(wires: Sequence[InlineItem | ItemReferenceIn], find: Find) -> tuple[Item, ...]:
    """Return the items of a request; `find` gets stored ones by id and raises NotFound."""
    if sum(isinstance(wire, ItemReferenceIn) for wire in wires) > MAX_REFERENCES:
        raise BadRequest(
            f"A request may refer to {MAX_REFERENCES} stored items at most.", code="invalid_value"
        )
    return tuple(
        [
            await find(wire.id) if isinstance(wire, ItemReferenceIn) else wire.to_domain()
            for wire in wires
        ]
    )


def item_json(item_id: str, item: Item, status: ItemStatus = "completed") -> Json:
    """Return an item as OpenAI writes it (web/item_types.py)."""
    match item:
        case Said(role, text):
            part = output_text(text) if role == "assistant" else _input_text(text)
            body: Json = {"type": "message", "role": role, "content": [part]}
        case Thought(text):
            thought = {"type": "reasoning_text", "text": text}
            body = {"type": "reasoning", "summary": [], "content": [thought]}
            body = {**body, "encrypted_content": None}
        case Called(call_id, name, arguments):
            body = {"type": "function_call", "call_id": call_id, "name": name}
            body = {**body, "arguments": arguments}
        case Returned(call_id, output):
            body = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"id": item_id, "status": status, **body}


def output_text(text: str) -> Json:
    """Return the part of a message that an assistant said."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _input_text(text: str) -> Json:
    return {"type": "input_text", "text": text}


def _text_of(content: str | Sequence[TextPartIn]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)
