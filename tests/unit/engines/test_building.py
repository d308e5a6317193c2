"""scripts/build_engine from a folder of weights to a model that the engine loads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.engines.cli import main
from tests.contract.engine_runs import PATIENCE_S
from tests.tensorrt_llm_machine import A10, DEMO, H100
from tests.unit.engines.checkpoints_made import TINY, write_checkpoint
from tests.unit.engines.tools_made import real_trial, workshop, write_modelopt
from triton_backend.llm.engines import open_engine
from triton_backend.llm.manifest import EngineManifest, GpuBuild, read_manifest

TWO_H100 = H100 + "\n" + H100.replace("0, GPU-1f", "1, GPU-1e")
Build = Callable[..., int]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny", TINY)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def build(tmp_path: Path, source: Path, repository: Path) -> Build:
    """Build the tiny model here; keyword arguments are the workshop's."""

    def run(*arguments: str, into: str = "shop", **shop: Any) -> int:
        (tmp_path / into).mkdir()
        with workshop(tmp_path / into, **shop) as examples:
            return main(
                ["--target", "tensorrt-llm", "--repository", str(repository), "--name", "gpu",
                 "--examples", str(examples), *arguments, str(source)]
            )  # fmt: skip

    return run


def built(repository: Path) -> tuple[EngineManifest, GpuBuild]:
    manifest = read_manifest(repository / "gpu" / "1")
    assert manifest.build is not None
    return manifest, manifest.build


def nothing_is_left(repository: Path) -> bool:
    return not repository.exists() or not list(repository.iterdir())


@pytest.mark.parametrize("way", [(), ("--no-container",)], ids=["container", "bare"])
def test_a_compiled_engine_is_built_and_loads(
    build: Build, tmp_path: Path, repository: Path, way: tuple[str, ...]
) -> None:
    assert build(*way) == 0

    manifest, made = built(repository)
    folder = repository / "gpu" / "1"
    (tmp_path / "serving").mkdir()
    with workshop(tmp_path / "serving"):
        open_engine(folder, manifest).close(timeout_s=PATIENCE_S)
    assert (made.sm, made.tensorrt_llm, made.driver) == (90, "1.2.1", "590.44.01")
    assert (manifest.quantization, made.flags["kv_cache_dtype"]) == ("fp8", "fp8")
    assert manifest.files.keys() >= {"engine/rank0.engine", "engine/config.json", "tokenizer.json"}
    assert manifest.tool_format == "hermes"
    assert manifest.source.files.keys() == {"config.json", "tokenizer.json", "model.safetensors"}
    assert "KIND_GPU" in (repository / "gpu" / "config.pbtxt").read_text(encoding="utf-8")
    assert [path.name for path in repository.iterdir()] == ["gpu"]


def test_two_gpus_share_an_engine(build: Build, repository: Path) -> None:
    assert build("--tp", "2", gpus=TWO_H100) == 0

    manifest, made = built(repository)
    assert made.tensor_parallel == 2
    assert made.flags["reduce_fusion"] == "enable"
    assert "engine/rank1.engine" in manifest.files


def test_an_adapter_is_built_in_and_served(build: Build, repository: Path, tmp_path: Path) -> None:
    config = tmp_path / "pirate" / "adapter_config.json"
    config.parent.mkdir()
    config.write_text('{"r": 16}', encoding="utf-8")

    assert build("--lora", str(config.parent)) == 0

    manifest, made = built(repository)
    assert "lora" in manifest.capabilities
    assert made.flags["max_lora_rank"] == "16"
    assert "lora/pirate/adapter_config.json" in manifest.files


def test_16_bit_weights_are_a_checkpoint_as_they_are(build: Build, repository: Path) -> None:
    assert build("--tensorrt-llm", "1.3.0", "--quantization", "bf16", version="1.3.0") == 0

    manifest, made = built(repository)
    assert (made.kind, manifest.quantization) == ("checkpoint", "bf16")
    assert 89 in made.runs_on
    assert "model.safetensors" in manifest.files


def test_a_checkpoint_is_quantized_by_modelopt(
    build: Build, repository: Path, tmp_path: Path
) -> None:
    modelopt = write_modelopt(tmp_path / "modelopt")

    status = build("--tensorrt-llm", "1.3.0", "--modelopt", str(modelopt), version="1.3.0")

    manifest, made = built(repository)
    assert status == 0
    assert (made.kind, manifest.quantization) == ("checkpoint", "fp8")
    assert "hf_quant_config.json" in manifest.files


def test_without_modelopt_what_is_needed_is_told(
    build: Build, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build("--tensorrt-llm", "1.3.0", version="1.3.0") == 2

    assert "name the folder with --modelopt" in capsys.readouterr().err
    assert nothing_is_left(repository)


def test_a_quantized_checkpoint_is_taken_as_it_is(
    build: Build, source: Path, repository: Path
) -> None:
    quantized = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (source / "hf_quant_config.json").write_text(json.dumps(quantized), encoding="utf-8")

    assert build("--tensorrt-llm", "1.3.0", version="1.3.0") == 0

    assert built(repository)[0].quantization == "fp8"


def test_a_model_is_built_again_for_another_gpu(
    build: Build, repository: Path, tmp_path: Path
) -> None:
    assert build("--quantization", "int8_wo") == 0
    (tmp_path / "other").mkdir()
    with workshop(tmp_path / "other", gpus=A10):
        assert main(["--rebuild", "gpu", "--repository", str(repository)]) == 0

    manifest, made = built(repository)
    assert (made.sm, made.gpu, manifest.quantization) == (86, "NVIDIA A10", "int8_wo")


def test_a_rebuild_takes_what_is_given_again_in_place_of_what_was(
    build: Build, repository: Path, tmp_path: Path
) -> None:
    assert build("--quantization", "int8_wo") == 0
    (tmp_path / "other").mkdir()
    again = ("--quantization", "int4_wo", "--max-batch", "4")
    with workshop(tmp_path / "other", gpus=A10):
        assert main(["--rebuild", "gpu", "--repository", str(repository), *again]) == 0

    manifest, made = built(repository)
    assert manifest.quantization == "int4_wo"
    assert made.arguments[-4:] == again


def test_a_rebuild_may_leave_the_trial_out(build: Build, repository: Path, tmp_path: Path) -> None:
    assert build() == 0
    (tmp_path / "other").mkdir()
    with workshop(tmp_path / "other", trial="exit 1"):
        assert main(["--rebuild", "gpu", "--repository", str(repository), "--no-trial"]) == 0
        assert main(["--rebuild", "gpu", "--repository", str(repository)]) == 1

    assert "--no-trial" not in built(repository)[1].arguments


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (["--modelopt", "/tmp"], "gpu was built with --modelopt, which names code to run"),
        (
            ["--no-container", "--examples=/tmp"],
            "gpu was built with --examples, which names code to run",
        ),
        (["--repository", "/"], "engine.json of gpu has the argument --repository"),
        (["--rebuild", "gpu"], "engine.json of gpu has the argument --rebuild"),
    ],
)
def test_a_rebuild_takes_no_code_and_no_place_from_a_file(
    build: Build,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    written: list[str],
    sentence: str,
) -> None:
    assert build() == 0
    path = repository / "gpu" / "1" / "engine.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["build"]["arguments"] += written
    path.write_text(json.dumps(manifest), encoding="utf-8")

    assert main(["--rebuild", "gpu", "--repository", str(repository)]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shop", "sentence"),
    [
        ({"known": "--checkpoint_dir"}, "This version's trtllm-build does not know --output_dir."),
        ({"version": "1.1.0"}, "The engine was built by TensorRT-LLM 1.1.0, not 1.2.1"),
    ],
)
def test_a_build_that_goes_wrong_is_one_sentence_and_leaves_nothing(
    build: Build,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    shop: dict[str, Any],
    sentence: str,
) -> None:
    assert build(**shop) == 1

    assert capsys.readouterr().err.startswith(sentence)
    assert nothing_is_left(repository)


@pytest.mark.parametrize("way", [(), ("--no-container",)], ids=["container", "bare"])
def test_a_finished_model_is_tried_by_the_engine_that_will_serve_it(
    build: Build,
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    way: tuple[str, ...],
) -> None:
    for name in ("tokenizer.json", "chat_template.jinja"):
        (source / name).write_bytes((DEMO / name).read_bytes())

    assert build(*way, trial=real_trial(tmp_path / "shop")) == 0

    said = capsys.readouterr().out
    assert "It says: '" in said
    assert "It says: ''" not in said


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        (
            """echo '{"error": "it was silent for five minutes."}'; echo bye; exit 1""",
            ("bye", "The compiled model cannot be served: it was silent for five minutes."),
        ),
        (
            "echo Segmentation fault; exit 139",
            ("Segmentation fault", "The engine died while it was tried (exit status 139)."),
        ),
    ],
)
def test_a_model_that_does_not_answer_is_not_kept(
    build: Build,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    trial: str,
    told: tuple[str, str],
) -> None:
    assert build(trial=trial) == 1

    said = capsys.readouterr()
    assert (told[0] in said.out, said.err.splitlines()) == (True, [told[1]])
    assert nothing_is_left(repository)


def test_a_busy_gpu_is_told_before_hours_of_work(
    build: Build, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = H100.replace("81000", "1000")

    assert build(gpus=busy) == 1
    assert "GPU 0 has 1.0 GiB free, and the engine needs" in capsys.readouterr().err
    assert nothing_is_left(repository)
    assert build("--no-trial", into="again", gpus=busy, trial="exit 1") == 0


@pytest.mark.parametrize("tool", ["trtllm-build", "quantize.py"])
def test_a_tool_that_fails_is_named(
    build: Build, repository: Path, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    assert build(fails=tool) == 1

    sentence = f"{tool} failed with exit code 1; its own words are above."
    assert sentence in capsys.readouterr().err.splitlines()
    assert nothing_is_left(repository)


def test_without_docker_the_way_around_is_told(
    source: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with workshop(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "bin"))
        arguments = ["--target", "tensorrt-llm", "--repository", str(repository), str(source)]

        assert main(arguments) == 1

    assert "--no-container" in capsys.readouterr().err
    assert nothing_is_left(repository)


def test_a_model_that_is_there_is_not_overwritten_unasked(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(into="first") == 0
    assert build(into="second") == 2
    assert build("--replace", into="third") == 0

    assert "already" in capsys.readouterr().err
