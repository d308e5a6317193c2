"""The pieces of an answer as OpenAI writes them, in a chunk's delta or in a whole message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallStarted,
    Content,
    Piece,
    Reasoning,
)

Json = Mapping[str, object]


def piece_delta(piece: Piece) -> Json:
    """Return the `delta` of one piece; a call's id and name come first, its arguments after."""
    match piece:
        case Reasoning(text):
            return {"reasoning_content": text}
        case Content(text):
            return {"content": text}
        case CallStarted():
            call = {"index": piece.index, **_call_json(piece, "")}
            return {"tool_calls": [call]}
        case CallArguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}
    return {}


def chat_message(pieces: Sequence[Piece]) -> Json:
    """Return the message of these pieces; its content is null when there are calls instead."""
    calls = [piece for piece in pieces if isinstance(piece, CallStarted)]
    content = text_of(pieces)
    message: dict[str, object] = {
        "role": "assistant",
        "content": content if content or not calls else None,
        "refusal": None,
    }
    reasoning = "".join(piece.text for piece in pieces if isinstance(piece, Reasoning))
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [_call_json(call, _arguments(pieces, call)) for call in calls]
    return message


def text_of(pieces: Iterable[Piece]) -> str:
    """Return the content of these pieces."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Content))


def _arguments(pieces: Iterable[Piece], call: CallStarted) -> str:
    found = (piece for piece in pieces if isinstance(piece, CallArguments))
    return "".join(piece.text for piece in found if piece.index == call.index)


def _call_json(call: CallStarted, arguments: str) -> Json:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}
