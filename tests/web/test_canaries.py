"""What people write and models answer is in their sessions, and nowhere else."""

import io
import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.app import create_app
from frontend_api.domain.errors import BackendLost
from frontend_api.domain.generation import Accepted
from frontend_api.settings import TracingSettings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.otlp import OtlpTracing
from tests.collector import running_collector
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.keyed import KEYS, bearer, with_keys
from tests.web.running import Json, ask, wired
from tests.web.test_key_secrets import log

__all__ = ["log"]
# Sessions, and the answers that a request sent again is answered with.
OF_SESSIONS = {"sessions", "messages", "pieces", "idempotency"}


class Canaries:
    """Words that nobody else has, by where they were put."""

    def __init__(self) -> None:
        self.put: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        return self.put.setdefault(place, f"canary{secrets.token_hex(8)}")

    def found_in(self, text: str) -> set[str]:
        return {place for place, word in self.put.items() if word in text}


def bodies(canary: Canaries) -> Iterator[tuple[str, Json]]:
    """Return requests of every dialect, good and bad ones, with a canary wherever text may be."""
    parameters = {"type": "object", "description": canary("schema")}
    tool = {"name": "f", "description": canary("tool"), "parameters": parameters}
    call = {"name": "f", "arguments": json.dumps({"a": canary("arguments")})}
    chat = ask(
        canary("prompt"),
        tools=[{"type": "function", "function": tool}],
        stop=[canary("stop")],
        user=canary("user"),
        metadata={"m": canary("metadata")},
        session=f"s-{canary('session')}",
    )
    chat["messages"] += [
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "c", "content": canary("result")},
    ]
    yield "/v1/chat/completions", chat
    yield "/v1/chat/completions", {**chat, "temperature": canary("wrong value")}
    yield "/v1/chat/completions", {**chat, canary("wrong field"): 1}
    yield "/v1/chat/completions", {**chat, "model": canary("wrong model")}
    yield "/v1/completions", {"model": "demo", "prompt": canary("text")}
    yield "/v1/responses", {"model": "demo", "input": canary("input")}
    yield "/v1/responses", {"model": "demo", "input": "x", "instructions": canary("instructions")}
    yield "/chat/completions", {"model-name": "demo", "prompt": canary("original")}
    yield "/tokenize", {"model": "demo", "prompt": canary("tokenized")}
    yield "/v1/conversations", {"metadata": {"m": canary("conversation")}}
    yield "/v1/responses", {"model": "demo", "input": f"{canary('refused')} bomb"}


@pytest.mark.parametrize("ending", [words("", "."), [BackendLost("gone")]])
async def test_what_is_said_is_in_no_log_metric_trace_audit_or_count(
    ending: list[Any], log: io.StringIO, tmp_path: Path
) -> None:
    canary, path = Canaries(), tmp_path / "conch.db"
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nname='b'\npattern='bomb'\naction='refuse'\n")
    said = f"<think>{canary('thought')}</think>{canary('answer')}"
    generator = FakeGenerator([Accepted(3), *words(said, "!")[:1], *ending])
    chosen = with_keys(security={"blocklist_path": str(rules)})
    wiring = wired(generator, FakeCatalogue(TALKER), chosen, store=SqliteStore(path))

    with running_collector() as collector:
        tracing = OtlpTracing(TracingSettings(endpoint=collector.url))
        traced = replace(wiring, telemetry=Telemetry(tracing=tracing))
        refusals, metrics = await everything_asked(create_app(traced), canary)

    with closing(sqlite3.connect(path)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        dump = {table: str(db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}
    assert canary.found_in(dump["messages"] + dump["pieces"]) >= {"prompt", "thought", "answer"}
    assert dump["audit"] != "[]"
    assert {table for table in dump if canary.found_in(dump[table])} <= OF_SESSIONS
    assert canary.found_in(log.getvalue()) <= {"wrong model"}
    assert canary.found_in(metrics) == set()
    assert len(collector.spans) > len(canary.put)
    assert canary.found_in(str(collector.bodies)) == set()
    # A client is told what is wrong in its own words; nothing of what was to be said.
    assert canary.found_in(refusals) <= {"wrong field", "wrong model", "wrong value"}


async def everything_asked(app: Quart, canary: Canaries) -> tuple[str, str]:
    """Return all errors, and the metrics after all of it."""
    refusals = []
    async with app.test_app():
        client = app.test_client()
        for path, body in bodies(canary):
            for streams in ({}, {"stream": True}):
                asked = {**bearer(KEYS["all"]), "x-custom": canary("header")}
                answer = await client.post(
                    f"{path}?q={canary('query')}", json={**body, **streams}, headers=asked
                )
                said = await answer.get_data(as_text=True)
                if answer.status_code >= 400:
                    refusals.append(said)
        page = await client.get("/metrics", headers=bearer(KEYS["all"]))
        return "".join(refusals), await page.get_data(as_text=True)
