"""The command line of scripts/train_demo."""

from pathlib import Path

import pytest

from scripts.demo.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, output = tmp_path / "work", tmp_path / "demo"

    code = main(["--dry-run", "--work", str(work), "--output", str(output)], ROOT)

    said = capsys.readouterr().out
    assert code == 0
    assert "held out" in said
    assert str(output) in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argv", [["--minutes", "soon"], ["--minutes", "-1"], ["--threads", "0"], ["--unknown"]]
)
def test_a_wrong_argument_is_one_sentence_and_exit_code_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv, ROOT)

    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.count("\n") == 1


def test_help_shows_a_working_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"], ROOT)

    assert stop.value.code == 0
    assert "Example: scripts/train_demo --minutes 60" in capsys.readouterr().out


def test_a_corpus_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--dry-run"], tmp_path)

    assert code == 2
    assert "no questions found" in capsys.readouterr().err
