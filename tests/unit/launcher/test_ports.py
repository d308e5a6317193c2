"""Ports: what is free, what is taken, what stays ours."""

import socket
from contextlib import closing

import pytest

from scripts.launcher import ports
from scripts.launcher.errors import LaunchError


def test_port_0_becomes_a_free_port() -> None:
    port = ports.check_listenable("127.0.0.1", 0)

    assert ports.is_free(port)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [("no-such-host.invalid", "is not known"), ("192.0.2.1", "cannot listen on 192.0.2.1")],
)
def test_a_host_that_is_not_ours_is_one_sentence(host: str, sentence: str) -> None:
    with pytest.raises(LaunchError, match=sentence) as told:
        ports.check_listenable(host, 0)

    assert told.value.exit_code == 2


def test_a_taken_port_is_one_sentence() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]

        with pytest.raises(LaunchError, match=f"Port {port} on 127.0.0.1 is taken") as told:
            ports.check_listenable("127.0.0.1", port)

    assert told.value.exit_code == 2


def test_a_reserved_port_is_refused_to_others() -> None:
    with (
        ports.ReservedPort.reserve() as reserved,
        closing(socket.socket()) as other,
        pytest.raises(OSError, match="in use"),
    ):
        other.bind(("127.0.0.1", reserved.number))


def test_a_reserved_port_admits_a_server_that_shares_it() -> None:
    with (
        ports.ReservedPort.reserve() as reserved,
        closing(socket.create_server(("127.0.0.1", reserved.number), reuse_port=True)) as server,
        closing(socket.create_connection(("127.0.0.1", reserved.number), timeout=5)) as client,
    ):
        accepted, address = server.accept()
        accepted.close()

        assert address == client.getsockname()
