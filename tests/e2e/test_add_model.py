"""scripts/add_model as its user runs it, and what it added served by the real Triton."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import httpx
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from tests.unit.adding.checkpoints import make_checkpoint, make_weights
from triton_backend.llm.engines.simulated import write_model_folder

DEMO = ROOT / "model_repository" / "demo" / "1"
TEXT = "The Größe of 海 is naïve."


def add_model(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts" / "add_model"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conch]:
    """A Conch that serves `again`, added by the command, and `bytes`, whose tokens are bytes."""
    repository = tmp_path_factory.mktemp("grown")
    done = add_model(str(DEMO), "--name", "again", "--repository", str(repository))
    assert done.returncode == 0, done.stderr
    write_byte_model(repository)
    names = ["--model", "again", "--model", "bytes"]
    with running_conch("--repository", str(repository), *names) as conch:
        assert conch.url
        yield conch


def write_byte_model(repository: Path) -> None:
    """Write a simulated model with a tokenizer of its own: a token for each byte."""
    source = repository / ".tokenizer"
    copytree(DEMO, source)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({each: i for i, each in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(source / "tokenizer.json"))
    write_model_folder(
        repository, "bytes", first_token_ms=1, token_ms=1, max_batch=8, tokenizer_from=source
    )


async def test_an_added_model_answers_as_its_source(grown: Conch) -> None:
    body = {"model": "again", "messages": [{"role": "user", "content": "What is Conch?"}]}
    async with httpx.AsyncClient(base_url=grown.url, timeout=LIMIT_S) as client:
        answer = await client.post("/v1/chat/completions", json={**body, "temperature": 0})

    assert "Triton" in answer.json()["choices"][0]["message"]["content"]


async def test_two_models_with_different_tokenizers_are_served_at_once(grown: Conch) -> None:
    async def read(model: str) -> tuple[int, str]:
        asked = {"model": model, "prompt": TEXT}
        tokens = (await client.post("/tokenize", json=asked)).json()["tokens"]
        text = (await client.post("/detokenize", json={"model": model, "tokens": tokens})).json()
        return len(tokens), text["prompt"]

    async with httpx.AsyncClient(base_url=grown.url, timeout=LIMIT_S) as client:
        both = await asyncio.gather(*(read(model) for model in ("again", "bytes") * 8))

    assert {text for _, text in both} == {TEXT}
    assert {length for length, _ in both[1::2]} == {len(TEXT.encode())}
    assert {length for length, _ in both[::2]} < set(range(len(TEXT.encode())))


def test_the_plan_of_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "source")
    repository = tmp_path / "repository"
    done = add_model(str(source), "--repository", str(repository), "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "Qwen2ForCausalLM" in done.stdout
    assert not repository.exists()


def test_what_cannot_be_served_is_told_in_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    truncated = make_checkpoint(tmp_path / "truncated")
    make_weights(truncated / "model.safetensors", cut=9)
    halved = tmp_path / "halved"
    copytree(DEMO, halved)
    weights = halved / "openvino_model.bin"
    weights.write_bytes(weights.read_bytes()[:100_000])
    repository = tmp_path / "repository"

    for source, sentence in (
        (truncated, "is truncated"),
        (halved, "The compiled model cannot be served"),
        (tmp_path / "nothing", "There is no file or folder"),
    ):
        done = add_model(str(source), "--repository", str(repository))
        assert done.returncode in (1, 2)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stderr
        assert not repository.exists() or not list(repository.iterdir())
