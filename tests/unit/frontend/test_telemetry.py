"""What operators see: every figure moves with what it is named for."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from frontend_api.domain.generation import Usage
from frontend_api.domain.model import ServedModel
from frontend_api.service.self_watch import SelfWatch
from frontend_api.telemetry import GenerationRecord, Telemetry
from tests.web.fakes import FakeCatalogue

ROOT = Path(__file__).parents[3]
# Of what never begins a generation.
ELSEWHERE = {"key_in_configuration", "idempotency_key_in_use"}


def figure(telemetry: Telemetry, name: str, **labels: str) -> float:
    """Return one number of the page; fails when it is not there."""
    for line in telemetry.render().decode().splitlines():
        found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    pytest.fail(f"{name} {labels} is not among the metrics")


def test_an_ended_generation_counts_its_tokens_and_its_pace() -> None:
    telemetry = Telemetry()
    usage = Usage(prompt_tokens=7, completion_tokens=11, cached_tokens=5)
    telemetry.generation_started("m")
    telemetry.generation_ended(GenerationRecord("m", "completed", usage, 0.5, 1.5))

    kinds = {
        kind: figure(telemetry, "conch_tokens_total", model="m", kind=kind)
        for kind in ("prompt", "completion", "cached")
    }
    assert kinds == {"prompt": 7, "completion": 11, "cached": 5}
    # 10 gaps in a second.
    gaps = "conch_time_between_tokens_seconds"
    assert figure(telemetry, f"{gaps}_sum", model="m") == pytest.approx(0.1)
    speed = "conch_generation_tokens_per_second"
    assert figure(telemetry, f"{speed}_sum", model="m") == pytest.approx(10)
    assert figure(telemetry, "conch_generations_in_flight", model="m") == 0


def test_what_a_foreign_model_calls_its_errors_is_one_outcome() -> None:
    telemetry = Telemetry()
    for outcome in ("E-4711", "E-4712", "timeout"):
        telemetry.generation_started("m")
        telemetry.generation_ended(GenerationRecord("m", outcome, Usage(), None, 0.5))

    name = "conch_generations_total"
    assert figure(telemetry, name, model="m", outcome="refused_otherwise") == 2
    assert figure(telemetry, name, model="m", outcome="timeout") == 1
    assert "E-471" not in telemetry.render().decode()


def test_every_code_of_ours_is_an_outcome_of_its_own() -> None:
    folders = (ROOT / "triton_backend", ROOT / "frontend_api" / "service")
    texts = [file.read_text() for folder in folders for file in folder.rglob("*.py")]
    codes = {code for text in texts for code in re.findall(r'\bcode(?:: str)? ?= ?"(\w+)"', text)}
    telemetry = Telemetry()
    for code in codes:
        telemetry.generation_started("m")
        telemetry.generation_ended(GenerationRecord("m", code, Usage(), None, 0.5))

    assert len(codes) > 10
    for code in codes - ELSEWHERE:
        assert figure(telemetry, "conch_generations_total", model="m", outcome=code) == 1


@pytest.mark.parametrize(("num_tokens", "first_s"), [(0, None), (1, 0.5)])
def test_a_generation_without_a_gap_has_no_pace(num_tokens: int, first_s: float | None) -> None:
    telemetry = Telemetry()
    usage = Usage(completion_tokens=num_tokens)
    telemetry.generation_started("m")
    telemetry.generation_ended(GenerationRecord("m", "completed", usage, first_s, 0.5))

    assert "conch_time_between_tokens_seconds_sum" not in telemetry.render().decode()


def test_a_model_is_in_one_state_and_in_none_when_it_is_gone() -> None:
    telemetry, catalogue = Telemetry(), FakeCatalogue(ServedModel("m", load_s=2.5))
    watch = SelfWatch(catalogue, telemetry)
    watch.look(0.0)
    assert figure(telemetry, "conch_model_state", model="m", state="ready") == 1
    assert figure(telemetry, "conch_model_state", model="m", state="failed") == 0
    assert figure(telemetry, "conch_model_load_seconds", model="m") == 2.5

    catalogue.models.clear()
    watch.look(0.0)
    assert figure(telemetry, "conch_model_state", model="m", state="ready") == 0


def test_the_process_tells_what_it_uses_and_how_late_it_wakes() -> None:
    telemetry = Telemetry()
    SelfWatch(FakeCatalogue(), telemetry).look(0.25)

    assert figure(telemetry, "conch_process_resident_memory_bytes") > 1e6
    assert figure(telemetry, "conch_process_open_fds") > 0
    assert figure(telemetry, "conch_process_cpu_seconds_total") > 0
    assert figure(telemetry, "conch_event_loop_lag_seconds_sum") == 0.25


def test_store_sockets_resumes_and_limits_are_counted() -> None:
    telemetry = Telemetry()
    telemetry.store_asked(0.25, has_failed=True)
    telemetry.socket_opened()
    telemetry.stream_resumed()
    telemetry.limit_refused("requests")

    seconds = "conch_store_operation_duration_seconds_sum"
    assert figure(telemetry, seconds, outcome="failed") == 0.25
    assert figure(telemetry, "conch_websocket_connections") == 1
    assert figure(telemetry, "conch_stream_resumes_total") == 1
    assert figure(telemetry, "conch_limit_refused_total", limit="requests") == 1
    telemetry.socket_closed()
    assert figure(telemetry, "conch_websocket_connections") == 0


def test_the_disk_is_watched_where_the_file_will_be(tmp_path: Path) -> None:
    telemetry = Telemetry()
    SelfWatch(FakeCatalogue(), telemetry, on_disk=f"{tmp_path}/not/yet/conch.db").look(0.0)

    size = figure(telemetry, "conch_disk_size_bytes")
    assert size == shutil.disk_usage(tmp_path).total
    assert 0 < figure(telemetry, "conch_disk_free_bytes") <= size


async def test_the_end_of_the_certificate_in_use_is_told(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", not_after=datetime(2030, 1, 2, tzinfo=UTC))
    path = tmp_path / "certificate.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(path)
    telemetry = Telemetry()
    assert figure(telemetry, "conch_tls_certificate_end_seconds") == 0

    async with SelfWatch(FakeCatalogue(), telemetry, certificate=str(path)).running():
        told = figure(telemetry, "conch_tls_certificate_end_seconds")

    assert told == datetime(2030, 1, 2, tzinfo=UTC).timestamp()


def test_a_figure_of_the_moment_is_told_by_model() -> None:
    telemetry = Telemetry()
    telemetry.generation_started("a")
    telemetry.generation_started("a")
    telemetry.generation_started("b")
    telemetry.writes_wait(3)

    assert telemetry.by_model("conch_generations_in_flight") == {"a": 2, "b": 1}
    assert telemetry.by_model("conch_store_writes_waiting") == {"": 3}
