"""A folder with a tokenizer and a chat template becomes a model without weights."""

from pathlib import Path

import pytest

from scripts.adding.__main__ import main
from tests.unit.backend.tokenizers_made import byte_level_json
from triton_backend.llm.engines.protocol import SequenceParams
from triton_backend.llm.errors import EngineFailed, InvalidRequest
from triton_backend.llm.request import Sampling
from triton_backend.llm.service import open_model

TEMPLATE = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Stock"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(byte_level_json(), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def add(source: Path, repository: Path, *more: str) -> tuple[int, list[str]]:
    said: list[str] = []
    status = main(
        [str(source), "--tokenizer-only", "--repository", str(repository), *more], said.append
    )
    return status, said


def test_it_is_added_and_shows_what_its_template_prints(source: Path, repository: Path) -> None:
    status, said = add(source, repository)

    assert status == 0
    assert said[1] == "It prints: '<s>user: Hello!</s>'"
    assert 'chat_templates = { ensemble = "stock" }' in said[2]
    assert (repository / "stock" / "config.pbtxt").is_file()


def test_it_generates_nothing_and_says_so(source: Path, repository: Path) -> None:
    add(source, repository)
    engine = open_model(repository / "stock" / "1").engine
    params = SequenceParams(Sampling(), 1, 0, ())

    with pytest.raises(InvalidRequest, match="generates nothing"):
        engine.check(params)
    with pytest.raises(EngineFailed):
        engine.submit([1], params, print)


@pytest.mark.parametrize(
    ("template", "more", "sentence"),
    [
        ("{{ messages.x.y }}", (), "The chat template cannot be served"),
        ("{% for %}", (), "cannot be served"),
        (TEMPLATE, ("--quantization", "int4"), "--tokenizer-only takes a folder"),
    ],
)
def test_what_cannot_be_added_is_one_sentence_and_leaves_nothing(
    *,
    source: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    template: str,
    more: tuple[str, ...],
    sentence: str,
) -> None:
    (source / "chat_template.jinja").write_text(template, encoding="utf-8")
    status, _ = add(source, repository, *more)

    said = capsys.readouterr().err
    assert (status > 0, sentence in said, said.count("\n")) == (True, True, 1)
    assert not (repository / "stock").exists()


def test_a_folder_without_a_tokenizer_or_template_is_told(
    source: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "chat_template.jinja").unlink()
    assert add(source, repository)[0] == 1
    (source / "tokenizer.json").unlink()
    assert add(source, repository)[0] == 1

    assert capsys.readouterr().err.splitlines() == [
        "Stock has no chat template.", "Stock has no tokenizer.json.",
    ]  # fmt: skip
