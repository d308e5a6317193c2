"""What scripts/top works out of two looks at a server, and how it fits into a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from frontend_api.domain.generation import Usage
from frontend_api.telemetry import GenerationRecord, Telemetry
from scripts.watching.figures import Figures, figures_of
from scripts.watching.samples import Change, read_page
from scripts.watching.server import Look, ModelStatus, Status
from scripts.watching.view import draw, seconds, sparkline

STATUS = Status(
    reason="",
    models=(
        ModelStatus("demo", "ready", "", 80_000_000),
        ModelStatus("a-model-with-a-long-name-that-fills-the-line", "failed", "no GPU", None),
    ),
    work={"demo": (3, 2)},
    store="ok",
    writes_waiting=0,
    keys={"active": 2},
    version="0.1.0",
)


def look(at: float, telemetry: Telemetry) -> Look:
    return Look(at, read_page(telemetry.render().decode()), STATUS)


def used(telemetry: Telemetry) -> None:
    """Let there be ten generations, each of a second and eleven tokens, and three requests."""
    for _ in range(10):
        telemetry.generation_started("demo")
        usage = Usage(prompt_tokens=20, completion_tokens=11, cached_tokens=5)
        telemetry.generation_ended(GenerationRecord("demo", "completed", usage, 0.2, 1.2))
    for route, status in (("/v1/models", 200), ("/v1/models", 500), ("/metrics", 200)):
        telemetry.request_started()
        telemetry.request_ended(route, status, 0.003)
    telemetry.limit_refused("requests")
    telemetry.store_asked(0.002, has_failed=False)


@pytest.fixture
def figures() -> Figures:
    telemetry = Telemetry()
    used(telemetry)
    before = look(100.0, telemetry)
    used(telemetry)
    telemetry.request_started()
    telemetry.request_started()
    return figures_of(before, look(105.0, telemetry), "/metrics")


def test_rates_are_of_the_time_between_the_looks(figures: Figures) -> None:
    traffic = figures.traffic

    assert traffic.generations_per_s == pytest.approx(2)
    assert traffic.written_per_s == pytest.approx(22)
    assert traffic.read_per_s == pytest.approx(40)
    assert traffic.cached_share == pytest.approx(0.25)
    assert traffic.refused_per_s == pytest.approx(0.2)
    assert figures.models[0].written_per_s == pytest.approx(22)
    assert figures.models[1].written_per_s == 0


def test_looking_is_no_traffic(figures: Figures) -> None:
    assert figures.traffic.requests_per_s == pytest.approx(0.4)
    assert figures.traffic.error_share == pytest.approx(0.5)
    assert figures.traffic.http_in_flight == 1


def test_what_runs_and_waits_is_as_the_status_tells(figures: Figures) -> None:
    assert (figures.traffic.running, figures.traffic.waiting) == (3, 2)
    assert (figures.models[0].running, figures.models[0].waiting) == (3, 2)


def test_times_are_those_of_the_bucket_they_fell_into(figures: Figures) -> None:
    times = {each.name: each for each in figures.times}

    assert times["first token"].half == pytest.approx(0.175)
    assert times["generation"].p99 == pytest.approx(2.485)
    assert times["in line"].half is None


def test_a_server_that_has_started_again_counts_from_nothing() -> None:
    long, fresh = Telemetry(), Telemetry()
    for _ in range(5):
        used(long)
    used(fresh)

    change = Change(look(0, long).page, look(1, fresh).page, 1)

    assert change.growth("conch_generations_total") == 10


def test_beyond_the_largest_bucket_nothing_is_made_up() -> None:
    telemetry = Telemetry()
    before = look(0, telemetry)
    telemetry.store_asked(60, has_failed=True)

    change = Change(before.page, look(1, telemetry).page, 1)

    assert change.quantile(0.95, "conch_store_operation_duration_seconds") == 2.5


@pytest.mark.parametrize("width", [30, 40, 80, 160])
def test_the_view_fits_into_any_terminal(figures: Figures, width: int) -> None:
    told = drawn(figures, width)

    assert max(map(len, told.splitlines())) <= width
    assert "22 tokens out" in told or width == 30
    assert "demo" in told
    assert ("no GPU" in told) == (width == 160)


def test_trouble_stands_in_the_heading_and_a_reason_as_well(figures: Figures) -> None:
    assert "No server answers" in drawn(figures, 80, trouble="No server answers.")
    assert "not ready: no model" in drawn(replace(figures, reason="no model"), 80)


def test_a_reason_is_shown_as_it_is(figures: Figures) -> None:
    reason = "[TensorRT-LLM][ERROR] [/models/demo] :boom:"
    models = [replace(model, reason=reason) for model in figures.models]

    assert reason in drawn(replace(figures, models=models), 200)


def drawn(figures: Figures, width: int, trouble: str = "") -> str:
    file = io.StringIO()
    screen = draw(figures, "http://127.0.0.1:8000", width, [1.0, 3.0, 2.0], trouble)
    Console(file=file, width=width).print(screen)
    return file.getvalue()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"), (0.0004, "0.4 ms"), (0.0123, "12 ms"), (1.25, "1.2 s"), (90, "1.5 min"),
    ],
)  # fmt: skip
def test_times_are_told_as_people_read_them(value: float | None, told: str) -> None:
    assert seconds(value) == told


def test_a_line_of_bars_is_as_high_as_its_highest() -> None:
    assert sparkline([0, 2, 4]) == "▁▅█"
    assert sparkline([0, 0]) == ""
