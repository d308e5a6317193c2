"""TCP ports: whether one is free, and how to keep one for a process that starts later."""

import socket
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from scripts.launcher.errors import LaunchError

LOOPBACK = "127.0.0.1"


def check_listenable(host: str, port: int, option: str = "--port") -> int:
    """Return the port a server can listen on there: `port`, or a free one if it is 0.

    option: the one that chooses another.

    Raises LaunchError (exit code 2) for an unknown host, a foreign address or a taken port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as exc:
        raise LaunchError(f"The host {host!r} is not known.", exit_code=2) from exc
    with closing(socket.socket(family, kind, protocol)) as probe:
        # As the server itself does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as exc:
            raise LaunchError(f"Port {port} needs more rights than yours.", exit_code=2) from exc
        except OSError as exc:
            raise LaunchError(_why_not(host, port, exc, option), exit_code=2) from exc
        return int(probe.getsockname()[1])


def _why_not(host: str, port: int, error: OSError, option: str) -> str:
    if error.errno == 98:  # noqa: PLR2004 (EADDRINUSE)
        return f"Port {port} on {host} is taken; choose another with {option}."
    return f"Conch cannot listen on {host}, port {port}: {error.strerror}."


def is_free(port: int) -> bool:
    """Return whether nothing listens on this loopback port now."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0


def free_port() -> int:
    """Return a loopback port that is free now; another process may still take it."""
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class ReservedPort:
    """A loopback port that stays ours across restarts of the server that listens on it.

    The socket is bound but never listens: it gets no connections and keeps other programs
    away, while a server of the same user that sets SO_REUSEPORT (Triton's gRPC) may join.
    """

    number: int
    _socket: socket.socket

    @classmethod
    def reserve(cls) -> Self:
        """Return a free port, reserved until `close`."""
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((LOOPBACK, 0))
        return cls(int(holder.getsockname()[1]), holder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
