"""Parts are killed while clients stream: an error event, then 503, then all is well again.

Nothing here asserts a duration; the order of things and their end are what counts.
"""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.conch_process import LIMIT_S, Conch, until

CHAT = "/v1/chat/completions"


def asked(model: str, max_tokens: int = 60) -> dict[str, object]:
    messages = [{"role": "user", "content": "Tell me a story."}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "stream": True}


@contextmanager
def open_stream(conch: Conch, model: str) -> Iterator[Iterator[str]]:
    """Yield a stream's lines once its first token is there."""
    with httpx.stream("POST", conch.url + CHAT, json=asked(model), timeout=LIMIT_S) as response:
        assert response.status_code == 200
        lines = (line for line in response.iter_lines() if line.startswith("data: "))
        while '"content":"' not in (line := next(lines)) or '"content":""' in line:
            continue
        yield lines


def last_error(lines: Iterator[str]) -> dict[str, object]:
    """Return the error event that is a stream's last word before [DONE]."""
    rest = list(lines)
    assert rest[-1] == "data: [DONE]"
    error = json.loads(rest[-2].removeprefix("data: "))["error"]
    assert isinstance(error, dict)
    return error


def kill_triton(conch: Conch) -> None:
    conch.kill_triton()


def kill_stub(conch: Conch) -> None:
    conch.kill_stub("slow")


@pytest.fixture(autouse=True)
def _whole_before_and_after(breakable: Conch) -> Iterator[None]:
    yield
    until(lambda: breakable.is_serving("slow"), "the simulated model serves again")
    until(lambda: breakable.is_serving("demo"), "the bundled model serves again")


@pytest.mark.parametrize("kill", [kill_triton, kill_stub])
def test_a_kill_in_mid_stream_is_an_error_event_and_the_end(
    breakable: Conch, kill: Callable[[Conch], None]
) -> None:
    with open_stream(breakable, "slow") as lines:
        kill(breakable)

        error = last_error(lines)

    assert error["code"] == "backend_unavailable"
    assert "/" not in str(error["message"])


@pytest.mark.parametrize("kill", [kill_triton, kill_stub])
def test_until_it_is_back_requests_get_503_and_then_the_same_api_serves(
    breakable: Conch, kill: Callable[[Conch], None]
) -> None:
    api = breakable.process("frontend_api")
    with open_stream(breakable, "slow") as lines:
        kill(breakable)
        last_error(lines)

    refused: list[httpx.Response] = []

    def is_answered() -> bool:
        answer = httpx.post(breakable.url + CHAT, json=asked("slow"), timeout=LIMIT_S)
        if answer.status_code != 200:
            refused.append(answer)
        return answer.status_code == 200

    until(is_answered, "the model answers again")
    # Triton may have started a stub anew before a request is there.
    assert refused or kill is kill_stub
    for answer in refused:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["code"] in {"model_not_ready", "backend_unavailable"}
    assert breakable.process("frontend_api") == api


def test_a_dead_stub_leaves_the_other_models_alone(breakable: Conch) -> None:
    triton = breakable.process("bin/tritonserver", "--load-model")
    with open_stream(breakable, "slow") as lines:
        breakable.kill_stub("demo")

        rest = list(lines)

    assert '"finish_reason":"length"' in rest[-2]
    assert breakable.process("bin/tritonserver", "--load-model") == triton


def test_without_triton_the_api_lives_but_is_not_ready(breakable: Conch) -> None:
    breakable.kill_triton()
    until(lambda: not breakable.is_ready(), "readiness is 503")

    health = httpx.get(f"{breakable.url}/health", timeout=LIMIT_S)

    assert health.status_code == 200
    until(breakable.is_ready, "readiness is 200 again")


def test_a_killed_api_is_started_again(breakable: Conch) -> None:
    api = breakable.process("frontend_api")

    api.send_signal(signal.SIGKILL)

    breakable.wait_for_line("The API has ended")
    until(breakable.is_ready, "the API answers again")
    assert breakable.process("frontend_api") != api


def test_a_client_that_leaves_stops_its_generation(breakable: Conch) -> None:
    with open_stream(breakable, "slow"):
        until(lambda: running(breakable) == 1, "the gauge shows the generation")

    until(lambda: running(breakable) == 0, "the gauge is back to zero")


def running(conch: Conch) -> float:
    return conch.gauge("conch_running_sequences", "slow")
