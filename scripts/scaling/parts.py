"""The parts of a fleet as services: what is started, with which addresses, and what it is told."""

import argparse
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from frontend_api.logs import line_renderer
from scripts.launcher import ports, services
from scripts.launcher.backend_folder import TritonFiles, backend_folder, find_triton
from scripts.launcher.child import Child, Command
from scripts.launcher.engine_output import engine_output
from scripts.launcher.entries import EntryReader
from scripts.launcher.plan import ROOT, make_plan
from scripts.launcher.service import Service
from scripts.launcher.service_log import LogStream, ServiceLog
from scripts.launcher.services import Surroundings
from scripts.launcher.triton_server import TritonServer
from scripts.launcher.triton_service import TritonService
from scripts.scaling.haproxy import Binds, HaProxy, find_haproxy
from scripts.scaling.mongods import Member, find_mongod, must_answer, uri_of
from triton_backend.llm.engines.simulated import write_model_folder

SIMULATED = "simulated"
DRAIN_S = 10
_HAPROXY_GRACE_S = 3.0
# It tells its clients for a second, then writes what is in memory.
_MONGOD_GRACE_S = 15.0


@dataclass(frozen=True)
class Part:
    """One service of the fleet. kind: triton, frontend, haproxy or mongod.

    backends: HAProxy's, in which it is a server; asked_at: the port that is asked over HTTP
    whether it is ready.
    """

    kind: str
    name: str
    service: Service
    address: str
    asked_at: int = 0
    backends: Sequence[str] = ()
    note: str = ""

    @property
    def servers(self) -> Sequence[str]:
        """What HAProxy calls it, in each of its backends."""
        return [f"{backend}/{self.name}" for backend in self.backends]

    @property
    def ready_path(self) -> str:
        """What is asked for there."""
        return "/v2/health/ready" if self.kind == "triton" else "/readiness"


@dataclass(frozen=True)
class Shape:
    """How large the fleet is and what it serves."""

    num_tritons: int
    num_frontends: int
    num_workers: int
    num_mongods: int
    model: str
    repository: Path
    parallel: int  # answers a frontend lets through at once: its share of all Tritons' places
    mongodb_uri: str = ""
    is_hashing: bool = True


def shape_of(options: argparse.Namespace, folder: Path) -> Shape:
    """Return what was asked for; writes the simulated model into `folder` if that is it."""
    model, repository = options.model, options.repository or ROOT / "model_repository"
    if model is None:
        model, repository = SIMULATED, folder / "models"
        write_model_folder(
            repository,
            model,
            first_token_ms=options.first_token_ms,
            token_ms=options.token_ms,
            max_batch=options.max_batch,
            tokenizer_from=ROOT / "model_repository" / "demo" / "1",
        )
    # Twice the places: one Triton's share may be larger than another's, and none should idle.
    parallel = -(-2 * options.tritons * options.max_batch // options.frontends)
    return Shape(
        num_tritons=options.tritons,
        num_frontends=options.frontends,
        num_workers=options.workers,
        num_mongods=0 if options.mongodb_uri else options.mongods,
        model=model,
        repository=repository.resolve(),
        parallel=parallel,
        mongodb_uri=options.mongodb_uri,
        is_hashing=not options.no_hashing,
    )


@dataclass(frozen=True)
class Parts:
    """All parts of a fleet, and what the rolling restart needs beside them."""

    shape: Shape
    all: Sequence[Part]
    haproxy: HaProxy
    members: Sequence[Member]

    def of_kind(self, kind: str) -> Sequence[Part]:
        """Return the parts of that kind."""
        return [part for part in self.all if part.kind == kind]


@contextlib.asynccontextmanager
async def all_parts(shape: Shape, web_port: int, around: Surroundings) -> AsyncIterator[Parts]:
    """Yield everything, nothing of it started. Raises LaunchError for what is missing."""
    program, files = find_haproxy(_path(around)), find_triton()
    members = _members(shape, around)
    if shape.mongodb_uri:
        await must_answer(shape.mongodb_uri)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_context
        backends = around.folder / "backends"
        enter(backend_folder(backends, files, ROOT / "triton_backend" / "llm"))
        tritons = [
            await stack.enter_async_context(_triton(number, shape, files, around))
            for number in range(1, shape.num_tritons + 1)
        ]
        proxy = HaProxy(program, around.folder, _binds(web_port))
        uri = shape.mongodb_uri or uri_of(members)
        frontends = [
            enter(_frontend(number, shape, uri, proxy.binds.triton, around))
            for number in range(1, shape.num_frontends + 1)
        ]
        proxy.write(
            {
                "triton": [f"{part.address} check port {part.asked_at}" for part in tritons],
                "conch": [part.address for part in frontends],
            },
            is_hashing=shape.is_hashing,
        )
        first = [enter(_mongod(member, around)) for member in members]
        haproxy = enter(_haproxy(proxy, around))
        yield Parts(shape, [*first, *tritons, haproxy, *frontends], proxy, members)


def _path(around: Surroundings) -> str:
    # Debian keeps servers where a user's PATH does not look.
    return os.pathsep.join([around.environ.get("PATH", os.defpath), "/usr/sbin"])


def _binds(web_port: int) -> Binds:
    free = [ports.free_port() for _ in range(2)]
    return Binds(*(f"{ports.LOOPBACK}:{port}" for port in (free[0], web_port, free[1])))


def _members(shape: Shape, around: Surroundings) -> Sequence[Member]:
    program = find_mongod(_path(around)) if shape.num_mongods else ""
    folders = [around.folder / f"mongod{number}" for number in range(1, shape.num_mongods + 1)]
    return [Member(program, folder, ports.free_port()) for folder in folders]


@contextlib.contextmanager
def _own_log(name: str, around: Surroundings) -> Iterator[Surroundings]:
    """Yield the surroundings with a log file for this part alone."""
    stream = LogStream(around.folder / f"{name}.log", line_renderer("json"))
    with contextlib.closing(stream):
        yield replace(around, stream=stream)


@contextlib.asynccontextmanager
async def _triton(
    number: int, shape: Shape, files: TritonFiles, around: Surroundings
) -> AsyncIterator[Part]:
    name = f"triton{number}"
    with (
        ports.ReservedPort.reserve() as grpc,
        ports.ReservedPort.reserve() as http,
        _own_log(name, around) as own,
    ):
        log = ServiceLog(own.stream, name, EntryReader(lambda model: model == shape.model))
        async with engine_output(own.stream, log) as output_socket:
            server = TritonServer(
                files=files,
                backends=around.folder / "backends",
                repository=shape.repository,
                models=[shape.model],
                grpc_port=grpc.number,
                metrics_port=ports.free_port(),
                keeps_metrics_port=False,
                log_level="warning",
                output_socket=output_socket,
                # Of its own: what it leaves is removed by this beginning.
                shared_memory_prefix=f"{around.shared_memory_prefix}{number}_",
                http_port=http.number,
            )
            service = TritonService(
                server, around.environ, around.guard, log, around.say, name=name
            )
            note = f"metrics http://{ports.LOOPBACK}:{server.metrics_port}/metrics"
            backends = ("tritons", "triton_calls")
            yield Part("triton", name, service, server.address, http.number, backends, note)


@contextlib.contextmanager
def _frontend(
    number: int, shape: Shape, mongodb_uri: str, triton_url: str, around: Surroundings
) -> Iterator[Part]:
    name, port = f"conch{number}", ports.free_port()
    settings = {
        # As in docker/compose.yaml: behind one address there are several Tritons.
        "CONCH_MODELS__LOAD_ON_DEMAND": "false",
        "CONCH_LIMITS__MAX_PARALLEL_PER_MODEL": str(min(shape.parallel, 4096)),
        "CONCH_SERVER__DRAIN_TIMEOUT_S": str(DRAIN_S),
        "CONCH_SECURITY__TRUSTED_PROXIES": ports.LOOPBACK,
        "CONCH_STORE__MONGODB_URI": mongodb_uri,
        "CONCH_LIMITS__MAX_SESSIONS": "0",
    }
    around = replace(around, environ={**around.environ, **settings})
    options = argparse.Namespace(
        host=ports.LOOPBACK,
        port=port,
        workers=shape.num_workers,
        model=[shape.model],
        repository=None,
        config=None,
        triton_url=triton_url,
        metrics_port=None,
    )
    plan = make_plan(options, around.environ)
    with (
        _own_log(name, around) as own,
        services.api(plan, port, triton_url, own, name) as service,
    ):
        address = f"{ports.LOOPBACK}:{port}"
        note = f"{shape.num_workers} worker{'s' if shape.num_workers > 1 else ''}"
        yield Part("frontend", name, service, address, port, ("conch",), note)


@contextlib.contextmanager
def _haproxy(proxy: HaProxy, around: Surroundings) -> Iterator[Part]:
    start = _starting("haproxy", lambda: proxy.command(around.environ), around)
    with start as service:
        note = f"Tritons {proxy.binds.triton}, metrics http://{proxy.binds.health}/metrics"
        yield Part("haproxy", "haproxy", service, proxy.binds.web, note=note)


@contextlib.contextmanager
def _mongod(member: Member, around: Surroundings) -> Iterator[Part]:
    member.folder.mkdir()
    name = member.folder.name
    with _starting(name, lambda: Command(member.argv(), around.environ), around) as service:
        yield Part("mongod", name, service, member.address)


@contextlib.contextmanager
def _starting(name: str, command: Callable[[], Command], around: Surroundings) -> Iterator[Service]:
    grace_s = _MONGOD_GRACE_S if name.startswith("mongod") else _HAPROXY_GRACE_S
    with _own_log(name, around) as own:
        # mongod's lines are JSON already.
        log = ServiceLog(own.stream, name, EntryReader(), lambda line: line.startswith("{"))

        async def start() -> Child:
            return await Child.start(command(), log, around.guard)

        yield Service(name, start, log, around.say, grace_s=grace_s)
