"""A LoRA adapter of a model is a model, `base:adapter`."""

from dataclasses import replace

import pytest

from frontend_api.domain.errors import ModelNotFound
from frontend_api.domain.model import ServedModel
from frontend_api.service.callers import Caller, set_caller
from frontend_api.service.model_loading import ModelLoading
from frontend_api.service.served_models import ServedModels
from frontend_api.settings import ModelSettings
from tests.web.fake_triton import FakeTriton, delta, text
from tests.web.fakes import FakeCatalogue, FakeControl, FakeGenerator, FixedClock, words
from tests.web.running import ask, running_app
from tests.web.triton_running import REQUEST, ready, run

BASE = ServedModel(
    "qwen", engine="fake", capabilities=frozenset({"lora"}), lora_names=("law", "pirate")
)
PLAIN = ServedModel("plain", engine="fake", capabilities=frozenset())


def served(*models: ServedModel, **aliases: str) -> ServedModels:
    catalogue = FakeCatalogue(*models)
    control = FakeControl(catalogue)
    loading = ModelLoading(catalogue, control, ModelSettings(), FixedClock())
    return ServedModels(catalogue, loading, aliases)


def test_adapters_are_listed_after_their_base() -> None:
    models = served(BASE, PLAIN, lawyer="qwen:law").listed()

    assert [(model.name, model.base, model.alias_of) for model in models] == [
        ("plain", None, None), ("qwen", None, None), ("qwen:law", "qwen", None),
        ("qwen:pirate", "qwen", None), ("lawyer", "qwen", "qwen:law"),
    ]  # fmt: skip


def test_the_base_runs_for_its_adapter() -> None:
    models = served(BASE, PLAIN, lawyer="qwen:law")

    assert models.served("qwen:law").name == models.served("lawyer").name == "qwen"
    assert [models.adapter(name) for name in ("qwen:law", "lawyer", "qwen")] == [
        "law", "law", None,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["qwen:poet", "plain:law", "gone:law", "qwen:", ":law", ":"])
def test_an_adapter_that_is_not_there_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound, match=f"`{name}`"):
        served(BASE, PLAIN).served(name)


async def test_a_key_needs_the_adapter_itself_in_its_list() -> None:
    models = served(BASE)
    set_caller(Caller(models=("qwen:law",)))

    assert [model.name for model in models.listed()] == ["qwen:law"]
    assert models.served("qwen:law").name == "qwen"
    for name in ("qwen", "qwen:pirate"):
        with pytest.raises(ModelNotFound):
            models.served(name)


class Learning(FakeControl):
    """A model tells its adapters when it is loaded."""

    async def load(self, name: str) -> None:
        await super().load(name)
        self.catalogue.models[name] = BASE


async def test_a_base_that_was_never_loaded_is_loaded_to_tell_its_adapters() -> None:
    for name, is_found in (("qwen:law", True), ("qwen:poet", False)):
        catalogue = FakeCatalogue(ServedModel("qwen", state="unloaded"))
        control = Learning(catalogue)
        loading = ModelLoading(catalogue, control, ModelSettings(), FixedClock())
        models = ServedModels(catalogue, loading, {})

        if is_found:
            assert (await models.described(name)).name == name
        else:
            with pytest.raises(ModelNotFound):
                await models.described(name)
        assert control.calls == [("load", "qwen")]


async def test_a_chat_with_an_adapter_asks_its_base_for_it() -> None:
    generator = FakeGenerator(words("Arr"))
    async with running_app(generator, catalogue=FakeCatalogue(BASE)) as client:
        body = ask() | {"model": "qwen:pirate"}
        answer = await (await client.post("/v1/chat/completions", json=body)).get_json()

    (request,) = generator.requests
    assert (request.model, request.lora_name) == ("qwen", "pirate")
    assert answer["model"] == "qwen:pirate"


async def test_a_model_tells_its_adapters_and_is_asked_for_one() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    fake.description |= {"lora_names": ["pirate"]}
    async with ready(fake) as triton:
        (model,) = triton.catalogue.listed()
        await run(triton, replace(REQUEST, lora_name="pirate"))

    assert model.lora_names == ("pirate",)
    assert fake.tensor("lora_name") == text("pirate")
