"""`python -m frontend_api keys`: what it prints, what it refuses, and that workers heed it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from frontend_api.__main__ import main
from tests.web.fake_triton import FakeTriton
from tests.web.keyed import bearer
from tests.web.test_process import ROOT, running

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CONCH_STORE__SQLITE_PATH": str(tmp_path / "conch.db")}


def keys(environ: dict[str, str], *arguments: str) -> int:
    return main(["keys", *arguments], environ)


def test_a_key_is_printed_once_and_alone(environ: dict[str, str], capsys: Captured) -> None:
    assert keys(environ, "create", "--name", "laptop", "--owner", "alice") == 0
    key, told = capsys.readouterr()
    assert keys(environ, "list") == 0
    listed, _ = capsys.readouterr()
    assert keys(environ, "describe", key.split("_")[1]) == 0
    described, _ = capsys.readouterr()

    _, key_id, secret = key.strip().split("_")
    assert told == f"Key 'laptop' ({key_id}) was made; it is shown only this once:\n"
    assert listed.splitlines()[1].split() == [
        *(key_id, "active", "laptop", "alice", "chat,sessions", "all", "-")
    ]
    assert "state: active\n" in described
    assert secret not in told + listed + described


def test_a_key_can_be_bound_in_scope_models_and_time(
    environ: dict[str, str], capsys: Captured
) -> None:
    options = ("--scopes", "metrics,chat", "--models", "demo,tiny", "--expires-in-days", "0.5")
    assert keys(environ, "create", "--name", "x", *options) == 0
    key_id = capsys.readouterr().out.split("_")[1]
    assert keys(environ, "describe", key_id) == 0

    described = capsys.readouterr().out
    assert f"owner: {key_id}\n" in described
    assert "scopes: metrics,chat\n" in described
    assert "models: demo,tiny\n" in described
    assert "expires: 20" in described


def test_a_key_gets_the_limits_it_is_given(environ: dict[str, str], capsys: Captured) -> None:
    options = ("--requests-per-minute", "20", "--tokens-per-day", "5000", "--priority-weight", "3")
    assert keys(environ, "create", "--name", "x", *options) == 0
    key_id = capsys.readouterr().out.split("_")[1]
    assert keys(environ, "describe", key_id) == 0

    described = capsys.readouterr().out
    assert "limits: requests_per_minute=20,tokens_per_day=5000,priority_weight=3\n" in described


def test_the_limits_of_a_key_are_changed(environ: dict[str, str], capsys: Captured) -> None:
    keys(environ, "create", "--name", "x", "--requests-per-minute", "20", "--tokens-per-day", "9")
    key_id = capsys.readouterr().out.split("_")[1]

    options = ("--requests-per-minute", "none", "--priority-weight", "2")
    assert keys(environ, "limit", key_id, *options) == 0

    assert capsys.readouterr() == (
        *("", f"Key 'x' ({key_id}) has tokens_per_day=9,priority_weight=2.\n"),
    )


def test_a_key_is_rotated_and_revoked(environ: dict[str, str], capsys: Captured) -> None:
    keys(environ, "create", "--name", "x")
    first = capsys.readouterr().out
    key_id = first.split("_")[1]

    assert keys(environ, "rotate", key_id, "--overlap-seconds", "60") == 0
    assert capsys.readouterr().out.split("_")[1] == key_id
    assert keys(environ, "revoke", key_id) == 0
    assert capsys.readouterr() == ("", f"Key 'x' ({key_id}) lets nobody in any more.\n")
    assert keys(environ, "rotate", key_id) == 1
    assert capsys.readouterr() == (
        *("", "frontend_api keys: The key is revoked: make another one.\n"),
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "frontend_api keys: the following arguments are required: action.\n"),
        (("create",), "frontend_api keys create: the following arguments are required: --name.\n"),
        (
            ("create", "--name", "x", "--scopes", "root"),
            "frontend_api keys create: argument --scopes: there is no scope 'root', only chat, "
            "sessions, admin, metrics.\n",
        ),
        (
            ("create", "--name", "x", "--requests-per-minute", "0"),
            "frontend_api keys create: argument --requests-per-minute: '0' is no whole number "
            "from 1 to 1000000000000.\n",
        ),
        (
            ("rotate", "x", "--overlap-seconds", "long"),
            "frontend_api keys rotate: argument --overlap-seconds: 'long' is no number up to "
            "2592000.\n",
        ),
        (
            ("create", "--name", "x", "--owner", "a b"),
            "frontend_api keys create: argument --owner: expected letters, digits or any of "
            "_ . @ : + -.\n",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_exit_code_2(
    environ: dict[str, str], capsys: Captured, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        keys(environ, *arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err == sentence


def test_an_unknown_key_is_one_sentence_and_exit_code_1(
    environ: dict[str, str], capsys: Captured
) -> None:
    assert keys(environ, "describe", "0123456789ab") == 1
    assert capsys.readouterr().err == "frontend_api keys: No API key with id '0123456789ab'.\n"


def test_a_lost_database_is_told_on_standard_error_only(capsys: Captured) -> None:
    environ = {
        "CONCH_STORE__MONGODB_URI": "mongodb://user:secret@127.0.0.1:1",
        "CONCH_STORE__OPERATION_TIMEOUT_S": "0.1",
    }

    assert keys(environ, "create", "--name", "x") == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert "mongodb_lost" in told.err
    assert "127.0.0.1:1" in told.err
    assert "secret" not in told.err
    assert told.err.endswith("The database with the sessions does not answer.\n")


def test_every_help_shows_a_working_example(capsys: Captured) -> None:
    for action in ([], ["create"], ["list"], ["describe"], ["limit"], ["rotate"], ["revoke"]):
        with pytest.raises(SystemExit) as ended:
            main(["keys", *action, "--help"], {})
        assert ended.value.code == 0
        assert "python -m frontend_api keys create --name laptop" in capsys.readouterr().out


async def test_workers_heed_new_and_revoked_keys_within_five_seconds(tmp_path: Path) -> None:
    environ = {
        "CONCH_STORE__SQLITE_PATH": str(tmp_path / "conch.db"),
        "CONCH_SECURITY__ENABLE_AUTH": "true",
    }

    def command(*arguments: str) -> str:
        told = subprocess.run(
            [sys.executable, "-m", "frontend_api", "keys", *arguments],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **environ},
        )
        return told.stdout.decode().strip()

    async with running(FakeTriton([]), "--workers", "2", **environ) as (_, client):
        key = await asyncio.to_thread(command, "create", "--name", "x")
        # A new connection each time, so that both workers are asked.
        headers = {**bearer(key), "connection": "close"}

        async def statuses() -> set[int]:
            asked = [await client.get("/v1/models", headers=headers) for _ in range(20)]
            return {answer.status_code for answer in asked}

        with_key = await statuses()
        await asyncio.to_thread(command, "revoke", key.split("_")[1])
        await asyncio.sleep(5)
        revoked = await statuses()

    assert with_key == {200}
    assert revoked == {401}
