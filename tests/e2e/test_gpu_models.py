"""Models of a GPU that is not here: listed with the reason, while the others are served."""

from pathlib import Path
from typing import Any

import httpx

from scripts.engines.served_model import CONFIG
from tests.e2e.conch_process import running_conch
from tests.tensorrt_llm_machine import DEMO, engine_folder
from triton_backend.llm.engines.simulated import write_model_folder


def test_a_model_that_cannot_run_here_tells_why_and_the_others_go_on(tmp_path: Path) -> None:
    write_model_folder(
        tmp_path, "fake", first_token_ms=0, token_ms=0, max_batch=4, tokenizer_from=DEMO
    )
    folder = engine_folder(tmp_path).parent
    # Triton 2.51 refuses KIND_GPU itself where it sees no GPU; both ways are told.
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    moved = folder.rename(tmp_path / "gpu-kind")
    by_model = engine_folder(tmp_path).parent
    (by_model / "config.pbtxt").write_text(CONFIG.replace("KIND_GPU", "KIND_CPU").replace(
        ", gpus: [ 0 ]", ""), encoding="utf-8")  # fmt: skip
    models = ("fake", moved.name, by_model.name)

    arguments = [word for model in models for word in ("--model", model)]
    with running_conch("--repository", str(tmp_path), *arguments) as conch:
        listed = httpx.get(f"{conch.url}/v1/models", timeout=30).json()["data"]
        is_serving = conch.is_serving("fake")

    states: dict[str, Any] = {model["id"]: model["x_conch"] for model in listed}
    assert is_serving
    assert [states[name]["state"] for name in models] == ["ready", "failed", "failed"]
    assert "Triton sees no NVIDIA GPU" in states[moved.name]["reason"]
    assert states[by_model.name]["reason"].endswith(
        "gpu: it needs 1 NVIDIA GPU, and none can be seen here. "
        "Run `scripts/build_engine --rebuild gpu`.)"
    )
