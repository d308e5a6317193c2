"""POST /tokenize and /detokenize: vLLM's shapes over the models' own tokenizers."""

from typing import Any

import orjson
import pytest

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.generation import ChatMessage, ChatPrompt, TextPrompt
from frontend_api.domain.model import ServedModel
from frontend_api.service.tokens import MAX_TEXTS, TokenizeRequest, Tokens
from tests.web.fake_tokenizer import BOS, EOS, FakeTokenizer
from tests.web.fakes import FakeCatalogue, all_models
from tests.web.running import running_app

TURNS = [{"role": "user", "content": "hi"}]
CHAT_IDS = list(map(ord, "user:hi|"))


async def post(url: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with running_app() as client:
        response = await client.post(url, json={"model": "demo", **body})
        return response.status_code, await response.get_json()


async def tokenized(tokenizer: FakeTokenizer, **asked: Any) -> Any:
    tokens = Tokens(all_models(FakeCatalogue()), tokenizer)
    return await tokens.tokenize(TokenizeRequest("demo", **asked))


async def prompt_of(**body: Any) -> Any:
    """Return the prompt that reaches the tokenizer."""
    tokenizer = FakeTokenizer()
    async with running_app(tokenizing=tokenizer) as client:
        response = await client.post("/tokenize", json={"model": "demo", **body})
        assert response.status_code == 200, await response.get_data()
    return tokenizer.prompts[0]


async def test_a_text_is_split_as_for_a_generation() -> None:
    status, answer = await post("/tokenize", prompt="ab")

    assert status == 200
    assert answer == {"count": 3, "max_model_len": 4096, "tokens": [BOS, 97, 98]}


async def test_a_conversation_is_split_as_its_template_writes_it() -> None:
    _, answer = await post("/tokenize", messages=TURNS)

    assert answer["tokens"] == CHAT_IDS


async def test_the_text_of_each_token_comes_if_asked_for() -> None:
    _, answer = await post("/tokenize", prompt="aba", return_token_strs=True)

    assert answer["token_strs"] == ["<s>", "a", "b", "a"]


async def test_ids_are_joined_to_text_with_special_tokens_printed() -> None:
    status, answer = await post("/detokenize", tokens=[BOS, 97, 98])

    assert (status, answer) == (200, {"prompt": "<s>ab"})


async def test_nothing_is_no_tokens_and_no_text() -> None:
    assert (await post("/detokenize", tokens=[]))[1] == {"prompt": ""}
    assert (await post("/tokenize", prompt="", add_special_tokens=False))[1]["count"] == 0


async def test_an_empty_prompt_that_the_model_refuses_is_no_tokens() -> None:
    found = await tokenized(FakeTokenizer(before=()), prompt=TextPrompt(""))

    assert list(found.ids) == []


@pytest.mark.parametrize(
    ("before", "after"), [((), ()), ((BOS,), ()), ((), (EOS,)), ((BOS,), (EOS,)), ((BOS,), (BOS,))]
)
async def test_special_tokens_are_taken_off_a_text_and_put_around_a_conversation(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    tokenizer = FakeTokenizer(before, after)
    turns = ChatPrompt((ChatMessage("user", "hi"),))

    text = await tokenized(tokenizer, prompt=TextPrompt("ab"), has_special_tokens=False)
    chat = await tokenized(tokenizer, prompt=turns, has_special_tokens=True)

    assert list(text.ids) == [97, 98]
    assert list(chat.ids) == [*before, *CHAT_IDS, *after]


async def test_whether_the_assistants_turn_is_opened_is_a_variable_of_the_template() -> None:
    prompt = await prompt_of(
        messages=TURNS, add_generation_prompt=False, chat_template_kwargs={"thinking": True}
    )

    assert orjson.loads(prompt.template_kwargs) == {
        "thinking": True,
        "add_generation_prompt": False,
    }


async def test_tools_are_part_of_the_conversation() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

    prompt = await prompt_of(messages=TURNS, tools=[tool])

    assert orjson.loads(prompt.tools) == [tool]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": "a", "messages": TURNS}, "prompt", "invalid_value"),
        ({"prompt": "a", "add_generation_prompt": True}, "add_generation_prompt", "invalid_value"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"prompt": "a", "extra": 1}, "extra", "unknown_parameter"),
        (
            {"messages": TURNS, "chat_template_kwargs": {"a": orjson.loads("[" * 300 + "]" * 300)}},
            None,
            "json_too_deep",
        ),
        ({"messages": TURNS, "chat_template": "x"}, "chat_template", "unsupported_parameter"),
        (
            {"messages": TURNS, "continue_final_message": True},
            "continue_final_message",
            "unsupported_parameter",
        ),
    ],
)
async def test_a_wrong_body_is_refused_by_name(
    body: dict[str, Any], param: str | None, code: str
) -> None:
    status, answer = await post("/tokenize", **body)

    assert status == 400
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)


@pytest.mark.parametrize("ids", [[-1], ["a"], [1.5], [True], [2**31], "abc"])
async def test_what_is_no_token_id_is_refused(ids: object) -> None:
    status, answer = await post("/detokenize", tokens=ids)

    assert status == 400
    assert answer["error"]["param"].startswith("tokens")


async def test_an_id_the_model_does_not_have_is_refused() -> None:
    status, answer = await post("/detokenize", tokens=[2**30])

    assert (status, answer["error"]["param"]) == (400, "tokens")


@pytest.mark.parametrize(
    ("url", "body"), [("/tokenize", {"prompt": "a"}), ("/detokenize", {"tokens": []})]
)
async def test_an_unknown_model_is_a_404(url: str, body: dict[str, Any]) -> None:
    status, answer = await post(url, **{"model": "other", **body})

    assert (status, answer["error"]["code"]) == (404, "model_not_found")


async def test_a_model_that_is_not_ready_is_a_503() -> None:
    catalogue = FakeCatalogue(ServedModel("demo", state="failed", reason="it failed to load"))
    async with running_app(catalogue=catalogue) as client:
        response = await client.post("/tokenize", json={"model": "demo", "prompt": "a"})

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


async def test_the_text_of_too_many_different_tokens_is_refused() -> None:
    text = "".join(map(chr, range(100, 101 + MAX_TEXTS)))

    with pytest.raises(BadRequest) as refusal:
        await tokenized(FakeTokenizer(), prompt=TextPrompt(text), has_texts=True)

    assert refusal.value.param == "return_token_strs"
