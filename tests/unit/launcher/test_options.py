"""The command line of scripts/serve, and that any Python 3 reads what comes before an install."""

import ast
from pathlib import Path

import pytest

from scripts.launcher import options

ROOT = Path(__file__).parents[3]
READ_BY_ANY_PYTHON = (
    "scripts/serve",
    "scripts/launcher/bootstrap.py",
    "scripts/launcher/options.py",
)


def test_what_is_not_given_is_left_to_the_configuration() -> None:
    parsed = options.parse([])

    assert set(vars(parsed).values()) == {None}


def test_all_options_are_read() -> None:
    parsed = options.parse(
        ["--host", "::1", "--port", "8080", "--workers", "2", "--model", "a", "--model", "b"]
    )

    assert (parsed.host, parsed.port, parsed.workers, parsed.model) == ("::1", 8080, 2, ["a", "b"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--port", "70000"],
        ["--port", "http"],
        ["--workers", "0"],
        ["--config", "/nowhere/config.toml"],
        ["--repository", "/nowhere"],
        ["--triton-url", "http://localhost:8001"],
        ["--triton-url", "localhost"],
        ["--metrics-port", "70000"],
        ["--wokers", "2"],
        ["demo"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_ends_with_one_sentence_and_exit_code_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(argv)

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert argv[-1] in printed.err


@pytest.mark.parametrize("name", READ_BY_ANY_PYTHON)
def test_python_3_7_can_parse_what_runs_before_the_version_is_checked(name: str) -> None:
    # Newer syntax than 3.7 (the oldest that `ast` can check for) would hide our own sentence.
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))
