"""The logs of Triton and the API stay bounded."""

from pathlib import Path

from scripts.launcher.bounded_log import TAIL_LINES, BoundedLog


def test_beyond_the_limit_the_file_is_put_aside_once(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "triton.log", max_bytes=10)

    for chunk in (b"first 8\n", b"second8\n", b"third 8\n"):
        log.write(chunk)
    log.close()

    assert (tmp_path / "triton.log").read_bytes() == b"third 8\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["triton.log", "triton.log.1"]


def test_the_tail_is_the_last_lines_even_of_undecodable_output(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "triton.log")

    log.write(b"".join(b"line %d\n" % number for number in range(100)) + b"\xff\n")
    log.close()

    lines = log.tail().splitlines()
    assert len(lines) == TAIL_LINES
    assert lines[-2].strip() == "line 99"
