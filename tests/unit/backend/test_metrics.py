"""The engine's figures as metrics."""

from triton_backend.llm.engines.protocol import EngineStats
from triton_backend.llm.metrics import FAMILIES, EngineMetrics, Kind


class FakeMetric:
    def __init__(self) -> None:
        self.value = 0.0
        self.writes = 0

    def set(self, value: float) -> None:
        self.value = value
        self.writes += 1

    def increment(self, value: float) -> None:
        self.value += value
        self.writes += 1


def test_every_figure_is_published_and_only_changes_are_written() -> None:
    made: dict[str, FakeMetric] = {}

    def make(name: str, description: str, kind: Kind) -> FakeMetric:
        made[name] = FakeMetric()
        return made[name]

    metrics = EngineMetrics(make)
    first = EngineStats(1, 2, 3, 4, 5, 6, 7, 8)
    metrics.update(first)
    metrics.update(first)
    metrics.update(EngineStats(0, 2, 3, 4, 5, 16, 7, 8))

    assert set(made) == set(FAMILIES)
    assert made["conch_running_sequences"].value == 0
    assert made["conch_prompt_tokens_total"].value == 16
    assert made["conch_waiting_sequences"].writes == 1
