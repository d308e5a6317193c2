"""curl as a client: lists and streams."""

import json
import subprocess

from tests.e2e.conch_process import LIMIT_S, Conch

BODY = json.dumps(
    {
        "model": "demo",
        "messages": [{"role": "user", "content": "What is Conch?"}],
        "stream": True,
        "max_tokens": 16,
    }
)


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", str(int(LIMIT_S)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_curl_lists_the_models(conch: Conch) -> None:
    listed = json.loads(curl(f"{conch.url}/v1/models"))

    assert "demo" in [model["id"] for model in listed["data"]]


def test_curl_streams_a_chat_to_its_done(conch: Conch) -> None:
    printed = curl(
        "-N", f"{conch.url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", BODY
    )

    events = [line.removeprefix("data: ") for line in printed.splitlines() if line]
    texts = [json.loads(e)["choices"][0]["delta"].get("content") or "" for e in events[:-1]]
    assert events[-1] == "[DONE]"
    assert "".join(texts)
    assert json.loads(events[0])["object"] == "chat.completion.chunk"
