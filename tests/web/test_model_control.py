"""Triton's refusals to load, what the workers of a host tell each other, and how far a load is."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton import Triton
from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_signature import Signature
from frontend_api.domain.errors import MemoryFull, ModelNotReady
from frontend_api.domain.model import ServedModel
from frontend_api.settings import ModelSettings, TritonSettings
from tests.web.fake_triton import FakeTriton, listening
from tests.web.triton_running import PATIENCE_S, ready


class Refusing(FakeTriton):
    """Loads nothing, for the reason that an engine gives."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    async def RepositoryModelLoad(  # noqa: N802 - gRPC's name
        self,
        _request: service_pb2.RepositoryModelLoadRequest,
        context: "grpc.aio.ServicerContext[object, object]",
    ) -> None:
        report = f"Internal: TritonModelException: {self.reason}\n\nAt:\n  /x/model.py"
        await context.abort(grpc.StatusCode.INTERNAL, report)


# In the words of tests/unit/engines/test_machine_check.py.
@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("it needs 7.9 GiB of memory on each GPU, and GPU 0 has 1.1 GiB free of 79.6.", MemoryFull),
        ("it needs 87.9 GiB of memory on each GPU, and GPU 0 has 79.1 GiB free of 79.6.",
         ModelNotReady),
        ("it was built for SM 90, and GPU 0 here is SM 86.", ModelNotReady),
    ],
)  # fmt: skip
async def test_only_memory_that_others_have_is_worth_room(
    reason: str, kind: type[ModelNotReady]
) -> None:
    async with ready(Refusing(reason)) as triton:
        with pytest.raises(ModelNotReady) as refused:
            await triton.control.load("other")

    assert type(refused.value) is kind
    assert reason in refused.value.message


class Leaving(FakeTriton):
    """Tells that one model is still being unloaded, this many times."""

    def __init__(self, num_times: int) -> None:
        super().__init__()
        self.states |= {"old": "UNAVAILABLE"}
        self.num_left = num_times

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.num_left:
            self.num_left -= 1
            self.states["old"] = "UNLOADING"
        else:
            self.states["old"] = "UNAVAILABLE"
        return await super().RepositoryIndex(request, context)


async def test_a_model_that_is_being_unloaded_is_waited_for() -> None:
    fake = Leaving(0)
    async with ready(fake) as triton:
        was_any = await triton.control.unloads_ended()
        # The watch asks too: enough for the one question that must see it.
        fake.num_left = 20
        was_one = await triton.control.unloads_ended()

    assert (was_any, was_one, fake.states["old"]) == (False, True, "UNAVAILABLE")


async def test_workers_take_turns_at_loading(tmp_path: Path) -> None:
    """One that has just loaded lets another go first, or its own models would keep theirs out."""
    turns: list[str] = []
    async with listening(FakeTriton()) as port, asyncio.timeout(PATIENCE_S):
        settings = TritonSettings(url=f"127.0.0.1:{port}")
        workers = [Triton(settings, ModelSettings(), tmp_path) for _ in range(2)]

        async def take(number: int) -> None:
            async with workers[number].control.alone():
                turns.append("ab"[number])

        async with workers[0].running(), workers[1].running():
            await asyncio.gather(*(take(number) for number in (0, 0, 1)))

    assert "".join(turns) == "aba"


def test_workers_of_a_host_tell_each_other_what_they_use(tmp_path: Path) -> None:
    one, other = (Triton(TritonSettings(), ModelSettings(), tmp_path).control for _ in range(2))
    assert other.unused_s("a" * 300) is None
    one.note_use("a" * 300)
    (note,) = tmp_path.iterdir()
    os.utime(note, (0, time.time() - 60))

    assert 59 < (other.unused_s("a" * 300) or 0) < 90


def test_a_single_worker_has_nobody_to_tell() -> None:
    control = Triton(TritonSettings(), ModelSettings()).control
    control.note_use("a")

    assert control.unused_s("a") is None


def test_a_load_is_as_far_as_the_last_one_was_by_now() -> None:
    now = [100.0]
    catalogue = TritonCatalogue(lambda: now[0])
    seen = []
    catalogue.set_ready(ServedModel("demo", load_s=10.0), Signature(frozenset(), frozenset()))
    for seconds in (0, 4, 96):
        now[0] += seconds
        catalogue.set_lost("demo", "it is loading", "loading")
        (model,) = catalogue.listed()
        seen.append((model.loading_s, model.loaded_share))
    catalogue.set_lost("demo", "it is not loaded", "unloaded")
    (model,) = catalogue.listed()

    assert seen == [(0.0, 0.0), (4.0, 0.4), (100.0, 1.0)]
    assert (model.loading_s, model.loaded_share) == (None, None)
