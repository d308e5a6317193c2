"""Starting and stopping, as the user sees it."""

import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import LIMIT_S, Conch, is_gone, run_launcher, running_conch, until


def one_sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what was printed: a single line, and no traceback."""
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def listens_beyond_loopback(process: psutil.Process) -> bool:
    return any(
        connection.status == psutil.CONN_LISTEN
        and connection.laddr.ip not in {"127.0.0.1", "::ffff:127.0.0.1"}
        for connection in process.net_connections("inet")
    )


def test_readiness_is_503_first_and_200_once_it_says_so(arguments: list[str]) -> None:
    port = free_port()
    states: list[int] = []

    with running_conch(*arguments, "--port", str(port)) as conch:
        until(lambda: seen(port, states) == 200, "readiness is 200")
        url = conch.url

    assert states[0] == 503
    assert url == f"http://127.0.0.1:{port}"
    assert [line for line in conch.lines if "ready" in line] == [f"Conch is ready: {url}"]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seen(port: int, states: list[int]) -> int:
    """Return the readiness status, kept in `states`; 0 while nobody listens."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/readiness", timeout=LIMIT_S)
    except httpx.TransportError:
        return 0
    states.append(answer.status_code)
    return answer.status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_leaves_no_process(
    arguments: list[str], number: signal.Signals
) -> None:
    with running_conch(*arguments) as conch:
        assert conch.url
        processes = conch.processes()
        body = {
            "model": "slow",
            "prompt": "x",
            "max_tokens": 500,
            "stream": True,
            "ignore_eos": True,
        }
        with httpx.stream(
            "POST", f"{conch.url}/v1/completions", json=body, timeout=LIMIT_S
        ) as answer:
            next(answer.iter_lines())

            code = conch.end(number)

    assert code == 0
    assert len(processes) >= 4  # the guard, Triton, a stub for each model, the API
    assert [process for process in processes if not is_gone(process)] == []


def test_a_stop_during_the_start_leaves_no_process(arguments: list[str]) -> None:
    with running_conch(*arguments) as conch:
        until(lambda: any("stub" in p.name() for p in conch.processes()), "a model is loading")
        processes = conch.processes()

        conch.end()

    assert [process for process in processes if not is_gone(process)] == []


def test_a_killed_launcher_leaves_no_process(arguments: list[str]) -> None:
    with running_conch("--workers", "2", *arguments) as conch:
        assert conch.url
        processes = conch.processes()

        conch.end(signal.SIGKILL)

        until(lambda: all(is_gone(process) for process in processes), "all processes are gone")


def test_nothing_listens_beyond_this_machine(conch: Conch) -> None:
    assert not any(listens_beyond_loopback(process) for process in conch.processes())


def test_a_taken_port_is_one_sentence_and_the_first_instance_goes_on(conch: Conch) -> None:
    port = conch.url.rpartition(":")[2]

    done = run_launcher("--port", port)

    assert one_sentence(done) == (f"Port {port} on 127.0.0.1 is taken; choose another with --port.")
    assert conch.is_ready()


def test_a_second_instance_on_another_port_serves_beside_the_first(conch: Conch) -> None:
    with running_conch() as second:
        assert second.url != conch.url
        assert second.is_serving("demo")

    assert conch.is_serving("demo")


def test_a_triton_that_already_runs_is_used_and_left_alone(conch: Conch) -> None:
    with running_conch("--triton-url", conch.triton_address, "--model", "demo") as second:
        models = httpx.get(f"{second.url}/v1/models", timeout=LIMIT_S).json()["data"]
        tritons = [p for p in second.processes() if "tritonserver" in p.name()]

        assert [model["id"] for model in models] == ["demo"]
        assert second.is_serving("demo")
        assert tritons == []

    assert conch.is_serving("demo")


def test_a_missing_model_names_those_that_are_there() -> None:
    done = run_launcher("--port", "0", "--model", "dmeo")

    sentence = one_sentence(done)
    assert "no model 'dmeo'" in sentence
    assert "demo" in sentence


def test_an_unknown_host_is_one_sentence() -> None:
    done = run_launcher("--port", "0", "--host", "no-such-host.invalid")

    assert one_sentence(done) == "The host 'no-such-host.invalid' is not known."


@pytest.mark.parametrize(
    ("text", "named"),
    [("[server]\nport = 'x'\n", "server.port"), ("[sever]\n", "sever"), ("port", "not valid TOML")],
)
def test_a_wrong_configuration_is_one_sentence(tmp_path: Path, text: str, named: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)

    done = run_launcher("--config", str(config))

    assert named in one_sentence(done)


def test_a_model_that_cannot_be_loaded_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "1").mkdir(parents=True)
    (broken / "config.pbtxt").write_text('backend: "llm"\nmax_batch_size: 1\n')

    done = run_launcher("--port", "0", "--repository", str(tmp_path), "--model", "broken")

    assert done.returncode == 1
    assert "Triton did not start" in done.stderr
    assert "engine.json" in done.stderr


def test_scripts_serve_tells_a_wrong_argument_before_it_installs_anything() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "serve", "--port", "eight"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert "--port" in one_sentence(done)
    assert done.stdout == ""


def test_the_help_shows_examples() -> None:
    done = run_launcher("--help")

    assert done.returncode == 0
    assert "scripts/serve --port 8080 --workers 2" in done.stdout
