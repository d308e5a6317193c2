"""A benchmark is written down, read again, and drawn."""

import dataclasses
import json
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.benchmark.cli import main
from scripts.benchmark.figures import Figures
from scripts.benchmark.record import Record, Run, read_record, this_machine, write_record

MAX_PNG_BYTES = 300_000
EVIL = "<script>alert(1)</script>"


def figures(tokens_per_s: float) -> Figures:
    return Figures(tokens_per_s, 10.0, 20.0, 5.0, 100.0, 128)


RECORD = Record(
    started_at="2026-11-23T00:00:00+00:00",
    machine={"cores": "2", "processor": EVIL},
    model="demo",
    tokens=128,
    workers=1,
    runs=[
        Run(step, streams, number, figures(streams * 100.0 + number))
        for streams in (1, 8)
        for number in (1, 2, 3)
        for step in ("engine", "triton", "http")
    ],
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "runs.json"
    write_record(RECORD, path)
    return path


def test_what_was_written_is_read_again_and_has_the_medians_of_its_rounds(written: Path) -> None:
    record = read_record(written)

    assert record == RECORD
    assert record.streams() == [1, 8]
    assert record.middle("http", 8).tokens_per_s == 802


@pytest.mark.slow
def test_a_picture_and_a_page_are_drawn_from_a_record(written: Path, tmp_path: Path) -> None:
    png, html = tmp_path / "report.png", tmp_path / "report.html"

    assert main(["--from", str(written), "--png", str(png), "--html", str(html)]) == 0

    picture = png.read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (1210, 429)
    assert len(picture) < MAX_PNG_BYTES
    page = html.read_text(encoding="utf-8")
    assert EVIL not in page
    assert "<td>802</td>" in page
    assert _asked_for(page) == set()


def _asked_for(page: str) -> set[str]:
    """Return the addresses that a browser would fetch for this page."""
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for name, value in attrs:
                if name in ("src", "href", "xlink:href") and value and not value.startswith("#"):
                    found.add(value)

    Reader().feed(page)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"conch_benchmark": 2}),
        json.dumps({"conch_benchmark": 1, "runs": []}),
        json.dumps({"conch_benchmark": 1, **dataclasses.asdict(RECORD), "runs": []}),
    ],
)
def test_a_file_that_is_no_record_is_one_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)

    assert main(["--from", str(path), "--png", str(tmp_path / "x.png")]) == 1

    assert capsys.readouterr().err == f"{path} is not what scripts/bench --json writes.\n"


def test_a_record_where_a_step_is_missing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.json"
    write_record(dataclasses.replace(RECORD, runs=RECORD.runs[:-1]), path)

    assert main(["--from", str(path), "--png", str(tmp_path / "x.png")]) == 1
    assert "is not what" in capsys.readouterr().err


def test_a_place_that_is_no_file_is_one_sentence(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", str(written), "--png", str(tmp_path)]) == 1

    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [["--json", "/not/there/x.json"], ["--from", "/not/there"], ["--from", __file__]],
    ids=" ".join,
)
def test_a_wrong_argument_is_one_sentence(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)

    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_machine_is_told_without_its_name() -> None:
    told = this_machine()

    assert set(told) == {"system", "processor", "cores", "python"}
    assert all(told.values())
