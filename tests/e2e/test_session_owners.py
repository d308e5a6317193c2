"""Two owners, each with a key, before and after a restart: all is kept, for its owner alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from tests.e2e.session_state import CONVERSATIONS, tree_of
from tests.e2e.workers import Json, begun, got, told
from tests.web.responses_asked import URL, text_of

KEYS = {"ann": "sk-ann-0123456789", "bob": "sk-bob-0123456789"}
NAME, QUESTION = "My name is Ada.", "What is my name?"
ASKED: Json = {"model": "demo", "temperature": 0}


@dataclass(frozen=True)
class Kept:
    """A Conch that was stopped and started again, and what Ann's client saw before."""

    conch: Conch
    ended: Sequence[Json]
    cut: Sequence[Json]

    @property
    def response_id(self) -> str:
        return str(self.ended[0]["response"]["id"])

    @property
    def session_id(self) -> str:
        return str(self.ended[0]["response"]["conversation"]["id"])


@asynccontextmanager
async def client(conch: Conch, name: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEYS[name]}"}
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S, headers=headers) as http:
        yield http


@pytest.fixture(scope="module")
async def kept(
    arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Kept]:
    """Let Ann talk to a Conch, stop it in the middle of an answer, and start it again."""
    settings = {
        "CONCH_STORE__SQLITE_PATH": str(tmp_path_factory.mktemp("store") / "conch.db"),
        "CONCH_SECURITY__ENABLE_AUTH": "true",
        "CONCH_SECURITY__API_KEYS": json.dumps(
            [{"name": name, "key": key} for name, key in KEYS.items()]
        ),
    }
    with running_conch(*arguments, environ=settings) as conch:
        async with client(conch, "ann") as ann:
            async with begun(ann, **{**ASKED, "input": NAME}) as ended:
                await ended.rest()
            async with begun(ann, max_output_tokens=300, ignore_eos=True) as cut:
                await cut.read(3)
                assert await asyncio.to_thread(conch.end) == 0
                await cut.rest()
    with running_conch(*arguments, environ=settings) as conch:
        assert conch.url
        yield Kept(conch, ended.seen, cut.seen)


async def test_a_restart_keeps_every_event_and_the_memory(kept: Kept) -> None:
    async with client(kept.conch, "ann") as ann:
        again = await told(ann, kept.response_id)
        asked = {**ASKED, "input": QUESTION, "previous_response_id": kept.response_id}
        answer = (await ann.post(URL, json=asked)).json()

    assert again == kept.ended
    assert "Ada" in text_of(answer)


async def test_an_answer_that_a_stop_has_cut_is_kept_as_it_was_told(kept: Kept) -> None:
    last = kept.cut[-1]["response"]

    async with client(kept.conch, "ann") as ann:
        found = await told(ann, last["id"])

    assert last["incomplete_details"] == {"reason": "server_shutdown"}
    assert text_of(last) != ""
    assert found == kept.cut


async def test_foreign_ids_are_not_found_by_any_route(kept: Kept) -> None:
    wrong: list[object] = []

    async with client(kept.conch, "bob") as bob, client(kept.conch, "ann") as ann:
        item = (await tree_of(ann, kept.session_id))[0]["id"]
        ids = {
            "conversation_id": kept.session_id,
            "session_id": kept.session_id,
            "response_id": kept.response_id,
            "item_id": item,
        }
        for method, path, body in routes((await ann.get("/openapi.json")).json()):
            filled = path.format_map(ids)
            answer = await bob.request(method, filled, json=body)
            if answer.status_code != 404:
                wrong.append((method, filled, answer.status_code, answer.text))
            if method == "get" and (await ann.get(filled)).status_code != 200:
                wrong.append((method, filled, "Ann does not see it either"))
        for extra in foreign_bodies(ids):
            answer = await bob.post(URL, json={**ASKED, "input": "Hello", **extra})
            if answer.status_code != 404:
                wrong.append((extra, answer.status_code, answer.text))
        after = await got(ann, kept.response_id)

    assert wrong == []
    assert after == kept.ended[-1]["response"]


def routes(description: Json) -> Sequence[tuple[str, str, Json | None]]:
    """Return each route to one thing of a session, with an example body."""
    things = ("{conversation_id}", "{session_id}", "{response_id}")
    return [
        (
            method,
            path,
            operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example"),
        )
        for path, operations in description["paths"].items()
        if any(thing in path for thing in things)
        for method, operation in operations.items()
        # The web chat's page is the same for everybody; what it shows it asks for.
        if "text/html" not in operation["responses"].get("200", {}).get("content", {})
    ]


JSON = "application/json"


def foreign_bodies(ids: dict[str, str]) -> Sequence[Json]:
    """Return the ways in which a new response could name what belongs to somebody else."""
    return [
        {"previous_response_id": ids["response_id"]},
        {"conversation": ids["conversation_id"]},
        {"conversation": {"id": ids["conversation_id"]}},
        {"input": [{"type": "item_reference", "id": ids["item_id"]}]},
    ]


async def test_a_foreign_response_is_not_found_over_a_socket(kept: Kept) -> None:
    url = kept.conch.url.replace("http://", "ws://") + URL
    headers = {"authorization": f"Bearer {KEYS['bob']}"}
    errors = []

    async with (
        asyncio.timeout(LIMIT_S),
        connect(url, proxy=None, additional_headers=headers) as socket,
    ):
        for kind in ("response.resume", "response.cancel"):
            await socket.send(json.dumps({"type": kind, "response_id": kept.response_id}))
            errors.append(json.loads(await socket.recv()))

    assert {error["type"] for error in errors} == {"error"}
    assert {error["status"] for error in errors} == {404}


async def test_lists_and_searches_show_only_ones_own(kept: Kept) -> None:
    async with client(kept.conch, "bob") as bob, client(kept.conch, "ann") as ann:
        seen = []
        for http in (bob, ann):
            ids = (await http.get("/sessions")).json()
            listed = (await http.get(CONVERSATIONS)).json()["data"]
            found = (await http.get(f"{CONVERSATIONS}/search", params={"q": "Ada"})).json()["data"]
            seen.append((bool(ids), bool(listed), bool(found)))

    assert seen == [(False, False, False), (True, True, True)]
