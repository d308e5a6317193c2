"""What an answer tells beyond its text: reasoning, log probs, token ids, usage, timing."""

import pytest

from frontend_api.domain.generation import Accepted, Delta, Token
from tests.web.fakes import DEMO, TALKER, FakeCatalogue, FakeGenerator, Step, words
from tests.web.running import Json, ask, events, running_app

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"


def spelled(*texts: str, reason: str = "stop") -> Delta:
    """Return one delta of these tokens, merged as the backend does for a slow reader."""
    tokens = tuple(Token(at, text.encode(), -0.5) for at, text in enumerate(texts, 1))
    return Delta(0, "".join(texts), len(tokens), reason, tokens)


async def post(url: str, body: Json, steps: list[Step], reasoner: bool = False) -> Json:
    catalogue = FakeCatalogue(TALKER if reasoner else DEMO)
    async with running_app(FakeGenerator(steps), catalogue) as client:
        response = await client.post(url, json=body)
        answer: Json = await response.get_json()
    assert response.status_code == 200, answer
    return answer


async def stream(url: str, body: Json, steps: list[Step], reasoner: bool = False) -> list[Json]:
    catalogue = FakeCatalogue(TALKER if reasoner else DEMO)
    async with running_app(FakeGenerator(steps), catalogue) as client:
        response = await client.post(url, json={**body, "stream": True})
        found = events(await response.get_data(as_text=False))
    assert found[-1] == "[DONE]"
    return [event for event in found if isinstance(event, dict)]


async def test_reasoning_is_apart_from_the_content_and_its_tokens_are_counted() -> None:
    said = spelled("<think>", "hm", "</think>", "\n\n", "Hi", "!")
    answer = await post(CHAT, ask(), [said], reasoner=True)

    message = answer["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "Hi!")
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4
    assert answer["usage"]["completion_tokens"] == 6


async def test_reasoning_is_streamed_as_it_comes() -> None:
    steps: list[Step] = [
        spelled(text)._replace(finish_reason=None) for text in ("<think>", "a", "b", "</think>")
    ]
    body = ask(stream_options={"include_usage": True})
    chunks = await stream(CHAT, body, [*steps, spelled("x")], reasoner=True)

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert "".join(d.get("reasoning_content", "") for d in deltas) == "ab"
    assert "".join(d.get("content", "") for d in deltas) == "x"
    assert chunks[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4


async def test_an_answer_that_does_not_reason_has_no_reasoning_tokens() -> None:
    answer = await post(CHAT, ask(), [spelled("Hi")], reasoner=True)

    assert "reasoning_content" not in answer["choices"][0]["message"]
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


async def test_tags_are_text_for_a_model_that_does_not_reason() -> None:
    answer = await post(CHAT, ask(), [spelled("<think>", "a", "</think>")])

    assert answer["choices"][0]["message"]["content"] == "<think>a</think>"


async def test_effort_reaches_the_template() -> None:
    generator = FakeGenerator(words("x"))
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        body = ask(reasoning_effort="none", chat_template_kwargs={"a": 1})
        await client.post(CHAT, json=body)

    prompt = generator.requests[0].prompt
    expected = '{"reasoning_effort":"none","enable_thinking":false,"a":1}'
    assert getattr(prompt, "template_kwargs", "") == expected


async def test_a_chat_tells_the_log_prob_of_each_token_with_its_bytes() -> None:
    half = Token(7, b"\xc3", float("-inf"))
    said = Delta(0, "hé", 3, "stop", (Token(5, b"h", -0.25), half, Token(8, b"\xa9", 1e-7)))
    answer = await post(CHAT, ask(logprobs=True), [said])

    content = answer["choices"][0]["logprobs"]["content"]
    assert answer["choices"][0]["logprobs"]["refusal"] is None
    assert content == [
        {"token": "h", "logprob": -0.25, "bytes": [104], "top_logprobs": []},
        {"token": "\ufffd", "logprob": -9999.0, "bytes": [195], "top_logprobs": []},
        {"token": "\ufffd", "logprob": 0.0, "bytes": [169], "top_logprobs": []},
    ]


async def test_streamed_log_probs_come_once_each_and_none_is_lost() -> None:
    held = Delta(0, "", 1, None, (Token(1, b"a", -1.0),))
    last = Delta(0, "", 1, "stop", (Token(3, b"", -3.0),))
    steps: list[Step] = [held, Delta(0, "ab", 1, None, (Token(2, b"b", -2.0),)), last]
    chunks = await stream(CHAT, ask(logprobs=True), steps)

    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    values = [one["logprob"] for part in told if part for one in part["content"]]
    assert values == [-1.0, -2.0, -3.0]


async def test_a_completion_tells_tokens_log_probs_and_offsets() -> None:
    said = Delta(
        0, "héy", 3, "stop", (Token(1, b"h", -1), Token(2, b"\xc3\xa9", -2), Token(3, b"y", -3))
    )
    body = {"model": "demo", "prompt": "p", "logprobs": 1, "temperature": 0}
    answer = await post(TEXT, body, [said])

    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["h", "é", "y"],
        "token_logprobs": [-1.0, -2.0, -3.0],
        "top_logprobs": [{"h": -1.0}, {"é": -2.0}, {"y": -3.0}],
        "text_offset": [0, 1, 2],
    }


async def test_offsets_go_on_from_chunk_to_chunk() -> None:
    steps: list[Step] = [
        Delta(0, "ab", 1, None, (Token(1, b"ab", -1.0),)),
        Delta(0, "c", 1, "stop", (Token(2, b"c", -1.0),)),
    ]
    chunks = await stream(TEXT, {"model": "demo", "prompt": "p", "logprobs": 0}, steps)

    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [offset for part in told if part for offset in part["text_offset"]] == [0, 2]
    assert all(part["top_logprobs"] is None for part in told if part)


async def test_alternatives_are_told_where_the_engine_gives_them() -> None:
    model = TALKER.__class__("demo", capabilities=frozenset({"log_probs", "top_log_probs"}))
    other = b'[{"token":"b","logprob":-1.5,"bytes":[98]}]'
    said = Delta(0, "a", 1, "stop", (Token(1, b"a", -0.5, other),))
    async with running_app(FakeGenerator([said]), FakeCatalogue(model)) as client:
        body = ask(logprobs=True, top_logprobs=1)
        answer = await (await client.post(CHAT, json=body)).get_json()

    (token,) = answer["choices"][0]["logprobs"]["content"]
    assert token["top_logprobs"] == [{"token": "b", "logprob": -1.5, "bytes": [98]}]


async def test_a_completion_tells_the_likeliest_and_the_chosen_token() -> None:
    model = TALKER.__class__("demo", capabilities=frozenset({"log_probs", "top_log_probs"}))
    other = b'[{"token":"b","logprob":-0.25,"bytes":[98]}]'
    said = Delta(0, "a", 1, "stop", (Token(1, b"a", -1.5, other),))
    generator = FakeGenerator([said])
    async with running_app(generator, FakeCatalogue(model)) as client:
        body = {"model": "demo", "prompt": "p", "logprobs": 1}
        answer = await (await client.post(TEXT, json=body)).get_json()

    assert answer["choices"][0]["logprobs"]["top_logprobs"] == [{"b": -0.25, "a": -1.5}]
    assert [request.top_log_probs for request in generator.requests] == [1]


async def test_the_likeliest_token_beside_a_drawn_one_is_refused_where_none_is_told() -> None:
    model = TALKER.__class__("demo", capabilities=frozenset({"log_probs"}))
    async with running_app(FakeGenerator([]), FakeCatalogue(model)) as client:
        body = {"model": "demo", "prompt": "p", "logprobs": 1}
        answer = await (await client.post(TEXT, json=body)).get_json()

    assert (answer["error"]["param"], answer["error"]["code"]) == (
        "logprobs",
        "unsupported_parameter",
    )


async def test_token_ids_are_told_when_asked_for() -> None:
    body = {"model": "demo", "prompt": [4, 5], "return_token_ids": True}
    answer = await post(TEXT, body, [spelled("a", "b")])

    choice = answer["choices"][0]
    assert (choice["prompt_token_ids"], choice["token_ids"]) == ([4, 5], [1, 2])


async def test_the_best_by_mean_log_prob_are_kept_for_each_prompt() -> None:
    def tried(index: int, log_prob: float) -> Delta:
        return Delta(index, f"c{index}", 1, "stop", (Token(1, b"c", log_prob),))

    steps: list[Step] = [Accepted(1), tried(0, -3.0), tried(1, -1.0), tried(2, -2.0)]
    body = {"model": "demo", "prompt": ["p", "q"], "best_of": 3, "n": 2}
    answer = await post(TEXT, body, steps)

    assert [choice["text"] for choice in answer["choices"]] == ["c1", "c2", "c1", "c2"]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert all(choice["logprobs"] is None for choice in answer["choices"])
    assert answer["usage"]["completion_tokens"] == 6


async def test_echo_is_asked_of_the_backend() -> None:
    generator = FakeGenerator(words("hi there"))
    async with running_app(generator) as client:
        await client.post(TEXT, json={"model": "demo", "prompt": "hi", "echo": True})

    assert generator.requests[0].echo


async def test_usage_tells_cached_tokens_once_for_each_prompt_and_the_timing() -> None:
    steps: list[Step] = [
        Accepted(9),
        Delta(0, "a", 1, "stop", num_cached_tokens=8),
        Delta(1, "b", 1, "stop", num_cached_tokens=8),
    ]
    answer = await post(CHAT, ask(n=2), steps)

    usage = answer["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 8
    assert set(usage["x_conch"]) == {"queue_ms", "ttft_ms", "tokens_per_second"}
    assert all(value >= 0 for value in usage["x_conch"].values())


async def test_continuous_usage_counts_up_to_the_final_usage() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    steps: list[Step] = [Accepted(5), *words("a", "b", "c")]
    *chunks, final = await stream(CHAT, ask(stream_options=options), steps)

    so_far = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk["usage"]]
    assert so_far == sorted(so_far)
    assert so_far[-1] == final["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("url", [CHAT, TEXT])
async def test_an_answer_carries_the_fingerprint_of_the_model_and_the_tier(url: str) -> None:
    body = ask(service_tier="auto") if url == CHAT else {"model": "demo", "prompt": "p"}
    answer = await post(url, body, words("x"))

    assert answer["system_fingerprint"].startswith("fp_")
    assert answer.get("service_tier") == ("default" if url == CHAT else None)
