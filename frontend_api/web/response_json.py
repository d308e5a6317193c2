"""A response as OpenAI writes it: a pure function of its message, running or ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import orjson

from frontend_api.domain.generation import Timing, Usage
from frontend_api.domain.messages import Ending, Message, Run, item_id, items_of
from frontend_api.web.chunks import timing_json
from frontend_api.web.item_types import ItemStatus
from frontend_api.web.items_json import item_json

Json: TypeAlias = Mapping[str, object]

# What an answer repeats of a request that said nothing of it: OpenAI's defaults. A response that
# was begun through another dialect has these.
DEFAULTS: Final[Json] = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def response_json(message: Message, *, is_saved: bool) -> Json:
    """Return the whole object; is_saved: whether all of it is in the store."""
    run = run_of(message)
    return {
        **_head(message, run, is_saved=is_saved),
        **ending_json(run.ending),
        "status": run.status,
        "output": _output(message, run),
    }


def opened_json(message: Message) -> Json:
    """Return the object as it was before the model said anything: it runs, and is empty."""
    run = run_of(message)
    # Its place in the store was durable before anybody heard of it.
    head = _head(message, run, is_saved=True)
    return {**head, **ending_json(None), "status": "in_progress", "output": []}


def run_of(message: Message) -> Run:
    """Return the run of a message that is a response."""
    if message.run is None:
        raise TypeError(f"{message.id} is no response")
    return message.run


def _head(message: Message, run: Run, *, is_saved: bool) -> Json:
    """Return what holds for the response from its beginning to its end."""
    said = orjson.loads(run.settings)
    settings = {name: said.get(name, default) for name, default in DEFAULTS.items()}
    is_stored = settings["store"] is True
    session_id = message.session_id if is_stored else None
    return {
        "id": message.id,
        "object": "response",
        "created_at": int(message.created_at),
        "model": run.model,
        **settings,
        "conversation": None if session_id is None else {"id": session_id},
        "x_conch": {
            "session_id": session_id,
            "parent_id": message.parent_id if is_stored else None,
            "saved": is_saved and is_stored,
            "num_dropped": run.num_dropped,
        },
    }


def ending_json(ending: Ending | None) -> Json:
    """Return how a response ended; None: it has not."""
    if ending is None:
        return {"completed_at": None, "error": None, "incomplete_details": None, "usage": None}
    has_failed, is_cut = ending.status == "failed", ending.status == "incomplete"
    return {
        "completed_at": int(ending.completed_at) if ending.status == "completed" else None,
        "error": {"code": ending.error_code, "message": ending.error_message}
        if has_failed
        else None,
        "incomplete_details": {"reason": ending.reason} if is_cut else None,
        "usage": None if ending.usage is None else _usage(ending.usage, ending.timing),
    }


def _output(message: Message, run: Run) -> Sequence[Json]:
    items = items_of(run.pieces)
    statuses: list[ItemStatus] = ["completed"] * len(items)
    if statuses and run.is_running:
        statuses[-1] = "in_progress"
    elif statuses and run.status != "completed":
        statuses[-1] = "incomplete"
    return [
        item_json(item_id(message, number, item), item, status)
        for (number, item), status in zip(enumerate(items), statuses, strict=True)
    ]


def _usage(usage: Usage, timing: Timing | None) -> Json:
    counts = {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    return counts if timing is None else {**counts, "x_conch": timing_json(timing)}
