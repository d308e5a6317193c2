"""scripts/models, against a small HTTP server and a repository on disk."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.launcher.bootstrap import ROOT
from scripts.listing.cli import main
from triton_backend.llm.engines.simulated import write_model_folder


def listed(name: str, **told: object) -> dict[str, object]:
    nothing = dict.fromkeys(
        ("reason", "engine", "quantization", "context_length", "memory_bytes", "load_seconds"),
    )
    return {"id": name, "x_conch": {"state": "ready", "alias_of": None, **nothing, **told}}


@contextmanager
def server(status: int, body: object) -> Iterator[tuple[str, list[str | None]]]:
    """Answer GET /v1/models so; yields the address and the keys that came."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            self.send_response(status if self.path == "/v1/models" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    http_server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http_server.server_port}", keys
    finally:
        http_server.shutdown()
        thread.join()
        http_server.server_close()


@pytest.fixture
def nowhere() -> str:
    """An address where nobody answers any more."""
    with server(200, {}) as (url, _):
        return url


def test_a_servers_models_come_as_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCH_API_KEY", "secret")
    big = listed(
        "big", engine="tensorrt_llm", quantization="fp8", context_length=131072,
        memory_bytes=70_000_000_000, load_seconds=41.5,
    )  # fmt: skip
    broken = listed("broken", state="failed", reason="it failed to load")
    models = [big, broken, listed("gpt", alias_of="big")]
    with server(200, {"data": models}) as (url, keys):
        assert main(["--url", url]) == 0

    assert keys == ["Bearer secret"]
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "model", "state", "engine", "quantization", "context", "memory", "load", "aliases",
        "reason",
    ]  # fmt: skip
    assert first.split("  ")[0] == "big"
    assert "131,072" in first
    assert "70,000 MB" in first
    assert "41.5 s" in first
    assert first.split()[-1] == "gpt"
    assert second.endswith("it failed to load")


def test_a_model_that_loads_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    loading = {"state": "loading", "loading_seconds": 12.34}
    again = listed("again", **loading, load_seconds=41.5, loading_percent=29)
    first = listed("first", **loading, loading_percent=None)
    with server(200, {"data": [again, first]}) as (url, _):
        assert main(["--url", url]) == 0

    _, again_line, first_line = capsys.readouterr().out.splitlines()
    assert "12.3 s so far, 29 %" in again_line
    assert first_line.rstrip("- ").endswith("12.3 s so far")


def test_without_a_server_the_folder_is_listed(
    nowhere: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = ROOT / "model_repository" / "demo" / "1"
    write_model_folder(
        tmp_path, "mine", first_token_ms=0, token_ms=0, max_batch=1, tokenizer_from=demo
    )
    (tmp_path / "empty" / "1").mkdir(parents=True)
    (tmp_path / "empty" / "config.pbtxt").touch()
    assert main(["--url", nowhere, "--repository", str(tmp_path), "--json"]) == 0

    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["source"] == str(tmp_path)
    empty, mine = found["models"]
    assert (empty["state"], empty["reason"]) == ("failed", "empty: engine.json is missing.")
    assert (mine["name"], mine["state"], mine["engine"]) == ("mine", "stored", "simulated")
    assert f"No server answers at {nowhere}" in printed.err


def test_a_folder_without_models_says_so(
    nowhere: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", nowhere, "--repository", str(tmp_path)]) == 0

    assert capsys.readouterr().out == f"There are no models in {tmp_path}.\n"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, {}, "wants a key: set CONCH_API_KEY"),
        (500, {}, "answers 500 instead of its models"),
        (200, [1], "is not Conch"),
        (200, {"data": [{"id": "gpt-4o", "object": "model"}]}, "is not Conch"),
    ],
)
def test_an_answer_without_models_is_told_in_one_sentence(
    status: int, body: object, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(status, body) as (url, _):
        assert main(["--url", url]) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "nonsense"],
        ["--url", "http://[::1"],
        ["--url", "http://host:99999"],
        ["--repository", "/not/there"],
        ["--unknown"],
        ["name"],
    ],
)
def test_a_wrong_argument_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert "examples:\n  scripts/models" in capsys.readouterr().out
