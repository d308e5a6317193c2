"""The benchmark's arithmetic."""

import pytest

from scripts.benchmark.figures import Figures, StreamTimes, middle, percentile, summarise


def stream(started_at: float, *arrivals: float) -> StreamTimes:
    times = StreamTimes(started_at)
    for now in arrivals:
        times.add(now, 2)
    return times


def test_rate_counts_all_streams_over_the_time_from_first_start_to_last_arrival() -> None:
    figures = summarise([stream(0.0, 1.0, 2.0), stream(1.0, 2.0, 5.0)], cpu_s=0.8)

    assert figures.tokens_per_s == pytest.approx(8 / 5)
    assert figures.cpu_us_per_token == pytest.approx(100_000)


def test_first_token_and_gap_are_taken_per_stream() -> None:
    figures = summarise([stream(0.0, 0.25, 0.5), stream(1.0, 1.5, 4.5)], cpu_s=0)

    assert (figures.first_p50_ms, figures.first_p99_ms) == (250, 500)
    assert figures.gap_p99_ms == 3000


def test_a_stream_without_tokens_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="without a token"):
        summarise([stream(0.0, 1.0), stream(0.0)], cpu_s=1)


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (75, 3), (99, 4), (100, 4), (1, 1)])
def test_percentile_is_a_value_that_occurred(percent: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == expected


def test_middle_takes_the_median_of_each_figure() -> None:
    runs = [Figures(rate, 1, 2, 3, 4, 10) for rate in (5, 100, 7)]

    assert middle(runs) == Figures(7, 1, 2, 3, 4, 30)
