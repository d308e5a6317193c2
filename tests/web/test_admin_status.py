"""/admin/status: one look tells how the server is, to programs and to people."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from frontend_api.domain.generation import Accepted
from tests.web.description import Description
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, words
from tests.web.keyed import KEYS, bearer, keyed_app
from tests.web.running import ask, running_app

URL = "/admin/status"
AS_PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """The names of all elements, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)

    def handle_data(self, text: str) -> None:
        self.texts.append(text.strip())


async def test_it_tells_models_queue_store_keys_and_versions() -> None:
    async with keyed_app(generator=FakeGenerator([Accepted(3), *words("Good")])) as (_, client):
        await client.post("/v1/chat/completions", json=ask(), headers=bearer(KEYS["chat"]))
        answer = await client.get(URL, headers=bearer(KEYS["admin"]))

    told = answer.json()
    assert answer.status_code == 200
    assert told["ready"]
    assert "demo" in {model["id"] for model in told["models"]}
    assert {"model": "demo", "running": 0, "waiting": 0} in told["queue"]
    assert told["store"] == {"state": "ok", "writes_waiting": 0}
    assert told["keys"] == {"active": len(KEYS) - 1, "revoked": 1}
    assert {"conch", "python", "quart"} <= set(told["versions"])


async def test_only_admins_may_see_it() -> None:
    async with keyed_app() as (_, client):
        statuses = [
            (await client.get(URL, headers=bearer(KEYS[name]))).status_code
            for name in ("chat", "sessions", "metrics", "admin")
        ]

    assert statuses == [403, 403, 403, 200]


async def test_a_program_gets_json_as_it_is_documented() -> None:
    async with keyed_app() as (_, client):
        says = Description((await client.get("/openapi.json")).json())
        operation = next(each for each in says.operations if each.path == URL)
        answer = await client.get(URL, headers=bearer(KEYS["admin"]))

    assert answer.headers["content-type"] == "application/json"
    assert says.faults_of_answer(operation, answer) == []


async def test_a_browser_gets_a_page_in_which_a_model_s_words_are_only_words() -> None:
    broken = replace(DEMO, state="failed", reason=EVIL)
    async with running_app(catalogue=FakeCatalogue(broken)) as client:
        answer = await client.get(URL, headers=AS_PAGE)
        page = await answer.get_data(as_text=True)

    assert answer.mimetype == "text/html"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert {"script", "style"} & Tags(page).names == set()
    assert EVIL in Tags(page).texts
    assert "Conch is not ready" in page
