"""A model that was built for another machine is refused in one sentence, with what mends it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tensorrt_llm_machine import (
    A10,
    BUILD,
    DEMO,
    H100,
    checkpoint_folder,
    engine_folder,
    machine,
)
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.tensorrt_llm_check import (
    ranks_over_nodes,
    refuse_other_machine,
    version_numbers,
)
from triton_backend.llm.engines.tensorrt_llm_gpus import Gpu, read_gpus
from triton_backend.llm.errors import LoadError
from triton_backend.llm.manifest import GpuBuild, read_manifest

REMEDY = " Run `scripts/build_engine --rebuild gpu`."
MIB = 2**20


def gpus(*lines: str, **environ: str) -> tuple[Gpu, ...]:
    return read_gpus(lambda command: "\n".join(lines), environ)


@pytest.mark.parametrize(
    ("build", "line", "version", "sentence"),
    [
        ({}, "", "1.2.1", "gpu: it needs 1 NVIDIA GPU, and none can be seen here."),
        (
            {"tensor_parallel": 2}, H100, "1.2.1",
            "gpu: it needs 2 NVIDIA GPUs, and 1 can be seen here.",
        ),
        (
            {}, A10, "1.2.1",
            "gpu: it was built for SM 90 (NVIDIA H100 80GB HBM3), and GPU 0 here is SM 86 "
            "(NVIDIA A10).",
        ),
        (
            {}, H100, "1.1.0",
            "gpu: it was built by TensorRT-LLM 1.2.1, and 1.1.0 is installed.",
        ),
        ({}, H100, None, "gpu: it needs TensorRT-LLM 1.2.1, and none is installed here."),
        (
            {"memory_bytes": 90_000 * MIB}, H100, "1.2.1",
            "gpu: it needs 87.9 GiB of memory on each GPU, and GPU 0 has 79.1 GiB free of 79.6.",
        ),
    ],
)  # fmt: skip
def test_another_machine_is_refused_with_what_mends_it(
    tmp_path: Path,
    build: dict[str, int],
    line: str,
    version: str | None,
    sentence: str,
) -> None:
    folder = engine_folder(tmp_path, build=_changed(build))

    with pytest.raises(LoadError) as caught:
        refuse_other_machine(folder, read_manifest(folder), gpus(line), version)

    assert str(caught.value) == sentence + REMEDY


def _changed(changes: dict[str, int]) -> GpuBuild:
    return replace(
        BUILD,
        tensor_parallel=changes.get("tensor_parallel", BUILD.tensor_parallel),
        memory_bytes=changes.get("memory_bytes", BUILD.memory_bytes),
    )


def test_the_machine_it_was_built_for_is_taken(tmp_path: Path) -> None:
    folder = engine_folder(tmp_path)

    refuse_other_machine(folder, read_manifest(folder), gpus(H100), "1.2.1")


def test_an_engine_over_several_nodes_needs_a_rank_for_each_of_its_gpus(tmp_path: Path) -> None:
    folder = engine_folder(tmp_path, build=_changed({"tensor_parallel": 4}))
    two_of_four = gpus(H100, H100.replace("0,", "1,", 1))
    launched = {"TLLM_SPAWN_PROXY_PROCESS": "1", "tllm_mpi_size": "4"}

    refuse_other_machine(
        folder, read_manifest(folder), two_of_four, "1.2.1", ranks_over_nodes(launched)
    )

    with pytest.raises(LoadError, match="needs 4 NVIDIA GPUs, and MPI was started with 2 ranks"):
        refuse_other_machine(folder, read_manifest(folder), two_of_four, "1.2.1", 2)
    assert ranks_over_nodes({"tllm_mpi_size": "4"}) == 0


@pytest.mark.parametrize("version", ["1.3.0", "1.4.0rc1", "1.2.1"])
def test_a_checkpoint_runs_on_any_version_with_its_flow(tmp_path: Path, version: str) -> None:
    folder = checkpoint_folder(tmp_path)

    refuse_other_machine(folder, read_manifest(folder), gpus(H100), version)


def test_a_checkpoint_needs_the_pytorch_flow(tmp_path: Path) -> None:
    folder = checkpoint_folder(tmp_path)

    with pytest.raises(LoadError, match=r"needs TensorRT-LLM 1\.0 or later"):
        refuse_other_machine(folder, read_manifest(folder), gpus(H100), "0.21.0")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "gpu: rank0.engine is missing."),
        (b"another", "gpu: rank0.engine is not the file that was built."),
    ],
)
def test_missing_and_altered_files_are_named(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    folder = engine_folder(tmp_path / "repository")
    (folder / "engine" / "rank0.engine").unlink()
    if content is not None:
        (folder / "engine" / "rank0.engine").write_bytes(content)

    with machine(tmp_path), pytest.raises(LoadError) as caught:
        open_engine(folder, read_manifest(folder))

    assert str(caught.value) == sentence + REMEDY


def test_a_manifest_without_its_build_is_refused(tmp_path: Path) -> None:
    manifest = replace(read_manifest(DEMO), engine="tensorrt_llm")

    with pytest.raises(LoadError, match="does not say for which GPU"):
        refuse_other_machine(tmp_path / "gpu" / "1", manifest, gpus(H100), "1.2.1")


def test_an_engine_shorter_than_its_context_is_refused(tmp_path: Path) -> None:
    folder = engine_folder(tmp_path / "repository")
    manifest = replace(read_manifest(folder), context_length=100_000)

    with machine(tmp_path), pytest.raises(LoadError, match="built for 4096"):
        open_engine(folder, manifest)


def test_gpus_are_read_as_nvidia_smi_lists_them() -> None:
    (gpu,) = gpus(H100)

    assert (gpu.name, gpu.sm, gpu.driver) == ("NVIDIA H100 80GB HBM3", 90, "590.44.01")
    assert (gpu.total_bytes, gpu.free_bytes) == (81559 * MIB, 81000 * MIB)


def test_memory_that_is_not_told_is_not_judged(tmp_path: Path) -> None:
    folder = engine_folder(tmp_path)
    unknown = gpus("0, GPU-1f, NVIDIA GB10, 9.0, [N/A], [N/A], 590.44")

    refuse_other_machine(folder, read_manifest(folder), unknown, "1.2.1")


def test_without_a_driver_there_are_no_gpus() -> None:
    def fail(command: object) -> str:
        raise FileNotFoundError(command)

    assert read_gpus(fail, {}) == ()


@pytest.mark.parametrize(
    ("visible", "indexes"), [("1", [1]), ("1,0", [1, 0]), ("GPU-2e", [1]), ("", [])]
)
def test_the_gpus_that_cuda_may_see_are_taken_in_its_order(
    visible: str, indexes: list[int]
) -> None:
    lines = (H100, A10.replace("0,", "1,", 1))

    assert [one.index for one in gpus(*lines, CUDA_VISIBLE_DEVICES=visible)] == indexes


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("1.2.1", (1, 2, 1)), ("1.3.0rc20", (1, 3, 0)), ("1.0.3.2510", (1, 0, 3, 2510)), ("", ())],
)
def test_versions_are_compared_by_their_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(version) == numbers
