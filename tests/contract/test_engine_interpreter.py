"""OpenVINO keeps the interpreter during a step, so the engine lets other threads in after it."""

import subprocess
import sys

from scripts.launcher.bootstrap import ROOT
from tests.contract.engine_runs import PATIENCE_S, finish, params
from triton_backend.llm.backlog import Backlog
from triton_backend.llm.engines.openvino import OpenVinoEngine, OpenVinoOptions, open_pipeline

DEMO = ROOT / "model_repository" / "demo" / "1"


def test_a_step_lets_no_other_thread_in() -> None:
    # Should this fail with a later version, Backlog is no longer needed.
    command = [sys.executable, "-m", "tests.contract.interpreter_held"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )

    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
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
