"""A real Prometheus that scrapes a running Conch with the repository's own configuration."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.ports import LOOPBACK, free_port
from tests.e2e.conch_process import LIMIT_S, Conch, until

CONFIGURATION = ROOT / "docker" / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """A client of it."""

    client: httpx.Client

    def ask(self, query: str) -> Sequence[float]:
        """Return the values of a query now that are numbers; a wrong query fails."""
        answer = self._get("query", query=query)
        values = [float(each["value"][1]) for each in answer["result"]]
        return [value for value in values if math.isfinite(value)]

    def rules(self) -> Sequence[dict[str, Any]]:
        """Return every rule as it was evaluated last."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            return self.client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/{path}", params=params).json()
        assert answer["status"] == "success", (params, answer)
        return dict(answer["data"])


@contextmanager
def running_prometheus(folder: Path, conch: Conch) -> Iterator[Prometheus]:
    """Start one that looks once a second; at the end it is stopped."""
    address = f"{LOOPBACK}:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={_configured(folder, conch)}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (
        httpx.Client(base_url=f"http://{address}", timeout=LIMIT_S, trust_env=False) as client,
        subprocess.Popen(command) as process,
    ):
        prometheus = Prometheus(client)
        try:
            until(prometheus.is_ready, "Prometheus answers")
            yield prometheus
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def _configured(folder: Path, conch: Conch) -> Path:
    """Write our configuration for this Conch: other addresses, and seconds for its quarters."""
    config = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = dict.fromkeys(config["global"], "1s")
    config["rule_files"] = [str(CONFIGURATION / name) for name in config["rule_files"]]
    addresses = {"conch": urlsplit(conch.url).netloc, "triton": urlsplit(conch.metrics_url).netloc}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [addresses[job["job_name"]]]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
