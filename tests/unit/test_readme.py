"""README.md's table leads to files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"^\| behaviour \| file \|$.*?(?=^$)", re.MULTILINE | re.DOTALL)


def paths_in_the_table() -> list[Path]:
    """Every path in backquotes; a bare name lies in the folder of the one before it."""
    found = TABLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    paths: list[Path] = []
    for line in found[0].splitlines()[2:]:
        for name in re.findall(r"`([^`]+)`", line.split("|")[2]):
            is_bare = "/" not in name
            paths.append(paths[-1].parent / name if is_bare else ROOT / name)
    return paths


def test_every_file_of_the_table_exists() -> None:
    paths = paths_in_the_table()

    assert len(paths) > 40
    assert [str(path) for path in paths if not path.exists()] == []
