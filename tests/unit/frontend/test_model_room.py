"""Models make room by what they hold, in their processes and on a GPU."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.errors import MemoryFull, ModelNotReady
from frontend_api.domain.model import ModelState, ServedModel
from frontend_api.service.model_loading import ModelLoading
from frontend_api.settings import ModelSettings
from tests.unit.frontend.test_model_loading import LIMIT_S, A, B, C, Stage
from tests.web.fakes import FakeControl


def holding(model: ServedModel, size: int, state: ModelState = "unloaded") -> ServedModel:
    return replace(model, memory_bytes=size, state=state)


async def test_models_make_room_by_the_memory_that_they_held() -> None:
    models = (holding(A, 4), holding(B, 4), holding(C, 2))
    stage = Stage(*models, max_loaded_bytes=8)
    for name in "abc":
        stage.clock.seconds += 1
        await stage.use(name)

    assert stage.loaded == {"b", "c"}


async def test_a_model_that_first_tells_its_memory_when_loaded_makes_room_then() -> None:
    class Telling(FakeControl):
        async def load(self, name: str) -> None:
            await super().load(name)
            self.catalogue.models[name] = holding(self.catalogue.models[name], 6, "ready")

    stage = Stage()
    telling = Telling(stage.catalogue)
    chosen = ModelSettings.model_validate({"max_loaded_bytes": 8})
    loading = ModelLoading(stage.catalogue, telling, chosen, stage.clock)
    for name in "ab":
        async with asyncio.timeout(LIMIT_S), loading.kept(name):
            pass

    assert stage.loaded == {"b"}


async def test_a_model_larger_than_all_may_be_is_refused_and_others_stay() -> None:
    stage = Stage(holding(A, 9), holding(B, 4, state="ready"), max_loaded_bytes=8)
    with pytest.raises(ModelNotReady, match="needs 9 bytes"):
        await stage.use("a")

    assert stage.loaded == {"b"}


async def test_a_gpu_without_enough_free_memory_gets_room() -> None:
    stage = Stage(*(replace(model, state="ready", idle_s=9.0) for model in (A, B)), C)
    stage.control.refusals = [MemoryFull("The model `c` cannot be loaded: 1"), MemoryFull("2")]
    await stage.use("c")

    assert stage.loaded == {"c"}


async def test_a_model_that_has_just_made_room_may_still_hold_its_memory() -> None:
    stage = Stage(*(replace(model, state="ready") for model in (A, B)), C, max_loaded_models=2)
    stage.control.refusals = [MemoryFull("The model `c` cannot be loaded: 1")]
    await stage.use("c")

    assert stage.loaded == {"b", "c"}


async def test_what_is_being_unloaded_is_waited_for_before_another_must_go() -> None:
    stage = Stage(replace(A, state="ready"), C)
    stage.control.is_unloading = True
    stage.control.refusals = [MemoryFull("The model `c` cannot be loaded: 1")]
    await stage.use("c")

    assert stage.loaded == {"a", "c"}


async def test_a_gpu_that_stays_full_when_nothing_can_go_says_so() -> None:
    stage = Stage(replace(A, state="ready"), C, warm=["a"])
    stage.control.refusals = [MemoryFull("The model `c` cannot be loaded: no memory.")]
    with pytest.raises(MemoryFull, match="no memory"):
        await stage.use("c")

    assert stage.loaded == {"a"}
