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

    metrics_port changes only when another program has taken it between two runs.
    """

    files: TritonFiles
    backends: Path
    repository: Path
    models: Sequence[str]
    grpc_port: int
    metrics_port: int
    shared_memory_prefix: str

    @property
    def address(self) -> str:
        """Where its gRPC listens."""
        return f"{ports.LOOPBACK}:{self.grpc_port}"

    def command(self, environ: Mapping[str, str]) -> Command:
        """Return what to run now."""
        if not ports.is_free(self.metrics_port):
            self.metrics_port = ports.free_port()
        return Command(self._arguments(), self._environment(environ))

    def _arguments(self) -> list[str]:
        options = {
            "backend-directory": self.backends,
            "model-repository": self.repository,
            "model-control-mode": "explicit",
            "allow-http": "false",
            "grpc-address": ports.LOOPBACK,
            "grpc-port": self.grpc_port,
            "reuse-grpc-port": "true",  # the launcher holds the port between two runs
            "metrics-address": ports.LOOPBACK,
            "metrics-port": self.metrics_port,
            "allow-gpu-metrics": "false",
            "log-info": "false",
            "exit-timeout-secs": EXIT_TIMEOUT_S,
            # Of several models those that load are served, and the others listed with a reason.
            "exit-on-error": str(len(self.models) <= 1).lower(),
            "backend-config": f"python,shm-region-prefix-name={self.shared_memory_prefix}",
        }
        loads = [f"--load-model={name}" for name in self.models]
        return [str(self.files.program), *(f"--{k}={v}" for k, v in options.items()), *loads]

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        # The stub finds this environment's packages through the first `python3` on PATH.
        programs = Path(sys.executable).parent
        kept = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
        return kept | {
            "PATH": f"{programs}{os.pathsep}{environ.get('PATH', os.defpath)}",
            "LD_LIBRARY_PATH": library_path(self.files),
        }
