"""GET /v1/models: what every model is, and what state it is in."""

from typing import Any
from urllib.parse import quote

import pytest

from frontend_api.domain.model import ServedModel
from frontend_api.ports import ModelCatalogue
from tests.web.fake_triton import FakeTriton, listening
from tests.web.fakes import FakeCatalogue
from tests.web.running import running_app
from tests.web.triton_running import connected, ready, until

LOST = "it failed to load (demo: engine.json is missing.)"


async def get(url: str, *models: ServedModel) -> Any:
    async with running_app(catalogue=FakeCatalogue(*models)) as client:
        response = await client.get(url)
        return response.status_code, await response.get_json()


def states(catalogue: ModelCatalogue) -> dict[str, tuple[str, str]]:
    return {model.name: (model.state, model.reason) for model in catalogue.listed()}


async def test_a_model_says_what_it_is() -> None:
    model = ServedModel(
        "demo",
        created=7,
        engine="openvino",
        quantization="int8",
        context_length=64,
        capabilities=frozenset({"seed", "n"}),
        tool_format="hermes",
        reasoning_format="think",
        max_sequences=8,
        load_s=1.5,
        memory_bytes=1_000_000,
    )

    _, answer = await get("/v1/models/demo", model)

    assert answer == {
        "id": "demo",
        "object": "model",
        "created": 7,
        "owned_by": "conch",
        "x_conch": {
            "state": "ready",
            "reason": None,
            "engine": "openvino",
            "quantization": "int8",
            "context_length": 64,
            "capabilities": ["n", "seed"],
            "tool_format": "hermes",
            "reasoning_format": "think",
            "alias_of": None,
            "base": None,
            "max_sequences": 8,
            "load_seconds": 1.5,
            "loading_seconds": None,
            "loading_percent": None,
            "memory_bytes": 1_000_000,
        },
    }


async def test_a_model_that_is_not_ready_says_why() -> None:
    model = ServedModel("demo", state="failed", reason="its process has ended")

    status, answer = await get("/v1/models/demo", model)

    assert status == 200
    assert answer["x_conch"]["state"] == "failed"
    assert answer["x_conch"]["reason"] == "its process has ended"


@pytest.mark.parametrize("root", ["/v1/models/", "/models/"])
@pytest.mark.parametrize("name", ["org/model", "a b", "ü", "v1.5:latest", "a/b/c"])
@pytest.mark.parametrize("is_encoded", [True, False])
async def test_any_name_is_found_encoded_or_not(root: str, name: str, is_encoded: bool) -> None:
    url = root + quote(name, safe="" if is_encoded else "/")

    status, answer = await get(url, ServedModel(name))

    assert (status, answer["id"]) == (200, name)


async def test_triton_tells_the_state_of_every_model_ready_ones_first() -> None:
    fake = FakeTriton()
    fake.states = {"a": "UNAVAILABLE", "b": "LOADING", "c": "UNAVAILABLE", "demo": "READY"}
    fake.reasons = {
        "a": "unloaded",
        "c": "Internal: TritonModelException: demo: engine.json is missing.\n\nAt:\n  /x/model.py",
    }
    async with ready(fake) as triton:
        seen = states(triton.catalogue)

    assert list(seen) == ["demo", "a", "b", "c"]
    assert seen == {
        "demo": ("ready", ""),
        "a": ("unloaded", "it is not loaded"),
        "b": ("loading", "it is loading"),
        "c": ("failed", LOST),
    }


async def test_a_report_of_triton_with_a_path_is_not_shown() -> None:
    fake = FakeTriton()
    fake.states["other"] = "UNAVAILABLE"
    fake.reasons["other"] = "Internal: failed to load '/srv/models/other/1/model.py'"
    async with ready(fake) as triton:
        assert states(triton.catalogue)["other"] == ("failed", "it failed to load")


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (
            "Internal: TritonModelException: gpu: it was built for SM 90, and GPU 0 here is SM 86. "
            "Run `scripts/build_engine --rebuild gpu`.\n\nAt:\n  /x/model.py",
            "gpu: it was built for SM 90, and GPU 0 here is SM 86. "
            "Run `scripts/build_engine --rebuild gpu`.",
        ),
        (
            "Invalid argument: instance group gpu_0 of model gpu specifies invalid or unsupported "
            "gpu id 0. GPUs with at least the minimum required CUDA compute compatibility of "
            "6.000000 are: ",
            "Triton sees no NVIDIA GPU that it could use",
        ),
    ],
)
async def test_a_model_of_another_gpu_tells_what_mends_it(report: str, reason: str) -> None:
    fake = FakeTriton()
    fake.states["gpu"] = "UNAVAILABLE"
    fake.reasons["gpu"] = report
    async with ready(fake) as triton:
        assert states(triton.catalogue)["gpu"] == ("failed", f"it failed to load ({reason})")


async def test_a_model_that_cannot_stream_is_not_ours() -> None:
    fake = FakeTriton()
    fake.is_decoupled = False
    async with listening(fake) as port, connected(port) as triton:
        await until(lambda: bool(triton.catalogue.names()))

        assert list(triton.catalogue.listed()) == []


async def test_tool_and_reasoning_format_come_from_the_model() -> None:
    fake = FakeTriton()
    fake.description |= {"tool_format": "hermes", "reasoning_format": None}
    fake.description |= {"opens_thinking": [None, True]}
    async with ready(fake) as triton:
        (model,) = triton.catalogue.listed()

    assert (model.tool_format, model.reasoning_format) == ("hermes", None)
    assert model.opens_thinking == (None, True)


@pytest.mark.parametrize(("told", "known"), [(8, 8), (0, None), (None, None)])
async def test_a_model_tells_how_many_answers_it_makes_at_once(
    told: int | None, known: int | None
) -> None:
    fake = FakeTriton()
    fake.description |= {"max_sequences": told}
    async with ready(fake) as triton:
        assert triton.catalogue.get("demo").max_sequences == known
