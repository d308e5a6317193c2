"""The messages of a chat request, and what holds between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from frontend_api.domain.generation import ChatMessage, MadeCall
from frontend_api.web.validation import MISSING, refused, wrong_type
from frontend_api.web.wire_base import TextPart, Unsupported, Wire

# Chat templates know the older name of the role.
_TEMPLATE_ROLE: Final = {"developer": "system"}
_MEDIA: Final = frozenset({"image_url", "input_audio", "file", "video_url", "audio_url", "refusal"})
_NO_CONTENT: Final = (
    "Invalid type for '{param}': expected one of a string or array of objects, "
    "but got null instead."
)
_NOT_A_RESPONSE: Final = (
    "Invalid parameter: messages with role 'tool' must be a response to a preceding message "
    "with 'tool_calls'."
)
_UNANSWERED: Final = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: "
)


def _check_content(value: object) -> object:
    if not isinstance(value, str | list):
        raise wrong_type("a string or array of objects")
    return value


def _content_form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<parts>"


def _refuse_media(value: object) -> object:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if isinstance(kind, str) and kind in _MEDIA:
        raise refused(
            f"Unsupported content: a part of type '{kind}' is not supported with this model.",
            "unsupported_parameter",
        )
    return value


Part = Annotated[TextPart, BeforeValidator(_refuse_media)]
Parts = Annotated[list[Part], Field(min_length=1, fail_fast=True)]
Content = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Parts, Tag("<parts>")],
    Discriminator(_content_form),
    BeforeValidator(_check_content),
]
CallId = Annotated[str, Field(min_length=1, max_length=256)]


class CalledFunction(Wire):
    """The function an assistant called, with its arguments as JSON text."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str


class ToolCallIn(Wire):
    """A call an assistant made; `index` is left over from its stream and means nothing."""

    id: CallId
    type: Literal["function"]
    function: CalledFunction
    index: int | None = None


class MessageIn(Wire):
    """One turn of the conversation."""

    role: Literal["system", "assistant", "user", "developer", "tool"]
    content: Content | None = None
    name: Annotated[str, Field(max_length=256)] | None = None
    tool_calls: Annotated[list[ToolCallIn], Field(min_length=1, max_length=128)] | None = None
    tool_call_id: CallId | None = None
    reasoning_content: str | None = None
    refusal: Unsupported = None
    audio: Unsupported = None
    function_call: Unsupported = None
    annotations: Annotated[list[object], Field(max_length=0)] | None = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        is_assistant, is_tool = self.role == "assistant", self.role == "tool"
        if self.tool_calls and not is_assistant:
            raise _not_for(self.role, "tool_calls")
        if self.reasoning_content and not is_assistant:
            raise _not_for(self.role, "reasoning_content")
        if is_tool and self.tool_call_id is None:
            raise refused(MISSING, "missing_required_parameter", at="tool_call_id")
        if self.tool_call_id is not None and not is_tool:
            raise _not_for(self.role, "tool_call_id")
        if self.content is None and not self.tool_calls:
            if "content" in self.model_fields_set:
                raise refused(_NO_CONTENT, "invalid_type", at="content")
            raise refused(MISSING, "missing_required_parameter", at="content")
        return self

    def to_domain(self) -> ChatMessage:
        """Return the turn as the chat template takes it."""
        text = self.content
        if isinstance(text, list):
            text = "".join(part.text for part in text)
        return ChatMessage(
            role=_TEMPLATE_ROLE.get(self.role, self.role),
            content=text,
            name=self.name,
            reasoning=self.reasoning_content,
            calls=tuple(
                MadeCall(call.id, call.function.name, call.function.arguments)
                for call in self.tool_calls or ()
            ),
            call_id=self.tool_call_id,
        )


def check_results_and_calls(messages: Sequence[MessageIn]) -> Sequence[MessageIn]:
    """Check `messages` that go on with a stored session: the first may be results of its calls."""
    first = next((at for at, each in enumerate(messages) if each.role != "tool"), len(messages))
    check_calls_are_answered(messages[first:], first)
    return messages


def check_calls_are_answered(
    messages: Sequence[MessageIn], num_before: int = 0
) -> Sequence[MessageIn]:
    """Refuse a tool message that answers no call, and a call that no tool message answers.

    num_before: how many messages of the request come before these.
    """
    called: frozenset[str] = frozenset()
    unanswered: dict[str, None] = {}
    for at, message in enumerate(messages, num_before):
        if message.role == "tool":
            _check_answer(message, called, at)
            unanswered.pop(message.tool_call_id or "", None)
            continue
        if unanswered:
            raise refused(_UNANSWERED + ", ".join(unanswered), None, at=f"[{at}].role")
        unanswered = dict.fromkeys(call.id for call in message.tool_calls or ())
        called = frozenset(unanswered)
    if unanswered:
        raise refused(_UNANSWERED + ", ".join(unanswered), None)
    return messages


def _check_answer(message: MessageIn, called: frozenset[str], at: int) -> None:
    if not called:
        raise refused(_NOT_A_RESPONSE, None, at=f"[{at}].role")
    if message.tool_call_id not in called:
        raise refused(
            f"Invalid parameter: 'tool_call_id' of '{message.tool_call_id}' not found in "
            "'tool_calls' of previous message.",
            None,
            at=f"[{at}].tool_call_id",
        )


def _not_for(role: str, field: str) -> Exception:
    return refused(
        f"Invalid parameter: '{{param}}' is not allowed in a message with role '{role}'.",
        "invalid_value",
        at=field,
    )
