"""A stream put together again is the whole answer, whatever the model says and how it is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.answer import AnswerRules
from frontend_api.domain.generation import Delta, Timing, Token, ToolUse, Usage
from frontend_api.domain.model import ServedModel
from frontend_api.web.chunks import CHAT, TEXT, Completion, Shape, new_head
from frontend_api.web.detailed import DetailedCompletion
from frontend_api.web.details import Details
from tests.unit.frontend.parsing import PLACES, counted_ids, cut_at, some_text
from tests.web.running import Json, events

CALL = '<tool_call>{"name": "f", "arguments": {"a": [1, "b"]}}</tool_call>'
FRAGMENTS = ("<think>", "</think>", "\n", " ", "<tool_call>", CALL, "hé", "🐚", "{")
NO_TIME = Timing(None, None, None)
HEAD = {"id": "x", "created": 1, "model": "demo"}
PLAIN = Details()
REASONS = st.sampled_from(["stop", "length"])


def detailed(use: ToolUse | None) -> Details:
    rules = AnswerRules(True, "hermes", use, counted_ids())
    return Details(rules=rules, num_top_log_probs=0, has_token_ids=True)


def details(kind: str) -> Details:
    match kind:
        case "plain":
            return Details(num_top_log_probs=0, has_token_ids=True)
        case "auto":
            return detailed(ToolUse(frozenset({"f"})))
        case "single":
            return detailed(ToolUse(frozenset({"f"}), is_parallel=False))
        case _:
            return detailed(ToolUse(frozenset({"f"}), is_forced=True))


def deltas_of(parts: list[str], reason: str) -> list[Delta]:
    last = len(parts) - 1
    return [
        Delta(0, part, 1, reason if at == last else None, (Token(at, part.encode(), -1.0),))
        for at, part in enumerate(parts)
    ]


def assembled(shape: Shape, stream: bytes) -> Json:
    """Return the choice that a client of OpenAI's would put together."""
    choice: Json = {"finish_reason": None}
    for event in events(stream):
        assert isinstance(event, dict)
        (piece,) = event["choices"]
        _add(choice, piece["delta"] if shape is CHAT else {"text": piece["text"]})
        choice.setdefault("token_ids", []).extend(piece.get("token_ids", ()))
        choice.setdefault("log_probs", []).extend((piece["logprobs"] or {}).get("content", ()))
        choice["finish_reason"] = piece["finish_reason"] or choice["finish_reason"]
    return choice


def _add(choice: Json, delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name != "tool_calls":
            choice[name] = choice.get(name, "") + value
            continue
        (call,) = value
        calls = choice.setdefault("tool_calls", [])
        if "id" in call:
            calls.append({"id": call["id"], "type": call["type"], **call["function"]})
        else:
            calls[call["index"]]["arguments"] += call["function"]["arguments"]


def flat(choice: Json) -> Json:
    """Return a whole choice in the form of an assembled one."""
    message = choice["message"]
    made = message.get("tool_calls", ())
    calls = [{"id": call["id"], "type": call["type"], **call["function"]} for call in made]
    return {
        "finish_reason": choice["finish_reason"],
        "role": message["role"],
        "content": message["content"] or "",
        "token_ids": choice["token_ids"],
        "log_probs": (choice["logprobs"] or {}).get("content", []),
        **({"tool_calls": calls} if calls else {}),
        **{k: v for k, v in message.items() if k == "reasoning_content"},
    }


@pytest.mark.parametrize("kind", ["plain", "auto", "single", "forced"])
@given(text=some_text(*FRAGMENTS), places=PLACES, reason=REASONS)
def test_a_chat_stream_assembles_to_the_whole(
    kind: str, text: str, places: list[int], reason: str
) -> None:
    parts = deltas_of(cut_at(text, places), reason)
    streaming = DetailedCompletion(CHAT, HEAD, 1, details(kind), Usage())
    gathering = DetailedCompletion(CHAT, HEAD, 1, details(kind), Usage())
    streaming.prepare_chunks(False)

    stream = streaming.opening() + b"".join(streaming.chunks([part]) for part in parts)
    gathering.take(parts)
    (whole,) = json.loads(gathering.whole(Usage(), NO_TIME))["choices"]

    assert assembled(CHAT, stream) == flat(whole)
    assert streaming.reasoning_tokens == gathering.reasoning_tokens


@pytest.mark.parametrize("shape", [CHAT, TEXT], ids=["chat", "text"])
@given(text=st.text(max_size=30), places=PLACES, reason=REASONS)
def test_plain_and_detailed_answers_are_the_same(
    shape: Shape, text: str, places: list[int], reason: str
) -> None:
    parts = [part._replace(tokens=()) for part in deltas_of(cut_at(text, places), reason)]
    plain = Completion(shape, HEAD, 1)
    detail = DetailedCompletion(shape, HEAD, 1, PLAIN, Usage())
    streams = []
    for completion in (plain, detail):
        completion.prepare_chunks(True)
        completion.take(())
        streams.append([_sorted(e) for e in events(completion.chunks(parts))])

    plain.take(parts)

    assert streams[0] == streams[1]
    whole = json.loads(plain.whole(Usage(), NO_TIME))["choices"][0]
    said = whole["message"]["content"] if shape is CHAT else whole["text"]
    assert (said, whole["finish_reason"]) == (text, reason)


def _sorted(event: object) -> str:
    return json.dumps(event, sort_keys=True)


def test_the_fingerprint_is_the_same_for_the_same_build_of_a_model_and_no_other() -> None:
    one, other = ServedModel("m", created=1), ServedModel("m", created=2)
    prints = [new_head(CHAT, model, 0)["system_fingerprint"] for model in (one, one, other)]

    assert prints[0] == prints[1]
    assert prints[0] != prints[2]
