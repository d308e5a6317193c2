"""Which engine is built for which GPU."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.adding.errors import AddingError
from scripts.engines.choices import Choice, Wishes, choose
from scripts.engines.containers import image_of
from scripts.engines.formats import FAMILIES, FORMATS
from scripts.engines.gpu_choice import choose_gpus, parse_sm
from scripts.engines.memory import GIB
from scripts.engines.profiles import PROFILES
from scripts.engines.source_model import SourceModel, read_source
from tests.unit.engines.checkpoints_made import LLAMA_8B, QWEN_7B, TINY, write_checkpoint
from triton_backend.llm.engines.tensorrt_llm_gpus import Gpu

H100 = Gpu(0, "GPU-1", "NVIDIA H100 80GB HBM3", 90, 80 * GIB, 79 * GIB, "590.44")


@pytest.fixture
def llama(tmp_path: Path) -> SourceModel:
    return read_source(write_checkpoint(tmp_path / "Llama-3.1-8B", LLAMA_8B))


def chosen(
    source: SourceModel, sm: int, gib: float, *, is_engine: bool = True, **wishes: Any
) -> Choice:
    return choose(source, PROFILES[sm], int(gib * GIB), Wishes(**wishes), is_engine=is_engine)


@pytest.mark.parametrize(
    ("sm", "gib", "weights", "kv_cache"),
    [
        (80, 80, "bf16", ""),
        (86, 24, "int4_awq", "int8"),  # 16 bits would leave a quarter for the cache
        (86, 48, "bf16", ""),
        (89, 24, "fp8", "fp8"),
        (90, 80, "fp8", "fp8"),
        (100, 180, "fp8", "fp8"),
        (103, 270, "fp8", "fp8"),
        (120, 16, "fp8", "fp8"),
        (89, 8, "int4_awq", "int8"),  # fp8 does not fit
    ],
)
def test_each_gpu_gets_the_format_that_suits_it(
    llama: SourceModel, sm: int, gib: float, weights: str, kv_cache: str
) -> None:
    shape = chosen(llama, sm, gib).shape

    assert (shape.weights, shape.kv_cache) == (weights, kv_cache)


@pytest.mark.parametrize(("sm", "weights"), [(90, "fp8"), (100, "nvfp4"), (120, "nvfp4")])
def test_checkpoints_prefer_what_the_pytorch_flow_does_best(
    llama: SourceModel, sm: int, weights: str
) -> None:
    assert chosen(llama, sm, 80, is_engine=False).shape.weights == weights


def test_a_family_without_fp8_engines_gets_none(tmp_path: Path) -> None:
    qwen = read_source(write_checkpoint(tmp_path / "qwen", QWEN_7B))

    assert chosen(qwen, 90, 80).shape.weights == "bf16"
    assert chosen(qwen, 90, 20).shape.weights == "int4_awq"
    with pytest.raises(AddingError, match="fp8 is not supported for qwen 2 on SM 90"):
        chosen(qwen, 90, 80, weights="fp8")


def test_the_plan_counts_weights_and_cache_exactly(llama: SourceModel) -> None:
    memory = chosen(llama, 80, 80).memory

    assert memory.weights_bytes == 2 * llama.facts.num_parameters
    assert llama.facts.num_parameters == 8_029_995_008  # as published, but for norms
    assert memory.bytes_per_token == 2 * 32 * 8 * 128 * 2


def test_gpus_share_weights_and_heads(llama: SourceModel) -> None:
    one, four = chosen(llama, 80, 80), chosen(llama, 80, 80, tensor_parallel=4)

    assert four.memory.weights_bytes == one.memory.weights_bytes // 4
    assert four.memory.bytes_per_token == one.memory.bytes_per_token // 4


def test_the_context_is_shortened_to_what_fits_unless_it_was_asked_for(
    llama: SourceModel,
) -> None:
    narrow = chosen(llama, 86, 17.5, weights="bf16", max_batch_size=8)

    assert narrow.shape.context_length < PROFILES[86].max_seq_len
    assert narrow.memory.cache_tokens >= narrow.shape.context_length
    with pytest.raises(AddingError, match="does not fit"):
        chosen(llama, 86, 17.5, weights="bf16", max_batch_size=8, context_length=8192)


def test_what_does_not_fit_is_refused_with_its_size(llama: SourceModel) -> None:
    with pytest.raises(AddingError, match=r"needs \d\.\d GiB on the GPU .* there are 5\.0") as told:
        chosen(llama, 86, 5)

    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"tensor_parallel": 5}, "--tp 5 does not divide the 32 attention heads"),
        ({"pipeline_parallel": 40}, "--pp may be at most the 32 layers"),
        ({"context_length": 200_000}, "context is 131072 tokens"),
        ({"kv_cache": "fp8", "is_engine": False}, "--kv-cache is for compiled engines"),
    ],
)
def test_impossible_wishes_are_refused(
    llama: SourceModel, wishes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AddingError, match=sentence):
        chosen(llama, 90, 80, **wishes)


@pytest.mark.parametrize(
    ("quantized_as", "is_engine", "sentence"),
    [("FP8", True, "quantized already"), ("NVFP4", False, "does not run on this GPU")],
)
def test_a_quantized_source_is_only_taken_where_it_runs(
    llama: SourceModel, quantized_as: str, is_engine: bool, sentence: str
) -> None:
    source = replace(llama, quantized_as=quantized_as)

    with pytest.raises(AddingError, match=sentence):
        chosen(source, 90, 80, is_engine=is_engine)


def test_a_model_the_flow_does_not_know_is_refused(tmp_path: Path) -> None:
    moe = write_checkpoint(tmp_path / "moe", TINY | {"architectures": ["Qwen3MoeForCausalLM"]})

    with pytest.raises(AddingError, match="Qwen3MoeForCausalLM cannot be built"):
        chosen(read_source(moe), 90, 80)


def test_every_format_of_every_table_is_defined() -> None:
    named = {one for f in FAMILIES.values() for one in (*(f.engine or ()), *(f.checkpoint or ()))}
    for profile in PROFILES.values():
        named |= {*profile.engine, *profile.checkpoint, *profile.kv_cache}
        assert set(profile.kv_cache.values()) <= set(profile.kv_caches)

    assert named <= FORMATS.keys()


def test_the_gpus_of_the_machine_are_taken_in_order() -> None:
    second = replace(H100, index=1, total_bytes=40 * GIB)

    choice = choose_gpus((H100, second), None, None, 2)

    assert (choice.profile.sm, choice.total_bytes, len(choice.gpus)) == (90, 40 * GIB, 2)


def test_a_smaller_share_of_the_gpu_can_be_planned_for() -> None:
    assert choose_gpus((H100,), None, 40, 1).total_bytes == 40 * GIB


@pytest.mark.parametrize(
    ("gpus", "sm", "memory", "num", "sentence"),
    [
        ((), None, None, 1, "There is no NVIDIA GPU here"),
        ((H100,), None, None, 2, "2 GPUs are asked for"),
        ((H100, replace(H100, sm=86)), None, None, 2, "The GPUs differ"),
        ((replace(H100, sm=75),), None, None, 1, "no profile for SM 75"),
        ((replace(H100, total_bytes=0),), None, None, 1, "does not tell the memory"),
        ((), 90, None, 1, "--gpu-memory 80"),
    ],
)
def test_gpus_that_cannot_be_built_for_are_refused(
    gpus: tuple[Gpu, ...], sm: int | None, memory: float | None, num: int, sentence: str
) -> None:
    with pytest.raises(AddingError, match=sentence):
        choose_gpus(gpus, sm, memory, num)


def test_an_architecture_is_written_in_several_ways() -> None:
    assert [parse_sm(text) for text in ("sm90", "SM_90", "sm-120")] == [90, 90, 120]


@pytest.mark.parametrize(
    ("version", "has_engines"), [("1.2.1", True), ("1.0.0", True), ("1.3.0", False)]
)
def test_each_version_has_its_image(version: str, has_engines: bool) -> None:
    image = image_of(version)

    assert image.has_engines == has_engines
    assert image.tensorrt_llm == version


def test_a_version_of_no_known_image_is_refused() -> None:
    with pytest.raises(AddingError, match=r"1\.2\.1, 1\.2\.0"):
        image_of("0.9.0")
