"""Log lines: ours and those of libraries, to one place and in one form."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from frontend_api.logs import configure_logging


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Log as a server does, into memory."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    lines = io.StringIO()
    configure_logging("info", "json", ["a-secret"], lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_our_lines_and_those_of_libraries_have_one_form(written: io.StringIO) -> None:
    structlog.get_logger("ours").warning("it is a-secret")
    logging.getLogger("some.library").warning("it is %s", "a-secret")

    ours, theirs = (json.loads(line) for line in written.getvalue().splitlines())
    assert ours["timestamp"] <= theirs["timestamp"]
    assert {**ours, "timestamp": ""} == {**theirs, "timestamp": ""}
    assert ours == {"event": "it is ***", "level": "warning", "timestamp": ours["timestamp"]}


@pytest.mark.parametrize(
    ("method", "level"),
    [("info", "info"), ("error", "error"), ("exception", "error"), ("critical", "critical")],
)
def test_a_line_says_its_level_whichever_method_wrote_it(
    method: str, level: str, written: io.StringIO
) -> None:
    log = structlog.get_logger("ours")
    log.debug("below the level")
    try:
        raise ValueError("broken")
    except ValueError:
        getattr(log, method)("fault")

    (line,) = (json.loads(each) for each in written.getvalue().splitlines())
    assert (line["event"], line["level"]) == ("fault", level)
    assert ("ValueError: broken" in line.get("exception", "")) == (method == "exception")
