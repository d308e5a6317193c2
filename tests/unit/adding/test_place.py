"""A model gets into the repository whole or not at all."""

from pathlib import Path

import pytest

from scripts.adding.errors import AddingError
from scripts.adding.place import put_in_place, require_free, require_space, staged


def test_what_was_begun_is_gone_after_a_failure(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with staged(tmp_path, "m") as folder:
            (folder / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    assert list(tmp_path.iterdir()) == []


def test_a_repository_that_was_not_there_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), staged(tmp_path / "new", "m"):
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_a_finished_model_appears_under_its_name(tmp_path: Path) -> None:
    with staged(tmp_path, "m") as folder:
        (folder / "config.pbtxt").touch()
        assert not list(tmp_path.glob("*/config.pbtxt"))
        put_in_place(folder, tmp_path / "m")

    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_model_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "old").touch()
    with staged(tmp_path, "m") as folder:
        (folder / "new").touch()
        put_in_place(folder, tmp_path / "m")

    assert [path.name for path in (tmp_path / "m").iterdir()] == ["new"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".adding" / "m").mkdir(parents=True)
    (tmp_path / ".adding" / "m" / "half").touch()

    with staged(tmp_path, "m") as folder:
        assert list(folder.iterdir()) == []


def test_a_replacement_that_was_killed_between_two_renames_is_undone(tmp_path: Path) -> None:
    (tmp_path / ".adding" / "m.old").mkdir(parents=True)

    with pytest.raises(RuntimeError), staged(tmp_path, "m"):
        raise RuntimeError

    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_one_model_is_added_by_one_command_at_a_time(tmp_path: Path) -> None:
    with staged(tmp_path, "m"):
        with staged(tmp_path, "other"):
            pass
        with pytest.raises(AddingError, match="Another command"), staged(tmp_path, "m"):
            pass


def test_a_name_that_is_taken_and_a_full_disk_are_told_first(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()

    with pytest.raises(AddingError, match="already"):
        require_free(tmp_path, "m", replaces=False)
    require_free(tmp_path, "m", replaces=True)
    with pytest.raises(AddingError, match="MB are needed"):
        require_space(tmp_path / "not yet", 10**18)
