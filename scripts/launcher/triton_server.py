"""How tritonserver is started: its arguments and its environment."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher import ports
from scripts.launcher.backend_folder import TritonFiles, library_path
from scripts.launcher.child import Command

# The API has drained when Triton is asked to end: nothing in flight is worth waiting for.
EXIT_TIMEOUT_S = 1


@dataclass
class TritonServer:
    """A tritonserver to run, again and again, on the same gRPC port.

    metrics_port changes when another program has taken it between two runs, unless it is to be
    kept. log_level: from which on its lines are logged; output_socket: where engines print.
    traces_to: the collector of its traces; "": none. http_port: where it is asked over HTTP whether
    it is ready; None: HTTP is off.
    """

    files: TritonFiles
    backends: Path
    repository: Path
    models: Sequence[str]
    grpc_port: int
    metrics_port: int
    shared_memory_prefix: str
    keeps_metrics_port: bool
    log_level: str
    output_socket: Path
    traces_to: str = ""
    http_port: int | None = None

    @property
    def address(self) -> str:
        """Where its gRPC listens."""
        return f"{ports.LOOPBACK}:{self.grpc_port}"

    def command(self, environ: Mapping[str, str]) -> Command:
        """Return what to run now."""
        if not self.keeps_metrics_port and not ports.is_free(self.metrics_port):
            self.metrics_port = ports.free_port()
        return Command(self._arguments(), self._environment(environ))

    def _arguments(self) -> list[str]:
        options = {
            "backend-directory": self.backends,
            "model-repository": self.repository,
            "model-control-mode": "explicit",
            **self._http(),
            "grpc-address": ports.LOOPBACK,
            "grpc-port": self.grpc_port,
            "reuse-grpc-port": "true",  # the launcher holds the port between two runs
            "metrics-address": ports.LOOPBACK,
            "metrics-port": self.metrics_port,
            "allow-gpu-metrics": "false",
            "exit-timeout-secs": EXIT_TIMEOUT_S,
            # Of several models those that load are served, and the others listed with a reason.
            "exit-on-error": str(len(self.models) <= 1).lower(),
            "backend-config": f"python,shm-region-prefix-name={self.shared_memory_prefix}",
        }
        options |= _logging(self.log_level)
        loads = [f"--load-model={name}" for name in self.models]
        loads += self._tracing()
        return [str(self.files.program), *(f"--{k}={v}" for k, v in options.items()), *loads]

    def _tracing(self) -> list[str]:
        """Trace what the API traces: at a rate of 0 those requests that come with a trace."""
        if not self.traces_to:
            return []
        settings = (
            "mode=opentelemetry",
            f"opentelemetry,url={self.traces_to}",
            "opentelemetry,resource=service.name=triton",
            *("level=TIMESTAMPS", "rate=0", "count=-1"),
        )
        return [f"--trace-config={setting}" for setting in settings]

    def _http(self) -> dict[str, object]:
        if self.http_port is None:
            return {"allow-http": "false"}
        return {
            "http-address": ports.LOOPBACK,
            "http-port": self.http_port,
            "reuse-http-port": "true",
        }

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        # The stub finds this environment's packages through the first `python3` on PATH.
        programs = Path(sys.executable).parent
        kept = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
        return kept | {
            "PATH": f"{programs}{os.pathsep}{environ.get('PATH', os.defpath)}",
            "LD_LIBRARY_PATH": library_path(self.files),
            # Read by triton_backend/llm/output.py.
            "LLM_OUTPUT_SOCKET": str(self.output_socket),
        }


def _logging(level: str) -> dict[str, str | Path | int]:
    """Return Triton's switches for lines from this level on; errors are always logged."""
    return {
        "log-verbose": 1 if level == "debug" else 0,
        "log-info": str(level in ("debug", "info")).lower(),
        "log-warning": str(level != "error").lower(),
    }
