"""The log of a run stays bounded."""

from pathlib import Path

from scripts.launcher.bounded_log import BoundedLog


def test_beyond_the_limit_the_file_is_put_aside_once(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "conch.log", max_bytes=10)

    for chunk in (b"first 8\n", b"second8\n", b"third 8\n"):
        log.write(chunk)
    log.close()

    assert (tmp_path / "conch.log").read_bytes() == b"third 8\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conch.log", "conch.log.1"]


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    log = BoundedLog(Path("/dev/full"))

    for _ in range(3):
        log.write(b"no room for this\n")
    log.close()


def test_what_cannot_be_put_aside_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "conch.log", max_bytes=10)
    (tmp_path / "conch.log.1").mkdir()

    for chunk in (b"first 8\n", b"second8\n", b"3\n"):
        log.write(chunk)
    log.close()

    assert (tmp_path / "conch.log").read_bytes() == b"first 8\n3\n"
