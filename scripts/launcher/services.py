"""The two services of a Conch: our own Triton and the API."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher import ports
from scripts.launcher.backend_folder import backend_folder, find_triton
from scripts.launcher.child import Child, Command, Guard
from scripts.launcher.engine_output import engine_output
from scripts.launcher.entries import EntryReader
from scripts.launcher.plan import ROOT, Plan
from scripts.launcher.service import Service
from scripts.launcher.service_log import LogStream, ServiceLog
from scripts.launcher.triton_server import TritonServer
from scripts.launcher.triton_service import TritonService

# Added to the API's own drain time (5 s by default); with Triton's 3 s a stop stays below 10 s.
_API_EXTRA_GRACE_S = 1.0


@dataclass(frozen=True)
class Surroundings:
    """What every service of one run shares."""

    folder: Path
    stream: LogStream
    environ: Mapping[str, str]
    guard: Guard
    shared_memory_prefix: str
    say: Callable[[str], None]


@contextlib.asynccontextmanager
async def own_triton(plan: Plan, around: Surroundings) -> AsyncIterator[TritonService]:
    """Yield a Triton that serves the plan's models on loopback ports.

    Raises LaunchError (exit code 2) when the port chosen for its metrics is taken.
    """
    files = find_triton()
    backends = around.folder / "backends"
    metrics_port = ports.check_listenable(ports.LOOPBACK, plan.metrics_port, "--metrics-port")

    def is_model(name: str) -> bool:
        return "/" not in name and (plan.repository / name / "config.pbtxt").is_file()

    log = ServiceLog(around.stream, "triton", EntryReader(is_model))
    async with engine_output(around.stream, log) as output_socket:
        with (
            backend_folder(backends, files, ROOT / "triton_backend" / "llm"),
            ports.ReservedPort.reserve() as grpc_port,
        ):
            server = TritonServer(
                files=files,
                backends=backends,
                repository=plan.repository,
                models=plan.models,
                grpc_port=grpc_port.number,
                metrics_port=metrics_port,
                keeps_metrics_port=plan.metrics_port != 0,
                log_level=plan.triton_log_level,
                output_socket=output_socket,
                shared_memory_prefix=around.shared_memory_prefix,
                traces_to=plan.traces_to,
            )
            around.say(
                f"Starting Triton with {', '.join(plan.models)} (gRPC {server.address}, "
                f"metrics http://{ports.LOOPBACK}:{server.metrics_port}/metrics) ..."
            )
            yield TritonService(server, around.environ, around.guard, log, around.say)


@contextlib.contextmanager
def api(
    plan: Plan, port: int, triton_url: str, around: Surroundings, name: str = "The API"
) -> Iterator[Service]:
    """Yield the API in front of the Triton at `triton_url`."""
    options = {"host": plan.host, "port": port, "workers": plan.workers, "config": plan.config}
    given = [[f"--{name}", str(value)] for name, value in options.items() if value is not None]
    # -P and PYTHONPATH: our packages are found wherever the user stands.
    argv = [sys.executable, "-P", "-m", "frontend_api", *(part for pair in given for part in pair)]
    environ = dict(around.environ, CONCH_TRITON__URL=triton_url, PYTHONPATH=str(ROOT))
    if plan.served_elsewhere:
        environ["CONCH_MODELS__SERVED"] = ",".join(plan.served_elsewhere)
    # A line of text cannot be told from one of another program's, and needs not be.
    is_text = plan.log_format == "text"
    log = ServiceLog(
        around.stream,
        "api" if name == "The API" else name,
        EntryReader(),
        lambda line: is_text or line.startswith("{"),
    )

    async def start() -> Child:
        return await Child.start(Command(argv, environ), log, around.guard)

    yield Service(name, start, log, around.say, grace_s=plan.drain_s + _API_EXTRA_GRACE_S)
