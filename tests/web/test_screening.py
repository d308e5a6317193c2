"""Rules about what may be said, in every dialect, and as their file changes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from frontend_api.adapters.blocklist_file import BlocklistFile
from frontend_api.domain.errors import BackendLost, ContextTooLong
from frontend_api.domain.generation import Accepted
from frontend_api.settings import Settings, SettingsError
from frontend_api.wiring import rules_of
from tests.web.fakes import FakeGenerator, words
from tests.web.running import Json, ask, events, running_app, served, settings

RULES = r"""
[[rule]]
name = "bombs"
pattern = '(?i)bombs?'
where = "prompt"
action = "refuse"

[[rule]]
name = "names"
pattern = 'Alice'
action = "mask"
mask = "[name]"

[[rule]]
name = "passwords"
pattern = 'password'
where = "answer"
action = "refuse"
"""
NO_RULES = "rule = []"
DIALECTS: list[tuple[str, Any]] = [
    ("/v1/chat/completions", ask),
    ("/v1/chat/completions", lambda text: ask(text, store=True)),
    ("/v1/completions", lambda text: {"model": "demo", "prompt": text}),
    ("/v1/completions", lambda text: {"model": "demo", "prompt": [ord(each) for each in text]}),
    ("/v1/responses", lambda text: {"model": "demo", "input": text}),
    ("/v1/responses", lambda text: {"model": "demo", "input": "x", "instructions": text}),
    ("/chat/completions", lambda text: {"model-name": "demo", "prompt": text}),
    ("/completions", lambda text: {"model": "demo", "prompt": text}),
]


@pytest.fixture
def ruled(tmp_path: Path) -> Settings:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return settings(security={"blocklist_path": str(path)})


def says(*texts: str) -> FakeGenerator:
    return FakeGenerator([Accepted(1), *words(*texts)])


@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_a_refused_prompt_does_not_reach_the_model(
    path: str, body: Any, ruled: Settings
) -> None:
    generator = says("Hi")
    async with running_app(generator, chosen=ruled) as client:
        refused = await client.post(path, json=body("how to build Bombs"))
        error = (await refused.get_json())["error"]
        answered = await client.post(path, json=body("hello"))

    assert (refused.status_code, error["code"]) == (400, "content_filter")
    assert "bomb" not in error["message"].lower()
    assert answered.status_code == 200
    assert len(generator.requests) == 1


@pytest.mark.parametrize("body", [ask("I am Alice"), ask("I am Alice", stream=True)])
async def test_a_masked_prompt_reaches_the_model_masked(body: Json, ruled: Settings) -> None:
    generator = says("Hi")
    async with running_app(generator, chosen=ruled) as client:
        await (await client.post("/v1/chat/completions", json=body)).get_data()

    assert "I am [name]" in str(generator.requests[0].prompt)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_an_answer_is_masked_across_its_deltas(
    path: str, body: Any, stream: bool, ruled: Settings
) -> None:
    asked = {**body("hello"), **({"stream": True} if stream else {})}
    async with running_app(says("Hello A", "li", "ce, and Al", "bert"), chosen=ruled) as client:
        said = await (await client.post(path, json=asked)).get_data(as_text=True)

    assert "Alice" not in said.replace('"', "")
    assert "[name]" in said
    assert "bert" in said


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_answer_ends_before_the_match(stream: bool, ruled: Settings) -> None:
    generator = FakeGenerator([Accepted(1), *words("The pass", "word is 1234", "5")])
    async with running_app(generator, chosen=ruled) as client:
        answer = await client.post("/v1/chat/completions", json=ask(stream=stream))
        said = await answer.get_data(as_text=True)

    assert answer.status_code == 200
    assert '"finish_reason":"content_filter"' in said
    assert "The " in said
    assert not {"word", "1234", "pass"} & set(said.replace('"', " ").split())
    assert generator.num_open == 0


async def test_what_is_stored_is_what_was_told(ruled: Settings) -> None:
    async with running_app(says("It is Ali", "ce's pass", "word: 1234"), chosen=ruled) as client:
        body = {"model": "demo", "input": "hello"}
        told = await (await client.post("/v1/responses", json=body)).get_json()
        kept = await (await client.get(f"/v1/responses/{told['id']}")).get_json()

    assert told["status"] == kept["status"] == "incomplete"
    assert kept["incomplete_details"] == {"reason": "content_filter"}
    assert told["output"] == kept["output"]
    assert kept["output"][0]["content"][0]["text"] == "It is [name]'s "


async def test_a_refusal_by_the_model_is_no_beginning_of_an_answer(ruled: Settings) -> None:
    refusing = FakeGenerator([ContextTooLong("The prompt is too long.")])
    async with running_app(refusing, chosen=ruled) as client:
        response = await client.post("/v1/chat/completions", json=ask(stream=True))

    assert response.status_code == 400


async def test_what_is_held_back_when_the_model_fails_is_told_first(ruled: Settings) -> None:
    steps = [Accepted(1), *words("so far Al", "")[:1], BackendLost("gone")]
    async with running_app(FakeGenerator(steps), chosen=ruled) as client:
        answer = await client.post("/v1/chat/completions", json=ask(stream=True))
        said = await answer.get_data(as_text=True)

    *told, error, _ = events(said)
    choices = [each["choices"][0] for each in told if isinstance(each, dict)]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "so far Al"
    assert {choice["finish_reason"] for choice in choices} == {None}
    assert isinstance(error, dict)
    assert error["error"]["code"] == "backend_unavailable"


async def test_only_the_choice_that_broke_a_rule_is_ended(ruled: Settings) -> None:
    generator = FakeGenerator(
        [Accepted(1), *words("password", "x", index=0), *words("fine", index=1)]
    )
    async with running_app(generator, chosen=ruled) as client:
        answer = await client.post("/v1/chat/completions", json=ask(n=2))
        choices = (await answer.get_json())["choices"]

    assert [choice["finish_reason"] for choice in choices] == ["content_filter", "stop"]
    assert [choice["message"]["content"] for choice in choices] == ["", "fine"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/chat/ws", {"model-name": "demo", "prompt": "bomb"}),
        ("/v1/responses", {"type": "response.create", "model": "demo", "input": "bomb"}),
    ],
)
async def test_sockets_keep_the_rules_too(path: str, message: Json, ruled: Settings) -> None:
    async with (
        served(says("Hi"), ruled) as running,
        connect(f"ws://127.0.0.1:{running.port}{path}", proxy=None) as socket,
    ):
        await socket.send(json.dumps(message))
        answer = str(await socket.recv())

    assert "refused by the content rules" in answer


async def test_letters_written_as_numbers_are_read_as_the_model_reads_them(
    ruled: Settings,
) -> None:
    call = {"name": "say", "arguments": r'{"text": "\u0062omb"}'}
    messages = [
        {"role": "user", "content": "Go on"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    async with running_app(says("Hi"), chosen=ruled) as client:
        refused = await client.post(
            "/v1/chat/completions", json={"model": "demo", "messages": messages}
        )

    assert (await refused.get_json())["error"]["code"] == "content_filter"


async def test_a_prompt_that_the_rules_are_slow_with_is_refused_and_others_are_served(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\nname = 'mail'\npattern = '[\\w.]+@[\\w.]+'\naction = 'mask'")
    # Quick enough each alone; all of them would take a minute.
    slow = {"role": "user", "content": "a" * 2000 + " @"}
    ruled = settings(security={"blocklist_path": str(path)})
    async with running_app(says("Hi"), chosen=ruled) as client:
        body = {"model": "demo", "messages": [slow] * 400}
        asked = asyncio.create_task(client.post("/v1/chat/completions", json=body))
        num_served = 0
        while not asked.done():
            assert (await client.get("/health")).status_code == 200
            num_served += 1
        refused = await asked
        error = (await refused.get_json())["error"]

    # Clients try a 500 again, and the text would be as slow again.
    assert (refused.status_code, error["code"]) == (400, "content_rules_failed")
    assert num_served > 1


async def test_a_changed_file_is_heeded_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(NO_RULES)
    source = BlocklistFile(path, look_s=0.01)
    async with source.running():
        assert source.current.for_prompts == ()
        path.write_text(RULES)
        await _until(lambda: len(source.current.for_prompts) == 2)
        before = source.current
        path.write_text("[[rule]]\nname = 3")
        seen = path.stat().st_mtime_ns
        await _until(lambda: source._seen[0] == seen)

        assert source.current is before


async def test_a_file_that_is_being_written_is_heeded_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    source = BlocklistFile(path, look_s=0.05)
    whole = source.current
    async with source.running():
        path.write_text("")
        emptied = path.stat().st_mtime_ns
        await _until(lambda: source._seen[0] == emptied)
        assert source.current is whole

        first, *others = RULES.split("\n\n")
        with path.open("w") as file:
            for part in (first, *others):
                # Each a file of its own that could be read, and none that rests.
                file.write(f"{part}\n\n")
                file.flush()
                await asyncio.sleep(0)
        await _until(lambda: source.current is not whole)
        assert len(source.current.for_prompts) == len(whole.for_prompts)

        path.write_text(NO_RULES)
        await _until(lambda: source.current.for_prompts == ())


async def test_after_a_file_that_nothing_can_read_the_next_is_heeded(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(NO_RULES)
    source = BlocklistFile(path, look_s=0.01)
    async with source.running():
        deep = "(" * 5000 + "x" + ")" * 5000
        path.write_text(f"[[rule]]\nname = 'deep'\npattern = '{deep}'\naction = 'mask'")
        seen = path.stat().st_mtime_ns
        await _until(lambda: source._seen[0] == seen)
        path.write_text(RULES)

        await _until(lambda: len(source.current.for_prompts) == 2)


async def _until(is_true: Any) -> None:
    async with asyncio.timeout(10):
        while True:
            if is_true():
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: No such file or directory."),
        ("[[rule]", "is not valid TOML"),
        ("", "has a fault in rule: Field required"),
        ("[[rule]]\nname = 'x'\npattern = 'x'\naction = 'cut'", "has a fault in rule.0.action"),
        ("[[rule]]\nname = 'x'\npattern = '('\naction = 'mask'", "The rule 'x' of the blocklist"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    text: str | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.toml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(SettingsError, match=sentence.replace(".", r"\.")):
        rules_of(settings(security={"blocklist_path": str(path)}).security)


async def test_without_rules_the_model_s_own_stream_is_read() -> None:
    async with served(says("Hi")) as running:
        answer = await running.client.post("/v1/chat/completions", json=ask("bomb"))

    assert isinstance(answer, httpx.Response)
    assert answer.status_code == 200
