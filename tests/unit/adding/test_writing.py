"""What is written beside a compiled model."""

from pathlib import Path

from scripts.adding.inspection import Facts
from scripts.adding.planning import make_plan
from scripts.adding.sources import Source
from scripts.adding.writing import ENGINE_FILES, write_model
from triton_backend.llm.integrity import sha256
from triton_backend.llm.manifest import read_manifest


def test_every_file_of_the_engine_is_written_down_to_be_checked_at_load(tmp_path: Path) -> None:
    made, folder = tmp_path / "made", tmp_path / "m"
    made.mkdir()
    folder.mkdir()
    for name in ENGINE_FILES:
        (made / name).write_text(name)
    source = Source("checkpoint", made, "owner/model", "abc123")
    facts = Facts(
        architecture="Qwen2ForCausalLM",
        context_length=512,
        eos_token_ids=(1, 2),
        chat_template=None,
        num_parameters=1000,
        num_bytes=2000,
        kv_values=64,
    )
    plan = make_plan(source, facts, "m", "int8", context=512, compares=False)

    version = write_model(folder, made, source, facts, plan)

    assert read_manifest(version).files == {name: sha256(version / name) for name in ENGINE_FILES}
