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
