"""NVIDIA's stock contract both ways: their models behind Conch, their clients on our models."""

import queue
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import numpy as np
import pytest
from openai import AsyncOpenAI
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import np_to_triton_dtype

from scripts.adding.__main__ import main as add_model
from scripts.launcher.bootstrap import ROOT
from scripts.listing.cli import main as list_models
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from tests.e2e.stock_repository import write_stock_models

STOCK_NAMES = ("ensemble", "tensorrt_llm_bls")
CHAT = [{"role": "user", "content": "Hello shell"}]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conch]:
    """A Conch in front of stock models; `lent` has only demo's template for the ensemble."""
    repository = tmp_path_factory.mktemp("stock")
    (repository / "demo").symlink_to(ROOT / "model_repository" / "demo")
    version = ROOT / "model_repository" / "demo" / "1"
    add = [str(version), "--tokenizer-only", "--name", "lent", "--repository", str(repository)]
    assert add_model(add, print) == 0
    write_stock_models(repository)
    models = [part for name in ("demo", "lent", *STOCK_NAMES) for part in ("--model", name)]
    environ = {"CONCH_MODELS__CHAT_TEMPLATES": '{"ensemble": "lent"}'}
    with running_conch("--repository", str(repository), *models, environ=environ) as conch:
        assert conch.url
        yield conch


@pytest.fixture
async def client(foreign: Conch) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{foreign.url}/v1", api_key="unused", max_retries=0, timeout=LIMIT_S
    ) as client:
        yield client


@pytest.mark.parametrize("model", STOCK_NAMES)
async def test_a_stock_model_streams_a_completion_and_tells_why_it_ended(
    client: AsyncOpenAI, model: str
) -> None:
    stream = await client.completions.create(
        model=model, prompt="one two three four", max_tokens=3, seed=5, stop=["x"], stream=True
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two three "
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_a_stock_models_answer_comes_whole_with_its_counts(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="ensemble", prompt="a b", max_tokens=9)

    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("a b ", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 2)


async def test_a_chat_with_a_stock_model_goes_through_the_template_it_was_lent(
    client: AsyncOpenAI,
) -> None:
    answer = await client.chat.completions.create(model="ensemble", messages=CHAT)  # type: ignore[arg-type]

    prompt = answer.choices[0].message.content
    assert prompt is not None
    assert "Hello shell" in prompt
    assert prompt.strip() != "Hello shell"


async def test_a_model_that_is_only_a_tokenizer_refuses_to_generate(foreign: Conch) -> None:
    async with httpx.AsyncClient(base_url=foreign.url, timeout=LIMIT_S) as http:
        refused = await http.post("/v1/chat/completions", json={"model": "lent", "messages": CHAT})
        split = await http.post("/tokenize", json={"model": "lent", "messages": CHAT})

    assert (refused.status_code, split.status_code) == (400, 200)
    assert "generates nothing" in refused.json()["error"]["message"]


async def test_a_stock_model_without_a_template_refuses_chats(foreign: Conch) -> None:
    async with httpx.AsyncClient(base_url=foreign.url, timeout=LIMIT_S) as http:
        body = {"model": "tensorrt_llm_bls", "messages": CHAT}
        answer = await http.post("/v1/chat/completions", json=body)

    assert answer.status_code == 400
    assert "models.chat_templates" in answer.json()["error"]["message"]


def test_all_of_them_are_in_the_table(foreign: Conch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_models(["--url", foreign.url]) == 0

    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:3] for line in lines] == [
        ["demo", "ready", "openvino"],
        ["ensemble", "ready", "-"],
        ["lent", "ready", "tokenizer"],
        ["tensorrt_llm_bls", "ready", "-"],
    ]


def tensor(name: str, values: list[object], datatype: type) -> InferInput:
    array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.array([values], dtype=datatype)
    made = InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
    made.set_data_from_numpy(array)
    return made


def stock_inputs(**extra: object) -> list[InferInput]:
    """What NVIDIA's own client of the ensemble sends."""
    values: Mapping[str, tuple[object, type]] = {
        "text_input": (b"What is Conch?", np.object_),
        "max_tokens": (8, np.int32),
        "min_tokens": (8, np.int32),
        "temperature": (1.0, np.float32),
        "top_k": (1, np.int32),
        "top_p": (0.5, np.float32),
        "seed": (3, np.uint64),
        "stream": (True, np.bool_),
        **extra,  # type: ignore[dict-item]
    }
    return [tensor(name, [value], datatype) for name, (value, datatype) in values.items()]


def answered(conch: Conch, inputs: list[InferInput]) -> list[bytes]:
    """Return the texts that a plain streaming client of Triton's gets from `demo`."""
    incoming: queue.Queue[tuple[object, Exception | None]] = queue.Queue()
    texts = []
    with InferenceServerClient(conch.triton_address) as client:
        client.start_stream(lambda result, error: incoming.put((result, error)))
        outputs = [InferRequestedOutput("text_output")]
        client.async_stream_infer("demo", inputs, outputs=outputs, enable_empty_final_response=True)
        is_final = False
        while not is_final:
            result, error = incoming.get(timeout=LIMIT_S)
            if error is not None:
                raise error
            response = result.get_response()  # type: ignore[attr-defined]
            is_final = response.parameters["triton_final_response"].bool_param
            text = result.as_numpy("text_output")  # type: ignore[attr-defined]
            texts += [] if text is None else [bytes(text.flat[0])]
        client.stop_stream()
    return texts


def test_a_client_of_the_stock_ensemble_streams_from_our_model(foreign: Conch) -> None:
    texts = answered(foreign, stock_inputs())

    assert len(texts) > 1
    assert b"".join(texts)


def test_a_client_of_the_stock_ensemble_has_the_whole_answer_of_our_model(
    foreign: Conch,
) -> None:
    pieces = answered(foreign, stock_inputs())
    inputs = stock_inputs(stream=(False, np.bool_), exclude_input_in_output=(True, np.bool_))

    assert [text for text in answered(foreign, inputs) if text] == [b"".join(pieces)]
