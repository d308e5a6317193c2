"""A program: count what another thread gets to do before and after one step of OpenVINO.

Writes both counts. In a process of its own, as it changes how the interpreter shares its time.
"""

import sys
import threading
import time

import numpy as np
import openvino
import openvino_genai

from scripts.launcher.bootstrap import ROOT
from triton_backend.llm.engines.openvino import OpenVinoOptions, open_pipeline

DEMO = ROOT / "model_repository" / "demo" / "1"
# The other thread's turn comes only when this one lets go of the interpreter, never by time.
NEVER_S = 60


class Bystander:
    """A thread that counts whenever it gets the interpreter."""

    def __init__(self) -> None:
        self.count = 0
        self._has_to_end = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._has_to_end:
            self.count += 1
            time.sleep(0)

    def end(self) -> None:
        self._has_to_end = True
        self._thread.join()


def main() -> None:
    pipeline = open_pipeline(DEMO, OpenVinoOptions())
    ids = openvino.Tensor(np.array([list(range(10, 210))], dtype=np.int64))
    handle = pipeline.add_request(1, ids, openvino_genai.GenerationConfig(max_new_tokens=1))
    sys.setswitchinterval(NEVER_S)
    bystander = Bystander()
    time.sleep(0.001)

    before = bystander.count
    pipeline.step()
    after = bystander.count
    bystander.end()
    while not handle.can_read():
        pipeline.step()
    sys.stdout.write(f"{before} {after}\n")


if __name__ == "__main__":
    main()
