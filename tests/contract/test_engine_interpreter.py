"""OpenVINO keeps the interpreter during a step, so the engine lets other threads in after it."""

import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import openvino
import openvino_genai
import pytest

from scripts.launcher.bootstrap import ROOT
from tests.contract.engine_runs import PATIENCE_S, finish, params
from triton_backend.llm.backlog import Backlog
from triton_backend.llm.engines.openvino import OpenVinoEngine, OpenVinoOptions, open_pipeline

DEMO = ROOT / "model_repository" / "demo" / "1"


class Bystander:
    """A thread that counts whenever it gets the interpreter."""

    def __init__(self) -> None:
        self.count = 0
        self._has_to_end = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self._has_to_end:
            self.count += 1
            time.sleep(0)

    def end(self) -> None:
        self._has_to_end = True
        self.thread.join()


@pytest.fixture
def bystander() -> Iterator[Bystander]:
    """Its turn comes only when another thread lets go of the interpreter, never by time."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE_S)
    bystander = Bystander()
    yield bystander
    bystander.end()
    sys.setswitchinterval(before_s)


def test_a_step_lets_no_other_thread_in(bystander: Bystander) -> None:
    # Should this fail with a later version, Backlog is no longer needed.
    pipeline = open_pipeline(DEMO, OpenVinoOptions())
    ids = openvino.Tensor(np.array([list(range(10, 210))], dtype=np.int64))
    config = openvino_genai.GenerationConfig(max_new_tokens=1)
    handle = pipeline.add_request(1, ids, config)
    time.sleep(0.001)

    before = bystander.count
    pipeline.step()
    after = bystander.count
    while not handle.can_read():
        pipeline.step()

    assert after == before > 0


class KeptBacklog(Backlog):
    """Keeps the limits it was asked to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.limits_s: list[float] = []

    def wait_until_done(self, limit_s: float) -> None:
        self.limits_s.append(limit_s)
        super().wait_until_done(limit_s)


def test_after_each_step_the_engine_waits_for_the_backlog() -> None:
    backlog, options = KeptBacklog(), OpenVinoOptions()
    engine = OpenVinoEngine(
        lambda: open_pipeline(DEMO, options), options, lambda guide: None, backlog
    )
    backlog.add()  # never done: the engine goes on all the same

    run = finish(engine, params(max_tokens=5))
    engine.close(timeout_s=PATIENCE_S)

    assert len(run.ids) == 5
    assert len(backlog.limits_s) >= 5
    assert all(0 < limit_s < PATIENCE_S for limit_s in backlog.limits_s)
