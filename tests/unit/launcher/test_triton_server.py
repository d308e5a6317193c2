"""The arguments of tritonserver."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from scripts.launcher.backend_folder import TritonFiles
from scripts.launcher.triton_server import TritonServer


def server(
    traces_to: str = "",
    *,
    log_level: str = "warning",
    metrics_port: int = 0,
    keeps_metrics_port: bool = False,
) -> TritonServer:
    return TritonServer(
        files=TritonFiles(Path("package"), Path("libraries")),
        backends=Path("backends"),
        repository=Path("models"),
        models=["demo"],
        grpc_port=1,
        metrics_port=metrics_port,
        shared_memory_prefix="x",
        keeps_metrics_port=keeps_metrics_port,
        log_level=log_level,
        output_socket=Path("output"),
        traces_to=traces_to,
    )


def arguments(traces_to: str) -> list[str]:
    return list(server(traces_to).command({}).argv)


def test_triton_traces_what_comes_with_a_trace_if_there_is_a_collector() -> None:
    off, on = arguments(""), arguments("http://127.0.0.1:4318/v1/traces")

    assert not any("trace" in argument for argument in off)
    assert {argument.partition("=")[2] for argument in on if "trace-config" in argument} == {
        "mode=opentelemetry",
        "opentelemetry,url=http://127.0.0.1:4318/v1/traces",
        "opentelemetry,resource=service.name=triton",
        "level=TIMESTAMPS",
        "rate=0",
        "count=-1",
    }


@pytest.mark.parametrize(
    ("level", "switches"),
    [
        ("debug", ("1", "true", "true")),
        ("info", ("0", "true", "true")),
        ("warning", ("0", "false", "true")),
        ("error", ("0", "false", "false")),
    ],
)
def test_tritons_lines_are_logged_from_the_chosen_level_on(
    level: str, switches: tuple[str, ...]
) -> None:
    argv = server(log_level=level).command({}).argv

    given = dict(argument.removeprefix("--").split("=", 1) for argument in argv[1:])
    assert tuple(given[f"log-{name}"] for name in ("verbose", "info", "warning")) == switches


def test_a_chosen_port_of_metrics_stays_and_another_gives_way_to_who_has_taken_it() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        chosen, free = (
            server(metrics_port=port, keeps_metrics_port=is_chosen) for is_chosen in (True, False)
        )

        assert f"--metrics-port={port}" in chosen.command({}).argv
        assert f"--metrics-port={port}" not in free.command({}).argv


def test_engines_are_told_where_to_print() -> None:
    assert server().command({}).environ["LLM_OUTPUT_SOCKET"] == "output"
