"""The two services of a Conch: our own Triton and the API."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher import ports
from scripts.launcher.backend_folder import backend_folder, find_triton
from scripts.launcher.bounded_log import BoundedLog
from scripts.launcher.child import Child, Command, Guard
from scripts.launcher.plan import ROOT, Plan
from scripts.launcher.service import Service
from scripts.launcher.triton_server import TritonServer
from scripts.launcher.triton_service import TritonService

# Added to the API's own drain time (5 s by default); with Triton's 3 s a stop stays below 10 s.
_API_EXTRA_GRACE_S = 1.0


@dataclass(frozen=True)
class Surroundings:
    """What every service of one run shares."""

    folder: Path
    environ: Mapping[str, str]
    guard: Guard
    shared_memory_prefix: str
    say: Callable[[str], None]

    def open_log(self, name: str) -> contextlib.closing[BoundedLog]:
        """Return the log file of a service; closed at the end of the block."""
        return contextlib.closing(BoundedLog(self.folder / f"{name}.log"))


@contextlib.contextmanager
def own_triton(plan: Plan, around: Surroundings) -> Iterator[TritonService]:
    """Yield a Triton that serves the plan's models on free loopback ports."""
    files = find_triton()
    backends = around.folder / "backends"
    with (
        backend_folder(backends, files, ROOT / "triton_backend" / "llm"),
        ports.ReservedPort.reserve() as grpc_port,
        around.open_log("triton") as log,
    ):
        server = TritonServer(
            files=files,
            backends=backends,
            repository=plan.repository,
            models=plan.models,
            grpc_port=grpc_port.number,
            metrics_port=ports.free_port(),
            shared_memory_prefix=around.shared_memory_prefix,
        )
        around.say(
            f"Starting Triton with {', '.join(plan.models)} (gRPC {server.address}, "
            f"metrics http://{ports.LOOPBACK}:{server.metrics_port}/metrics) ..."
        )
        yield TritonService(server, around.environ, around.guard, log, around.say)


@contextlib.contextmanager
def api(plan: Plan, port: int, triton_url: str, around: Surroundings) -> Iterator[Service]:
    """Yield the API in front of the Triton at `triton_url`."""
    options = {"host": plan.host, "port": port, "workers": plan.workers, "config": plan.config}
    given = [[f"--{name}", str(value)] for name, value in options.items() if value is not None]
    # -P and PYTHONPATH: our packages are found wherever the user stands.
    argv = [sys.executable, "-P", "-m", "frontend_api", *(part for pair in given for part in pair)]
    environ = dict(around.environ, CONCH_TRITON__URL=triton_url, PYTHONPATH=str(ROOT))
    if plan.served_elsewhere:
        environ["CONCH_MODELS__SERVED"] = ",".join(plan.served_elsewhere)
    with around.open_log("api") as log:

        async def start() -> Child:
            return await Child.start(Command(argv, environ), log, around.guard)

        yield Service("The API", start, log, around.say, grace_s=plan.drain_s + _API_EXTRA_GRACE_S)
