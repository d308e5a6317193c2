"""Runs the application on uvicorn: one process, or a parent with several workers.

The parent binds the address before anything starts, so a taken port is one sentence.
On SIGTERM or SIGINT a worker takes nothing new, lets streams go on for the drain
time, then ends them with an error event; uvicorn's own, harder deadline comes later.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import ssl
import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from quart import Quart
from uvicorn import Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from frontend_api.app import create_app
from frontend_api.http_protocol import HttpConfig
from frontend_api.log_writer import stderr_writer
from frontend_api.logs import configure_logging
from frontend_api.service.generations import Generations
from frontend_api.settings import ServerSettings, Settings, SettingsError, require_guard
from frontend_api.wiring import production, rules_of, store_of

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# From the last error event to the end of its connection.
_CLOSING_S: Final = 2.0
# uvicorn kills a worker that says nothing for so long. Its own 5 s are less than a start takes on
# a machine with something else to do (17 s were seen), and then no worker ever starts.
_WORKER_SILENCE_S: Final = 60
_METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


class Parent(Multiprocess):
    """uvicorn's parent of the workers, which starts another one as soon as one has died.

    uvicorn's own keeps the worker's end of each pipe open. A worker that is killed while it is
    being asked whether it is well then looks like one that thinks, until its time is over.
    """

    def init_processes(self) -> None:
        """Start the workers."""
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died."""
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for worker in self.processes:
            worker.child_conn.close()


class AddressError(Exception):
    """The API cannot listen where it should; the text is one sentence for the operator."""


@dataclass(frozen=True)
class WorkerApp:
    """Makes the application inside a worker process; picklable, as workers are spawned."""

    settings: Settings
    metrics_folder: Path | None

    def __call__(self) -> Quart:
        """Return the application of this process."""
        _configure_logging(self.settings)
        app = create_app(production(self.settings, self.metrics_folder))
        generations: Generations = app.extensions["generations"]

        @app.before_serving
        async def heed_signals() -> None:
            _drain_on_signals(generations, self.settings.server.drain_timeout_s)
            _stop_with_parent()
            # What is there now stays for ever: no collection needs to look at it again. A full one
            # held a busy worker's loop for 0.4 s.
            gc.freeze()

        return app


def serve(settings: Settings, environ: MutableMapping[str, str]) -> int:
    """Serve until told to stop; returns the exit code.

    Raises SettingsError, AddressError or StoreRefused before anything runs.
    """
    require_guard(settings)
    _check_certificate(settings.server)
    rules_of(settings.security)
    with _listening(settings.server) as listener:
        _configure_logging(settings)
        asyncio.run(_prepare_store(settings))
        if settings.server.workers == 1:
            return _serve_alone(settings, listener)
        with tempfile.TemporaryDirectory(prefix="conch-metrics-") as folder:
            # Read by prometheus-client when the workers import it.
            environ[_METRICS_VARIABLE] = folder
            return _serve_together(settings, listener, Path(folder))


def _check_certificate(server: ServerSettings) -> None:
    """Raise SettingsError where TLS could not be spoken; uvicorn would end with a stack trace."""
    if not server.tls_certificate and not server.tls_key:
        return
    try:
        # An empty password: never one that is asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            server.tls_certificate, server.tls_key or None, password=""
        )
    except (OSError, ValueError) as exc:
        reason = exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)
        raise SettingsError(
            f"The settings server.tls_certificate and server.tls_key cannot be used: {reason}."
        ) from exc


def _configure_logging(settings: Settings) -> None:
    secrets = [each.key.get_secret_value() for each in settings.security.api_keys]
    # A driver may tell the address of its server, with the password in it.
    secrets += filter(None, [settings.store.mongodb_uri.get_secret_value()])
    log_format = settings.observability.log_format
    configure_logging(settings.server.log_level, log_format, secrets, stderr_writer())


def _listening(server: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family)
    except OSError as exc:
        raise AddressError(
            f"Cannot listen on {server.host}:{server.port}: {os.strerror(exc.errno or 0)}."
        ) from exc


async def _prepare_store(settings: Settings) -> None:
    """Bring the database up to date once, before the workers open it."""
    async with store_of(settings.store).running():
        pass


def _serve_alone(settings: Settings, listener: socket.socket) -> int:
    for number in _SIGNALS:
        signal.signal(number, _leave)
    Server(_uvicorn_config(settings, None)).run([listener])
    return 0


def _serve_together(settings: Settings, listener: socket.socket, folder: Path) -> int:
    parent = Parent(_uvicorn_config(settings, folder), [listener])
    parent.run()
    has_failed = any(worker.exitcode == STARTUP_FAILURE for worker in parent.processes)
    return 1 if has_failed else 0


def _uvicorn_config(settings: Settings, metrics_folder: Path | None) -> HttpConfig:
    server = settings.server
    return HttpConfig(
        WorkerApp(settings, metrics_folder),
        head_timeout_s=server.head_timeout_s,
        factory=True,
        workers=server.workers,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=settings.limits.max_websocket_message_bytes,
        ssl_certfile=server.tls_certificate or None,
        ssl_keyfile=server.tls_key or None,
        timeout_worker_healthcheck=_WORKER_SILENCE_S,
        timeout_keep_alive=server.idle_connection_timeout_s,
        # uvicorn waits with asyncio.wait_for, which takes fractions as well.
        timeout_graceful_shutdown=round(server.drain_timeout_s + _CLOSING_S),
    )


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End with code 0: before uvicorn listens, and when it raises the signal again at its end."""
    raise SystemExit(0)


def _drain_on_signals(generations: Generations, limit_s: float) -> None:
    loop = asyncio.get_running_loop()
    stop_server = {number: signal.getsignal(number) for number in _SIGNALS}

    def begin(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(generations.drain, limit_s)
        then = stop_server[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number in _SIGNALS:
        signal.signal(number, begin)


def _stop_with_parent() -> None:
    """A worker whose parent was killed would go on for ever, and nobody would know."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()

        def leave() -> None:
            loop.remove_reader(parent.sentinel)
            signal.raise_signal(signal.SIGTERM)

        loop.add_reader(parent.sentinel, leave)
