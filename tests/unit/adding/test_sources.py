"""Where a model comes from; the hub itself is never asked here."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from scripts.adding.errors import AddingError
from scripts.adding.sources import locate
from tests.unit.adding.checkpoints import make_checkpoint


def test_a_folder_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint")
    compiled = make_checkpoint(tmp_path / "compiled")
    (compiled / "openvino_model.xml").touch()
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "model-q4.gguf").touch()

    kinds = {
        path.name: locate(str(path), None, is_offline=True).kind
        for path in (checkpoint, compiled, tmp_path / "single", tmp_path / "single/model-q4.gguf")
    }

    assert kinds == {
        "checkpoint": "checkpoint",
        "compiled": "openvino",
        "single": "gguf",
        "model-q4.gguf": "gguf",
    }


def test_what_is_no_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "a.gguf").touch()
    (tmp_path / "several" / "b.gguf").touch()
    (tmp_path / "notes.txt").touch()

    for name, sentence in (
        (str(tmp_path), "no model"),
        (str(tmp_path / "several"), "2 .gguf files"),
        (str(tmp_path / "notes.txt"), "no .gguf file"),
        ("not there", "no file or folder"),
    ):
        with pytest.raises(AddingError, match=sentence) as refusal:
            locate(name, None, is_offline=True)
        assert refusal.value.exit_code == 2


def test_a_revision_is_for_the_hub_only(tmp_path: Path) -> None:
    with pytest.raises(AddingError, match="--revision"):
        locate(str(make_checkpoint(tmp_path)), "main", is_offline=True)


@pytest.mark.parametrize("name", ["owner/model", "owner/model/weights-q4.gguf"])
def test_offline_only_what_was_fetched_before_is_found(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(AddingError, match="owner/model cannot be fetched: it was not fetched"):
        locate(name, None, is_offline=True)
