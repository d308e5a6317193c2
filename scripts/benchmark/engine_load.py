"""Step 1: the engine alone, in this process, without tokenizing and without text."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.benchmark.figures import Figures, StreamTimes, summarise
from scripts.benchmark.load import Load
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Delta, SequenceParams
from triton_backend.llm.manifest import read_manifest
from triton_backend.llm.request import Sampling
from triton_backend.llm.tokenizer import open_tokenizer

RUN_LIMIT_S = 300.0
_CLOSE_LIMIT_S = 10.0


class EngineLoad:
    """An opened engine that can be measured again and again; close it."""

    def __init__(self, version_folder: Path) -> None:
        self._tokenizer = open_tokenizer(version_folder)
        self._engine = open_engine(version_folder, read_manifest(version_folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._engine.close(_CLOSE_LIMIT_S)

    def run(self, load: Load) -> Figures:
        """Return one run's figures; raises TimeoutError when the engine does not finish."""
        prompts = [self._tokenizer.encode(p, has_special_tokens=False) for p in load.prompts()]
        cpu_before = time.process_time()
        streams = [_Stream() for _ in prompts]
        for index, (ids, stream) in enumerate(zip(prompts, streams, strict=True)):
            params = SequenceParams(
                sampling=Sampling(ignore_eos=True, min_tokens=load.tokens),
                max_tokens=load.tokens,
                seed=index,
                stop_token_ids=(),
            )
            stream.times.started_at = time.monotonic()
            self._engine.submit(ids, params, stream.take)
        for stream in streams:
            stream.wait()
        cpu_s = time.process_time() - cpu_before
        return summarise([stream.times for stream in streams], cpu_s)


class _Stream:
    """What one sequence brings; `take` runs on the engine's thread."""

    def __init__(self) -> None:
        self.times = StreamTimes(0.0)
        self._error: Exception | None = None
        self._ended = threading.Event()

    def take(self, delta: Delta) -> None:
        if delta.ids:
            self.times.add(time.monotonic(), len(delta.ids))
        if delta.is_last:
            self._error = delta.error
            self._ended.set()

    def wait(self) -> None:
        if not self._ended.wait(RUN_LIMIT_S):
            raise TimeoutError("the engine did not finish")
        if self._error is not None:
            raise self._error
