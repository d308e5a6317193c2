"""The command line of scripts/build_engine."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from scripts.adding.arguments import ROOT
from scripts.engines.cli import main, parse
from tests.unit.engines.checkpoints_made import LLAMA_8B, TINY, write_checkpoint

TARGET = ("--target", "tensorrt-llm")
PLANNED = (*TARGET, "--gpu", "sm90", "--gpu-memory", "80", "--dry-run")


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "Llama-3.1-8B", LLAMA_8B)


def test_a_dry_run_prints_the_plan_and_changes_nothing(llama: Path, tmp_path: Path) -> None:
    said: list[str] = []
    before = sorted(tmp_path.rglob("*"))

    status = main([*PLANNED, "--repository", str(tmp_path / "models"), str(llama)], said.append)

    (plan,) = said
    assert status == 0
    assert sorted(tmp_path.rglob("*")) == before
    for words in (
        "8.03 B weights", "SM 90, 80.0 GiB", "weights fp8, KV cache fp8", "26.07-trtllm-python-py3",
        "KiB a token", "tokens at once", "about 5 min", "docker run --rm --init --gpus",
        "quantize.py --model_dir", "trtllm-build --checkpoint_dir",
        "python3 -m scripts.adding.trial MODEL/1",
    ):  # fmt: skip
        assert words in plan


def test_calibration_with_data_of_ones_own_has_no_network(llama: Path, tmp_path: Path) -> None:
    said: list[str] = []

    main([*PLANNED, str(llama)], said.append)
    main([*PLANNED, "--calibration", str(tmp_path), str(llama)], said.append)

    assert [plan.count("--network none") for plan in said] == [1, 3]  # a trial never has one


def test_the_trial_sees_the_code_and_the_model_and_nothing_else(llama: Path) -> None:
    said: list[str] = []

    main([*PLANNED, str(llama)], said.append)

    trial = said[0].splitlines()[-1]
    code = [f"{ROOT / name}:{ROOT / name}:ro" for name in ("scripts", "triton_backend")]
    words = trial.split()
    assert [after for word, after in pairwise(words) if word == "--volume"] == [
        *code, "MODEL/1:MODEL/1:ro",
    ]  # fmt: skip
    assert f"--workdir {ROOT} " in trial
    assert "--network none" in trial


def test_without_a_trial_none_is_planned(llama: Path) -> None:
    said: list[str] = []

    main([*PLANNED, "--no-trial", str(llama)], said.append)

    assert "scripts.adding.trial" not in said[0]


def test_no_container_runs_the_tools_themselves(llama: Path) -> None:
    said: list[str] = []

    main([*PLANNED, "--no-container", str(llama)], said.append)

    assert "  $ trtllm-build " in said[0]
    assert f"  $ cd {ROOT} && python3 -m scripts.adding.trial MODEL/1" in said[0]
    assert "docker" not in said[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--target is missing, one of tensorrt-llm; see scripts/build_engine --help."),
        (("--target", "abacus"), "Argument --target: invalid choice: 'abacus'"),
        (TARGET, "A folder with a model is missing; see scripts/build_engine --help."),
        ((*TARGET, "--gpu", "sm75", "x"), "Argument --gpu: 'sm75' is none of sm80, sm86"),
        ((*TARGET, "--gpu-memory", "much", "x"), "Argument --gpu-memory: 'much' is not a size"),
        ((*TARGET, "--name", "../x", "x"), "Argument --name: '../x' is no name"),
        (("--rebuild", ".."), "Argument --rebuild: '..' is no name"),
        ((*TARGET, "--tp", "0", "x"), "Argument --tp: '0' is not a number above 0"),
        ((*TARGET, "--lora", "nowhere", "x"), "Argument --lora: there is no folder nowhere"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(sentence)
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--quantization", "bf16", "--calibration", "."), "--calibration changes nothing"),
        (("--tensorrt-llm", "1.3.0", "--calibration", "."), "--calibration changes nothing"),
        (("--modelopt", "."), "--modelopt is for checkpoints"),
    ],
)
def test_what_would_change_nothing_is_refused(
    llama: Path, arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLANNED, *arguments, str(llama)], lambda _: None) == 2

    assert capsys.readouterr().err.startswith(sentence)


def test_two_adapters_of_one_name_are_refused_before_anything_is_built(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapters = [tmp_path / where / "pirate" for where in ("one", "other")]
    for adapter in adapters:
        adapter.mkdir(parents=True)
    arguments = [part for adapter in adapters for part in ("--lora", str(adapter))]

    assert main([*PLANNED, *arguments, str(llama)], lambda _: None) == 2

    assert capsys.readouterr().err.startswith("Two adapters of --lora have one name")


def test_a_described_gpu_is_only_planned_for(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "models"

    status = main([*PLANNED[:-1], "--repository", str(repository), str(llama)], lambda _: None)

    assert status == 2
    assert "--gpu only plans" in capsys.readouterr().err
    assert not repository.exists()


def test_a_checkpoint_is_planned_with_a_clone_still_to_come(llama: Path, tmp_path: Path) -> None:
    said: list[str] = []
    arguments = [*PLANNED, "--tensorrt-llm", "1.3.0", "--repository", str(tmp_path), str(llama)]

    assert main(arguments, said.append) == 0

    assert "MODELOPT/examples/llm_ptq/scripts/huggingface_example.sh" in said[0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: os.truncate(folder / "model.safetensors", 20_000), "is truncated"),
        (lambda folder: (folder / "config.json").write_text("{}"), "config.json"),
        (lambda folder: (folder / "hf_quant_config.json").write_text("[]"), "cannot be read"),
    ],
)
def test_a_broken_source_is_one_sentence(
    spoil: object, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_checkpoint(tmp_path / "tiny", TINY)
    assert callable(spoil)
    spoil(folder)

    assert main([*PLANNED, str(folder)], lambda _: None) != 0

    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_only_what_lasts_is_kept_for_a_rebuild(llama: Path) -> None:
    options = parse(
        [*TARGET, "--gpu=sm90", "--gpu-memory", "80", "--dry-run", "--name", "x",
         "--no-trial", "--lora", os.path.relpath(llama), "--tp", "2", os.path.relpath(llama)]
    )  # fmt: skip

    assert options.arguments == [*TARGET, "--lora", str(llama), "--tp", "2", str(llama)]


def test_a_model_of_another_kind_is_not_rebuilt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--rebuild", "demo"]) == 2
    assert main(["--rebuild", "nowhere", "--repository", str(tmp_path)]) == 1

    assert capsys.readouterr().err.splitlines() == [
        "demo was not built for a GPU by this command.",
        "nowhere: engine.json is missing.",
    ]


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert "scripts/build_engine --target tensorrt-llm --gpu sm90" in capsys.readouterr().out
