"""A conversation as a document: JSON with all branches, or Markdown of the path in view.

The JSON can be imported again, here or elsewhere (web/wire_import.py reads it), and exported
from there it is the same: it holds no ids, messages refer to each other by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from frontend_api.domain.drafts import Draft, DraftMessage
from frontend_api.domain.generation import Usage
from frontend_api.domain.messages import Called, Ending, Item, Returned, Run, Said, Thought

Json: TypeAlias = Mapping[str, object]

FORMAT: Final = "conch.conversation"
VERSION: Final = 1
_UNTITLED: Final = "Conversation"
_NAMES: Final = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
}
_FENCES: Final = re.compile(r"`{3,}")


def export_json(draft: Draft) -> Json:
    """Return the whole conversation."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": draft.title,
        "title_source": draft.title_source,
        "is_pinned": draft.is_pinned,
        "metadata": dict(draft.metadata),
        "created_at": draft.created_at,
        "updated_at": draft.updated_at,
        "head": draft.head,
        "messages": [_message_json(each) for each in draft.messages],
    }


def export_markdown(draft: Draft) -> str:
    """Return what is in view, for people."""
    blocks = [f"# {' '.join(draft.title.split()) or _UNTITLED}"]
    for message in path_in_view(draft):
        for item in message.items:
            blocks += _blocks(item)
    return "\n\n".join(blocks) + "\n"


def path_in_view(draft: Draft) -> Sequence[DraftMessage]:
    """Return the messages from the first to the head."""
    path: list[DraftMessage] = []
    at = draft.head
    while at is not None:
        path.append(draft.messages[at])
        at = draft.messages[at].parent
    return path[::-1]


def _message_json(message: DraftMessage) -> Json:
    items = [] if message.is_deleted else [_item_json(item) for item in message.items]
    return {
        "parent": message.parent,
        "created_at": message.created_at,
        "is_deleted": message.is_deleted,
        "items": items,
        "response": None if message.run is None else _response_json(message.run),
    }


def _response_json(run: Run) -> Json:
    ending = run.ending
    return {
        "model": run.model,
        "status": run.status,
        **({} if ending is None else _ending_json(ending)),
    }


def _ending_json(ending: Ending) -> Json:
    return {
        "completed_at": ending.completed_at,
        "finish_reason": ending.finish_reason,
        "incomplete_reason": ending.reason,
        "error_code": ending.error_code,
        "error_message": ending.error_message,
        "usage": None if ending.usage is None else _usage_json(ending.usage),
    }


def _usage_json(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _item_json(item: Item) -> Json:
    match item:
        case Said(role, text):
            return {"type": "message", "role": role, "text": text}
        case Thought(text):
            return {"type": "reasoning", "text": text}
        case Called(call_id, name, arguments):
            call = {"call_id": call_id, "name": name, "arguments": arguments}
            return {"type": "function_call", **call}
        case Returned(call_id, output):
            return {"type": "function_call_output", "call_id": call_id, "output": output}


def _blocks(item: Item) -> Iterator[str]:
    match item:
        case Said(role, text):
            yield f"## {_NAMES[role]}"
            yield text.strip("\n")
        case Thought(text):
            yield "## Assistant, thinking"
            yield "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
        case Called(_, name, arguments):
            yield f"## Call of `{name}`"
            yield _fenced(arguments)
        case Returned(_, output):
            yield "## Result"
            yield _fenced(output)


def _fenced(text: str) -> str:
    """Return a code block that nothing in the text can end."""
    longest = max((len(run) for run in _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"
