"""Models are loaded when they are asked for, and make room for others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from frontend_api.domain.errors import (
    Conflict,
    ModelNotFound,
    ModelNotReady,
    ShuttingDown,
)
from frontend_api.domain.model import ModelState, ServedModel
from frontend_api.service.callers import Caller, set_caller
from frontend_api.service.model_loading import ModelLoading
from frontend_api.service.served_models import ServedModels
from frontend_api.settings import ModelSettings
from tests.web.fakes import FakeCatalogue, FakeControl, FixedClock

A, B, C = (ServedModel(name, engine="fake", state="unloaded") for name in "abc")
LIMIT_S = 5.0


class Stage:
    """Three models, none of them loaded, and who loads them."""

    def __init__(self, *models: ServedModel, **settings: object) -> None:
        self.catalogue = FakeCatalogue(*(models or (A, B, C)))
        self.control = FakeControl(self.catalogue)
        self.clock = FixedClock()
        chosen = ModelSettings.model_validate(settings)
        self.loading = ModelLoading(self.catalogue, self.control, chosen, self.clock)

    @property
    def loaded(self) -> set[str]:
        return {name for name, model in self.catalogue.models.items() if model.is_ready}

    @asynccontextmanager
    async def using(self, name: str) -> AsyncIterator[None]:
        async with asyncio.timeout(LIMIT_S), self.loading.kept(name):
            yield

    async def use(self, name: str) -> None:
        """Ask for it and let it go."""
        async with self.using(name):
            assert name in self.loaded


async def turns(num: int = 10) -> None:
    for _ in range(num):
        await asyncio.sleep(0)


async def test_many_who_ask_for_a_model_wait_for_one_load() -> None:
    stage = Stage()
    stage.control.may_go_on.clear()
    asking = [asyncio.create_task(stage.use("a")) for _ in range(20)]
    await turns()
    stage.control.may_go_on.set()
    await asyncio.gather(*asking)

    assert stage.control.calls == [("load", "a")]


async def test_who_stops_waiting_does_not_stop_the_load() -> None:
    stage = Stage()
    stage.control.may_go_on.clear()
    impatient, patient = (asyncio.create_task(stage.use("a")) for _ in range(2))
    await turns()
    impatient.cancel()
    await turns()
    stage.control.may_go_on.set()
    await patient

    assert stage.control.calls == [("load", "a")]


async def test_a_load_that_fails_is_told_to_all_who_wait_and_tried_again_later() -> None:
    stage = Stage()
    stage.control.failure = ModelNotReady("The model `a` cannot be loaded: no memory.")
    told = await asyncio.gather(*(stage.use("a") for _ in range(3)), return_exceptions=True)
    assert [str(error) for error in told] == ["The model `a` cannot be loaded: no memory."] * 3

    stage.control.failure = None
    await stage.use("a")


async def test_the_model_that_nobody_asked_for_for_longest_makes_room() -> None:
    stage = Stage(max_loaded_models=2)
    for name in "abac":
        stage.clock.seconds += 1
        await stage.use(name)

    assert stage.loaded == {"a", "c"}


async def test_a_model_in_use_is_not_unloaded_and_takes_nothing_new_until_it_was() -> None:
    stage = Stage(max_loaded_models=1)
    async with stage.using("a"):
        other = asyncio.create_task(stage.use("b"))
        await turns()
        late = asyncio.create_task(stage.use("a"))
        await turns()
        assert (stage.loaded, late.done(), other.done()) == ({"a"}, False, False)
    await asyncio.gather(other, late)

    assert stage.control.calls == [
        ("load", "a"), ("unload", "a"), ("load", "b"), ("unload", "b"), ("load", "a"),
    ]  # fmt: skip


async def test_many_clients_of_many_models_all_get_their_turn_where_one_fits() -> None:
    stage = Stage(max_loaded_models=1)

    async def ask_often(name: str) -> None:
        for _ in range(10):
            await stage.use(name)

    await asyncio.gather(*(ask_often(name) for name in "abcabcabc"))

    assert len(stage.loaded) == 1


async def test_what_others_run_counts_when_room_is_made() -> None:
    busy = replace(A, state="ready", num_running=3)
    idle = replace(B, state="ready", idle_s=1.0)
    stage = Stage(busy, idle, C, max_loaded_models=2)
    await stage.use("c")

    assert stage.loaded == {"a", "c"}


async def test_models_that_are_kept_warm_make_no_room() -> None:
    stage = Stage(max_loaded_models=1, warm=["a"])
    await stage.use("a")

    with pytest.raises(ModelNotReady, match="no room"):
        await stage.use("b")
    assert stage.loaded == {"a"}


async def test_without_loading_on_demand_a_model_must_be_loaded_first() -> None:
    stage = Stage(load_on_demand=False)
    with pytest.raises(ModelNotReady):
        await stage.use("a")

    await stage.loading.load("a")
    await stage.use("a")


async def test_a_model_that_failed_is_refused_at_once_and_loaded_when_an_operator_says_so() -> None:
    stage = Stage(replace(A, state="failed", reason="it failed to load"))
    with pytest.raises(ModelNotReady, match="it failed to load"):
        await stage.use("a")
    assert stage.control.calls == []

    await stage.loading.load("a")
    assert stage.loaded == {"a"}


async def test_loading_a_loaded_model_brings_its_newest_version() -> None:
    stage = Stage()
    async with stage.using("a"):
        await stage.loading.load("a")

    assert stage.control.calls == [("load", "a"), ("load", "a")]


async def test_an_operator_unloads_only_what_answers_nothing() -> None:
    stage = Stage()
    async with stage.using("a"):
        with pytest.raises(Conflict):
            await stage.loading.unload("a")
    assert (await stage.loading.unload("a")).state == "unloaded"


async def test_idle_models_are_unloaded_but_for_those_kept_warm() -> None:
    idle = [replace(model, state="ready", idle_s=99.0) for model in (A, B)]
    busy = replace(C, state="ready", idle_s=1.0)
    stage = Stage(*idle, busy, idle_unload_s=60, warm=["b"])
    async with asyncio.timeout(LIMIT_S), stage.loading.running():
        await stage.control.unloaded.wait()

    assert stage.loaded == {"b", "c"}


async def test_who_waited_for_a_load_and_does_not_enter_keeps_nobody_waiting() -> None:
    stage = Stage(ServedModel("a", state="unloaded"), B, max_loaded_models=1)
    stage.control.may_go_on.clear()
    asking = asyncio.create_task(stage.loading.described("a"))
    await turns()
    other = asyncio.create_task(stage.use("b"))
    await turns()
    stage.control.may_go_on.set()
    await other

    assert (await asking).name == "a"
    assert stage.loaded == {"b"}


async def test_a_model_that_was_only_just_loaded_is_not_idle_yet() -> None:
    stage = Stage(replace(A, state="ready"), replace(B, state="ready", idle_s=99), idle_unload_s=60)
    async with asyncio.timeout(LIMIT_S), stage.loading.running():
        await stage.control.unloaded.wait()

    assert stage.loaded == {"a"}


async def test_a_model_that_does_not_answer_once_it_is_loaded_is_not_loaded_again() -> None:
    class Mute(FakeControl):
        def _set(self, name: str, state: ModelState) -> None:
            pass

    stage = Stage()
    mute = Mute(stage.catalogue)
    loading = ModelLoading(stage.catalogue, mute, ModelSettings(), stage.clock)
    with pytest.raises(ModelNotReady, match="does not answer"):
        async with asyncio.timeout(LIMIT_S), loading.kept("a"):
            pass

    assert mute.calls == [("load", "a")]


async def test_a_model_is_described_only_after_it_was_loaded_once() -> None:
    stage = Stage(ServedModel("a", state="unloaded"), B)
    assert (await stage.loading.described("b")).state == "unloaded"
    assert (await stage.loading.described("a")).is_ready


async def test_a_model_answers_to_its_other_names() -> None:
    stage = Stage(replace(A, state="ready"), B)
    models = ServedModels(stage.catalogue, stage.loading, {"gpt-4o-mini": "a", "gone": "x"})

    assert models.served("gpt-4o-mini").name == "a"
    assert [(model.name, model.alias_of) for model in models.listed()] == [
        ("a", None), ("b", None), ("gpt-4o-mini", "a"),
    ]  # fmt: skip
    with pytest.raises(ModelNotFound):
        models.served("gone")


@pytest.mark.parametrize("default", ["b", "gpt-4o-mini"])
async def test_the_default_model_is_the_first_in_lists(default: str) -> None:
    stage = Stage(replace(A, state="ready"), B)
    models = ServedModels(stage.catalogue, stage.loading, {"gpt-4o-mini": "b"}, default)

    assert [model.name for model in models.listed()] == ["b", "a", "gpt-4o-mini"]


async def test_a_key_may_use_a_model_by_the_name_that_its_list_has() -> None:
    stage = Stage(replace(A, state="ready"), replace(B, state="ready"))
    models = ServedModels(stage.catalogue, stage.loading, {"small": "a"})
    set_caller(Caller(models=("small",)))

    assert models.served("small").name == "a"
    assert [model.name for model in models.listed()] == ["small"]
    for name in ("a", "b"):
        with pytest.raises(ModelNotFound):
            models.served(name)


async def test_the_list_tells_what_a_model_waits_for() -> None:
    stage = Stage(max_loaded_models=1)
    models = ServedModels(stage.catalogue, stage.loading, {})
    async with stage.using("a"):
        asking = [asyncio.create_task(stage.use(name)) for name in "bc"]
        await turns()
        reasons = {model.name: model.reason for model in models.listed()}
    await asyncio.gather(*asking)

    assert reasons["a"] == ""
    assert reasons["b"].startswith("it waits for room")
    assert reasons["c"] == "it waits for its turn to be loaded"
    assert all("waits" not in model.reason for model in models.listed())


async def test_a_loading_model_is_not_unloaded() -> None:
    stage = Stage()
    stage.control.may_go_on.clear()
    asking = asyncio.create_task(stage.use("a"))
    await turns()
    with pytest.raises(Conflict, match="being loaded"):
        await stage.loading.unload("a")

    stage.control.may_go_on.set()
    await asking


@pytest.mark.parametrize("state", ["ready", "unloaded"])
async def test_an_operators_load_ends_when_the_server_stops(state: ModelState) -> None:
    stage = Stage(replace(A, state=state))
    stage.control.may_go_on.clear()
    asking = asyncio.create_task(stage.loading.load("a"))
    await turns()
    stage.loading.stop()

    with pytest.raises(ShuttingDown):
        await asking
    with pytest.raises(ShuttingDown):
        await stage.loading.load("a")


async def test_what_another_worker_uses_is_not_idle() -> None:
    mute = [replace(model, state="ready") for model in (A, B)]
    stage = Stage(*mute, idle_unload_s=60)
    stage.control.unused = {"a": 1.0}
    async with asyncio.timeout(LIMIT_S), stage.loading.running(), stage.using("b"):
        await stage.control.used.wait()
        stage.clock.seconds += 99
    async with asyncio.timeout(LIMIT_S), stage.loading.running():
        stage.clock.seconds += 99
        await stage.control.unloaded.wait()

    assert stage.loaded == {"a"}
