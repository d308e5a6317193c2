"""The size and naming limits of CONTRIBUTING.md, kept by a test instead of by review."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("frontend_api", "triton_backend", "scripts", "tests")
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 45
MAX_POSITIONAL_PARAMETERS = 5
BANNED_NAMES = {"utils", "helpers", "manager", "common", "data", "info"}


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return [name for name in names if name not in {"self", "cls"}]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_its_functions_keep_the_limits(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    is_test = path.relative_to(ROOT).parts[0] == "tests"

    too_long = [
        f"{f.name}:{f.lineno}"
        for f in functions(path)
        if f.end_lineno is not None and f.end_lineno - f.lineno + 1 > MAX_FUNCTION_LINES
    ]
    # A test's parameters are its fixtures: they are counted by nobody who reads it.
    too_many = [
        f"{f.name}:{f.lineno}"
        for f in functions(path)
        if not is_test and len(positional(f)) > MAX_POSITIONAL_PARAMETERS
    ]

    assert lines <= MAX_FILE_LINES
    assert path.stem not in BANNED_NAMES
    assert too_long == []
    assert too_many == []
