"""Metrics of several processes, and what the log is told."""

import subprocess
import sys
from pathlib import Path

from frontend_api.domain.generation import Usage
from frontend_api.telemetry import GenerationRecord, Telemetry

# prometheus-client decides at import whether it shares numbers, so each worker is a process.
WORKER = """
import sys
from pathlib import Path
from frontend_api.telemetry import Telemetry
telemetry = Telemetry(Path(sys.argv[1]))
telemetry.request_started()
telemetry.request_ended("/x", 200, 0.1)
telemetry.generation_started("demo")
print(telemetry.render().decode() if sys.argv[2] == "show" else "")
"""


def work(folder: Path, mode: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(folder), mode],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return done.stdout


def test_counters_of_all_workers_are_added_up(tmp_path: Path) -> None:
    work(tmp_path, "quiet")
    page = work(tmp_path, "show")

    assert 'conch_http_requests_total{route="/x",status="200"} 2.0' in page


def test_what_a_dead_worker_had_in_flight_is_forgotten(tmp_path: Path) -> None:
    work(tmp_path, "quiet")
    page = work(tmp_path, "show")

    assert 'conch_generations_in_flight{model="demo"} 1.0' in page


def test_a_generation_that_never_spoke_has_no_time_to_first_token() -> None:
    telemetry = Telemetry()

    telemetry.generation_started("demo")
    telemetry.generation_ended(GenerationRecord("demo", "timeout", Usage(3, 0), None, 1.0))

    page = telemetry.render().decode()
    assert 'conch_generations_total{model="demo",outcome="timeout"} 1.0' in page
    assert 'conch_tokens_total{kind="prompt",model="demo"} 3.0' in page
    assert "conch_time_to_first_token_seconds_count" not in page
