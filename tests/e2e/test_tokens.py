"""/tokenize and /detokenize against the tokenizer of the bundled model."""

from typing import Any

import httpx
import pytest

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is Conch?"}]


async def tokens(http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await http.post("/tokenize", json={"model": "demo", **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def text_of(http: httpx.AsyncClient, ids: list[int]) -> str:
    answer = await http.post("/detokenize", json={"model": "demo", "tokens": ids})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["prompt"])


@pytest.mark.parametrize("text", ["Conch gives Triton a voice.", "日本語 🐚 é", "  two\n\nlines\t"])
async def test_a_text_comes_back_from_its_tokens(http: httpx.AsyncClient, text: str) -> None:
    found = await tokens(http, prompt=text, add_special_tokens=False)

    assert found["count"] == len(found["tokens"])
    assert found["max_model_len"] > 0
    assert await text_of(http, found["tokens"]) == text


async def test_a_conversation_counts_as_many_tokens_as_its_answer_is_billed_for(
    http: httpx.AsyncClient,
) -> None:
    found = await tokens(http, messages=TURNS)
    asked = {"model": "demo", "messages": TURNS, "max_tokens": 1}
    usage = (await http.post("/v1/chat/completions", json=asked)).json()["usage"]

    assert found["count"] == usage["prompt_tokens"]


async def test_without_the_assistants_opening_a_conversation_is_a_prefix(
    http: httpx.AsyncClient,
) -> None:
    whole = (await tokens(http, messages=TURNS))["tokens"]
    closed = (await tokens(http, messages=TURNS, add_generation_prompt=False))["tokens"]

    assert len(closed) < len(whole)
    assert whole[: len(closed)] == closed


async def test_the_texts_of_the_tokens_join_to_the_prompt(http: httpx.AsyncClient) -> None:
    found = await tokens(http, prompt="Conch gives Triton a voice.", return_token_strs=True)

    assert len(found["token_strs"]) == found["count"]
    assert "".join(found["token_strs"]) == "Conch gives Triton a voice."


async def test_an_empty_text_has_no_tokens_to_speak_of(http: httpx.AsyncClient) -> None:
    found = await tokens(http, prompt="", add_special_tokens=False)

    assert (found["count"], found["tokens"]) == (0, [])


async def test_an_id_beyond_the_vocabulary_is_refused_by_name(http: httpx.AsyncClient) -> None:
    answer = await http.post("/detokenize", json={"model": "demo", "tokens": [10**9]})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "tokens"
