"""No key, secret or hash in logs, metrics, answers or the database, whatever goes wrong."""

import io
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
import structlog

from frontend_api.adapters.mongo_driver import MongoAddress, close_client, open_client
from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.app import create_app
from frontend_api.domain.keys import hash_of
from frontend_api.logs import configure_logging, redacting
from frontend_api.web.openapi import methods_of
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, TINY, bearer, keyed_app, with_keys
from tests.web.running import ask, wired

STRANGE = "ck_0123456789ab_" + "c0ffee" * 10 + "cafe"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Log as a server does, into memory."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("debug", "json", [*KEYS.values()])
    structlog.configure(cache_logger_on_first_use=False)
    written = io.StringIO()
    cast("logging.StreamHandler[io.StringIO]", root.handlers[0]).setStream(written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def found_in(text: str, *secrets: str) -> list[str]:
    """Return which of these keys, their secrets and their hashes are in the text."""
    canaries = {*secrets, *KEYS.values(), STRANGE}
    canaries |= {each.rpartition("_")[2] for each in secrets}
    canaries |= {hash_of(each) for each in canaries}
    return [canary for canary in canaries if canary in text]


async def test_no_key_is_told_by_any_route_whatever_is_wrong(log: io.StringIO) -> None:
    told: list[str] = []
    async with keyed_app() as (app, client):
        order = {"name": "x", "scopes": ["chat", "sessions", "admin", "metrics"]}
        made = await client.post("/admin/keys", json=order, headers=bearer(KEYS["admin"]))
        key = made.json()["key"]
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<[^<>]+>", key, rule.rule)
            for method in (*methods_of(rule), "put"):
                for sent in (key, f"{key}0", STRANGE, KEYS["chat"]):
                    answer = await client.request(
                        method,
                        path,
                        headers={**bearer(sent), "x-request-id": sent},
                        params={"after": key, "key": key},
                        content=json.dumps({"model": key, key: key, "name": 3}),
                    )
                    told.append(answer.text)
        metrics = (await client.get("/metrics", headers=bearer(KEYS["metrics"]))).text

    assert log.getvalue().count('"event": "request"') > 300
    assert found_in(log.getvalue(), key) == []
    assert found_in(metrics, key) == []
    assert [text for text in told if found_in(text, key)] == []


async def test_the_database_has_no_key_and_the_hash_only_where_keys_are(tmp_path: Path) -> None:
    path = tmp_path / "conch.db"
    wiring = wired(FakeGenerator(words("Hi")), TINY, with_keys(), store=SqliteStore(path))
    app = create_app(wiring)
    async with app.test_app():
        client = app.test_client()
        admin = bearer(KEYS["admin"])
        made = await client.post("/admin/keys", json={"name": "x"}, headers=admin)
        key = (await made.get_json())["key"]
        headers = {**bearer(key), "idempotency-key": "once"}
        await client.post("/v1/responses", json={"model": "demo", "input": "x"}, headers=headers)
        await client.post("/v1/chat/completions", json=ask(session="s"), headers=headers)
        for sent in (key, KEYS["chat"]):
            named = {**admin, "x-request-id": sent}
            await client.get(f"/admin/keys/{sent}", headers=named)
            await client.get("/v1/models", headers={**bearer(f"{sent}0"), "x-request-id": sent})

    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        dump = {table: str(db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}
    secret = key.rpartition("_")[2]
    assert found_in("".join(dump.values()), key) == [hash_of(secret)]
    assert hash_of(secret) in dump["api_keys"]
    assert all(found_in(text, key) == [] for table, text in dump.items() if table != "api_keys")


async def test_a_failure_with_a_key_in_its_text_is_logged_without_it(log: io.StringIO) -> None:
    def shown(key: str) -> str:
        raise ValueError(f"cannot read {key} and {KEYS['chat']}")

    try:
        shown(STRANGE)
    except ValueError:
        structlog.get_logger().exception("fault")
        logging.getLogger("some.library").exception("it failed with %s", STRANGE)

    assert "cannot read ck_0123456789ab_*** and ***" in log.getvalue()
    assert found_in(log.getvalue()) == []


@pytest.mark.usefixtures("log")
async def test_the_driver_of_the_database_tells_no_documents_at_any_level() -> None:
    address = MongoAddress(uri="mongodb://127.0.0.1:1", database="none", driver="pymongo")
    await close_client(open_client(address))

    assert not logging.getLogger("pymongo.command").isEnabledFor(logging.DEBUG)


def test_the_renderer_s_other_words_stay() -> None:
    render = redacting(lambda *_: "ck_, ck_x, request ck_0123456789ab done", ["hunter22"])

    assert render(None, "info", {}) == "ck_, ck_x, request ck_0123456789ab done"


@pytest.mark.parametrize("secret", ['pa"ss\\word', "pässwört"])
def test_a_secret_is_hidden_however_json_and_repr_spell_it(secret: str) -> None:
    render = redacting(structlog.processors.JSONRenderer(), [secret])

    line = render(None, "info", {"event": f"no way to {secret}", "error": ValueError(secret)})

    assert json.loads(str(line)) == {"event": "no way to ***", "error": "ValueError('***')"}


def test_settings_do_not_show_their_keys() -> None:
    chosen = with_keys()

    shown = repr(chosen) + str(chosen) + chosen.model_dump_json()

    assert found_in(shown) == []
