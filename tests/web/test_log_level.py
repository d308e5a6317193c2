"""/admin/log-level: which lines are written changes while the server runs, in every worker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from frontend_api.adapters.level_file import LevelFile, OwnLevel
from frontend_api.logs import configure_logging, log_level
from frontend_api.ports import SharedLevel
from frontend_api.service.log_level import LogLevel
from tests.web.keyed import KEYS, bearer, keyed_app

URL = "/admin/log-level"


@pytest.fixture(autouse=True)
def _level_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


async def test_an_admin_sees_and_changes_it_and_it_ends_with_the_server() -> None:
    before = log_level()
    async with keyed_app() as (_, client):
        admin = bearer(KEYS["admin"])
        put = await client.put(URL, json={"level": "error"}, headers=admin)
        told = await client.get(URL, headers=admin)
        refused = await client.put(URL, json={"level": "loud"}, headers=admin)
        other = await client.put(URL, json={"level": "debug"}, headers=bearer(KEYS["chat"]))
        during = log_level()

    assert put.json() == told.json() == {"object": "log_level", "level": "error"}
    assert (refused.status_code, other.status_code) == (400, 403)
    assert during == "error"
    assert log_level() == before


@pytest.mark.parametrize("is_shared", [False, True])
def test_what_one_tells_all_find(is_shared: bool, tmp_path: Path) -> None:
    one: SharedLevel = LevelFile(tmp_path) if is_shared else OwnLevel()
    other: SharedLevel = LevelFile(tmp_path) if is_shared else one
    assert other.told() is None

    one.tell("debug")
    one.tell("warning")

    assert other.told() == "warning"


def test_a_worker_does_what_another_one_told(tmp_path: Path) -> None:
    LevelFile(tmp_path).tell("error")

    LogLevel(LevelFile(tmp_path)).look()

    assert log_level() == "error"


def test_a_logger_that_is_in_use_heeds_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    configured, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    try:
        configure_logging("info", "json")
        log, level = structlog.get_logger("any"), LogLevel(OwnLevel())
        log.debug("first")
        level.change("debug")
        log.debug("second")
        level.change("error")
        log.info("third")
    finally:
        logging.getLogger().handlers[:] = handlers
        structlog.configure(**configured)

    written = capsys.readouterr().err
    assert [word for word in ("first", "second", "third") if word in written] == ["second"]
