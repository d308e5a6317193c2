"""A served model without Triton: admits requests, runs tasks, and closes in order.

Requests are admitted on a few threads of their own, since a template, a long prompt or a
grammar can take a while and Triton hands requests over on one thread.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .backlog import Backlog
from .contract import Tensor
from .delivery import Delivery
from .description import Description
from .engines import open_engine
from .engines.protocol import Engine, EngineStats
from .engines.tensorrt_llm_options import adapters_in
from .errors import EngineFailed, Overloaded, RequestError
from .exchange import Exchange, ResponseStream
from .generation import Generation
from .json_values import JsonValue
from .manifest import EngineManifest, read_manifest
from .postprocessing import OutputOptions, OutputSequence
from .preprocessing import Encoded, Preprocessor, open_preprocessor
from .reply import Reply
from .request import GenerationRequest, TokenPrompt
from .request_reader import read_request
from .tokenizer import Tokenizer, open_tokenizer

_ADMISSION_THREADS: Final = 4
# Requests that are being admitted or answered beside those the engine has.
_MAX_IN_ADMISSION: Final = 64
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a version folder holds, opened; the engine makes room for what `backlog` counts.

    version: the name of the folder. load_s: how long opening it took. lora_names: the adapters
    that a request may ask for.
    """

    manifest: EngineManifest
    tokenizer: Tokenizer
    preprocessor: Preprocessor
    engine: Engine
    backlog: Backlog = field(default_factory=Backlog)
    version: str = ""
    load_s: float = 0.0
    lora_names: Sequence[str] = ()


def open_model(folder: Path) -> ServedModel:
    """Everything in a version folder; LoadError is one plain sentence."""
    started = time.monotonic()
    manifest = read_manifest(folder)
    tokenizer = open_tokenizer(folder)
    preprocessor = open_preprocessor(folder, manifest, tokenizer)
    backlog = Backlog()
    engine = open_engine(folder, manifest, backlog)
    return ServedModel(
        manifest,
        tokenizer,
        preprocessor,
        engine,
        backlog,
        version=folder.name,
        load_s=time.monotonic() - started,
        lora_names=list(adapters_in(folder)) if "lora" in manifest.capabilities else (),
    )


class Service:
    """Serves one model to Triton."""

    def __init__(
        self, model: ServedModel, max_waiting: int, on_stats: Callable[[EngineStats], None]
    ) -> None:
        self._model = model
        max_running = model.engine.stats().max_running
        found: dict[str, JsonValue] = {
            "opens_thinking": list(model.preprocessor.opens_thinking),
            "max_sequences": max_running,
            "version": model.version,
            "load_s": round(model.load_s, 1),
            "lora_names": list(model.lora_names),
        }
        self._description = Description(model.manifest, found)
        self._max_sequences = max_running + max_waiting
        self._delivery = Delivery(lambda: on_stats(model.engine.stats()), model.backlog)
        self._admission = ThreadPoolExecutor(_ADMISSION_THREADS, "admission")
        self._submission = threading.Lock()

    def accept(
        self, tensors: Mapping[str, Tensor], wanted: Collection[str], stream: ResponseStream
    ) -> None:
        """Take a request over; every answer, errors too, goes to its stream later."""
        exchange = Exchange(stream, self._delivery.announce)
        self._delivery.watch(exchange)
        if _is_describe(tensors):
            # At once: who asks whether the model lives must not wait behind long prompts.
            self._admit(exchange, tensors, wanted)
            return
        if self._delivery.num_live > self._max_sequences + _MAX_IN_ADMISSION:
            exchange.fail(_overloaded())
            return
        self._model.backlog.add()
        self._admission.submit(self._admit_counted, exchange, tensors, wanted)

    def close(self, timeout_s: float) -> None:
        """Cancel what runs, send the last responses and stop all threads, about in this time."""
        self._admission.shutdown(wait=False, cancel_futures=True)
        self._model.engine.close(timeout_s)
        self._delivery.close(timeout_s)

    def _admit_counted(
        self, exchange: Exchange, tensors: Mapping[str, Tensor], wanted: Collection[str]
    ) -> None:
        try:
            self._admit(exchange, tensors, wanted)
        finally:
            self._model.backlog.done()

    def _admit(
        self, exchange: Exchange, tensors: Mapping[str, Tensor], wanted: Collection[str]
    ) -> None:
        try:
            self._perform(exchange, read_request(tensors), wanted)
        except RequestError as error:
            exchange.fail(error)
        except Exception:
            _LOG.exception("a request could not be admitted")
            exchange.fail(EngineFailed("The request could not be processed."))

    def _perform(
        self, exchange: Exchange, request: GenerationRequest, wanted: Collection[str]
    ) -> None:
        match request.task:
            case "generate":
                self._description.set_used()
                self._generate(exchange, request, wanted)
            case "tokenize":
                encoded = self._encode(request)
                ids = encoded.ids
                exchange.answer(Reply(ids=ids, text=encoded.text, num_input_tokens=len(ids)))
            case "detokenize":
                text = self._encode(request).text
                exchange.answer(Reply(text=text))
            case "describe":
                if not self._model.engine.is_alive:
                    raise EngineFailed("The engine has stopped.")
                exchange.answer(Reply(text=self._description.text(self._model.engine.stats())))

    def _generate(
        self, exchange: Exchange, request: GenerationRequest, wanted: Collection[str]
    ) -> None:
        preprocessor, engine = self._model.preprocessor, self._model.engine
        preprocessor.refuse_unsupported(request)
        prompt = self._encode(request)
        params = preprocessor.settle(request, len(prompt.ids))
        engine.check(params[0])
        generation = Generation(self._outputs(request, prompt, wanted), exchange.changed)
        with self._submission:
            if exchange.is_cancelled:
                exchange.answer(Reply(finish_reason="cancelled"))
                return
            stats = engine.stats()
            if stats.running + stats.waiting + request.n > self._max_sequences:
                raise _overloaded()
            if request.is_acknowledged:
                exchange.acknowledge(Reply(num_input_tokens=len(prompt.ids)))
            generation.start(engine, prompt.ids, params)
        exchange.attach(generation)

    def _encode(self, request: GenerationRequest) -> Encoded:
        # Only `describe`, which has no prompt, may leave it out: the contract checks that.
        return self._model.preprocessor.encode(request.prompt or TokenPrompt(()))

    def _outputs(
        self, request: GenerationRequest, prompt: Encoded, wanted: Collection[str]
    ) -> list[OutputSequence]:
        tokenizer = self._model.tokenizer
        has_tops = request.sampling.top_log_probs > 0 and "top_log_probs" in wanted
        options = OutputOptions(
            is_stream=request.is_stream,
            has_text="text_output" in wanted,
            stop_words=request.stop_words,
            prefix=prompt.text if request.has_echo else "",
            num_input_tokens=len(prompt.ids),
            token_bytes=tokenizer.token_bytes if "output_tokens" in wanted else None,
            top_bytes=tokenizer.token_bytes if has_tops else None,
        )
        return [
            OutputSequence(index, tokenizer.detokenizer(), options) for index in range(request.n)
        ]


def _is_describe(tensors: Mapping[str, Tensor]) -> bool:
    return "task" in tensors and tensors["task"].tolist() == [[b"describe"]]


def _overloaded() -> Overloaded:
    return Overloaded("The model has too many requests waiting; try again later.")
