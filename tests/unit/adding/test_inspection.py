"""What a checkpoint is, read from its files; and what is wrong with it, in one sentence."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.adding.errors import AddingError
from scripts.adding.inspection import (
    chat_template,
    eos_ids,
    inspect_checkpoint,
    reasoning_format,
    tool_format,
)
from tests.unit.adding.checkpoints import make_checkpoint, make_weights, write


def test_a_checkpoint_tells_its_size_and_its_context(tmp_path: Path) -> None:
    facts = inspect_checkpoint(make_checkpoint(tmp_path))

    assert (facts.architecture, facts.context_length) == ("Qwen2ForCausalLM", 4096)
    assert (facts.num_parameters, facts.eos_token_ids) == (640, (7,))
    # 2 layers, keys and values, 2 heads of 16 numbers
    assert facts.kv_values == 2 * 2 * 2 * 16


def test_the_text_part_of_a_model_that_also_sees_counts(tmp_path: Path) -> None:
    text = {"max_position_embeddings": 99, "num_hidden_layers": 1}

    assert inspect_checkpoint(make_checkpoint(tmp_path, text_config=text)).context_length == 99


def test_every_way_to_name_an_end_token_counts(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, eos_token_id=[1, 2])
    write(tmp_path / "generation_config.json", {"eos_token_id": 3})
    write(
        tmp_path / "tokenizer_config.json",
        {"eos_token": {"content": "</s>"}, "chat_template": "{{ m }}<|im_end|>"},
    )
    names = ("</s>", "<|im_end|>", "<|eot_id|>")
    tokens = [{"id": 10 + i, "content": name} for i, name in enumerate(names)]
    write(tmp_path / "tokenizer.json", {"added_tokens": tokens})

    # The last is in the vocabulary, but the template never writes it.
    assert eos_ids(tmp_path) == (1, 2, 3, 10, 11)


def test_a_template_may_be_a_file_a_string_or_one_of_several(tmp_path: Path) -> None:
    assert chat_template(tmp_path) is None
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    write(tmp_path / "tokenizer_config.json", {"chat_template": several})
    assert chat_template(tmp_path) == "d"
    (tmp_path / "chat_template.jinja").write_text("file")
    assert chat_template(tmp_path) == "file"


def test_formats_are_recognised_by_what_the_template_writes() -> None:
    assert tool_format("…<tool_call>…") == "hermes"
    assert tool_format('Environment: ipython … "parameters"') == "llama3_json"
    assert (tool_format("plain"), tool_format(None)) == (None, None)
    assert (reasoning_format("…</think>…"), reasoning_format(None)) == ("think", None)


def test_truncated_weights_are_told_with_both_sizes(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    make_weights(tmp_path / "model.safetensors", cut=100)

    with pytest.raises(AddingError, match=r"model.safetensors is truncated: \d+ bytes of \d+"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no weights at all", bytes(64)])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (make_checkpoint(tmp_path) / "model.safetensors").write_bytes(content)

    with pytest.raises(AddingError, match="no safetensors file"):
        inspect_checkpoint(tmp_path)


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    make_checkpoint(tmp_path)
    shards = {"a": "model-1.safetensors", "b": "model.safetensors"}
    write(tmp_path / "model.safetensors.index.json", {"weight_map": shards})

    with pytest.raises(AddingError, match=r"model-1\.safetensors is missing"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, sentence: str) -> None:
    (make_checkpoint(tmp_path) / name).unlink()

    with pytest.raises(AddingError, match=sentence):
        inspect_checkpoint(tmp_path)


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path, auto_map={"AutoModel": "modeling.Own"})

    with pytest.raises(AddingError, match="Python code of its own"):
        inspect_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_config_is_refused(tmp_path: Path, text: str) -> None:
    (make_checkpoint(tmp_path) / "config.json").write_text(text, encoding="latin-1")

    with pytest.raises(AddingError, match=r"config.json of .* (cannot be read|is not a JSON)"):
        inspect_checkpoint(tmp_path)


def test_a_context_that_is_not_told_must_be_given(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path, max_position_embeddings=None)

    with pytest.raises(AddingError, match="--context"):
        inspect_checkpoint(folder)


ODD: tuple[object, ...] = (
    [],
    {},
    "text",
    7,
    True,
    [[]],
    [{"name": []}],
    {"content": []},
    None,
    1.5,
)
FIELDS = (
    "architectures", "max_position_embeddings", "num_attention_heads", "hidden_size", "head_dim",
    "num_key_value_heads", "num_hidden_layers", "eos_token_id", "text_config",
)  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_field_of_any_type_is_read_or_told_in_a_sentence(tmp_path: Path, value: object) -> None:
    for field in FIELDS:
        folder = make_checkpoint(tmp_path, **{field: value})
        with suppress(AddingError):
            inspect_checkpoint(folder)
    make_checkpoint(tmp_path)
    for name in ("added_tokens", "chat_template", "eos_token"):
        for file in ("tokenizer.json", "tokenizer_config.json"):
            write(tmp_path / file, {name: value})
            with suppress(AddingError):
                inspect_checkpoint(tmp_path)


@pytest.mark.parametrize("weight_map", [None, [], "x", {"w": 1}, {"w": "../other.safetensors"}])
def test_an_index_that_names_no_files_beside_it_is_refused(
    tmp_path: Path, weight_map: object
) -> None:
    make_checkpoint(tmp_path)
    write(tmp_path / "model.safetensors.index.json", {"weight_map": weight_map})

    with pytest.raises(AddingError, match="in which files the weights are"):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "header", [[], 1, {"w": 1}, {"w": {"data_offsets": ["a", "b"], "shape": [1]}}]
)
def test_a_header_of_weights_of_another_form_is_refused(tmp_path: Path, header: object) -> None:
    make_checkpoint(tmp_path)
    raw = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw)

    with pytest.raises(AddingError, match="is no safetensors file"):
        inspect_checkpoint(tmp_path)


def test_a_template_that_is_no_text_is_told(tmp_path: Path) -> None:
    (make_checkpoint(tmp_path) / "chat_template.jinja").write_bytes(b"\xff\xfe")

    with pytest.raises(AddingError, match=r"chat_template.jinja .* is no text"):
        inspect_checkpoint(tmp_path)
