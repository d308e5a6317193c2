"""Guides (JSON schema, regex, EBNF) for OpenVINO, compiled apart before the engine sees them.

The pipeline compiles a guide inside `step`: a guide that does not compile ends every request in
flight, and a large one holds all of them up (62 s were seen for 200 patterns). So each guide is
compiled first by a pipeline of its own, whose model is a constant, in a thread of its own.
"""

import queue
import re
import tempfile
import threading
import warnings
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
import openvino_genai
from openvino import opset13 as ops

from ..errors import InvalidRequest, Overloaded
from ..guides import GUIDE_PARAM, grammar_of, refuse_long, schema_of
from ..request import Guide

COMPILE_LIMIT_S: Final = 1.0
_MAX_REMEMBERED: Final = 1024
# "[time] /path/file.cc:12: Check failed: (x) is false: what is wrong"
_LOCATION: Final = re.compile(r"^.*?\.(?:cc|cpp|h|hpp):\d+:\s*(?:Check failed: .*? is false:\s*)?")


def structured_output(guide: Guide) -> Any:
    """OpenVINO's form of a guide."""
    config = openvino_genai.StructuredOutputConfig()
    match guide.kind:
        case "json" | "json_schema":
            schema = schema_of(guide)
            grammar = grammar_of(schema)
            if grammar is None:
                config.json_schema = schema
            else:
                config.grammar = grammar
        case "regex":
            config.regex = guide.text
        case "ebnf_grammar":
            config.grammar = guide.text
    return config


class GrammarChecker:
    """Says whether guides compile; safe to call from several threads."""

    def __init__(self, folder: Path, compile_limit_s: float = COMPILE_LIMIT_S) -> None:
        self._compile_limit_s = compile_limit_s
        self._pipeline = _open_blank_pipeline(folder)
        self._jobs: queue.SimpleQueue[tuple[Guide, Future[None]]] = queue.SimpleQueue()
        self._verdicts: OrderedDict[Guide, str | None] = OrderedDict()
        self._lock = threading.Lock()
        # A daemon, because a compilation cannot be stopped and must not hold up the end.
        threading.Thread(target=self._work, name="grammar-checker", daemon=True).start()

    def check(self, guide: Guide) -> None:
        """Raise InvalidRequest when the guide does not compile, or not in time."""
        refuse_long(guide)
        structured_output(guide)  # refuses what no grammar enforces
        with self._lock:
            is_known, verdict = guide in self._verdicts, self._verdicts.get(guide)
        if not is_known:
            verdict = self._ask(guide)
        if verdict is not None:
            raise InvalidRequest(f"The {guide.kind} cannot be used: {verdict}.", param=GUIDE_PARAM)

    def _ask(self, guide: Guide) -> str | None:
        answer: Future[None] = Future()
        self._jobs.put((guide, answer))
        try:
            answer.result(self._compile_limit_s)
        except TimeoutError:
            if answer.cancel():
                raise Overloaded("The grammar compiler is busy.") from None
            return self._remember(guide, "it takes too long to compile")
        except RuntimeError as error:
            return self._remember(guide, _reason(error))
        return self._remember(guide, None)

    def _remember(self, guide: Guide, verdict: str | None) -> str | None:
        with self._lock:
            self._verdicts[guide] = verdict
            if len(self._verdicts) > _MAX_REMEMBERED:
                self._verdicts.popitem(last=False)
        return verdict

    def _work(self) -> None:
        while True:
            guide, answer = self._jobs.get()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                self._compile(guide)
            except RuntimeError as error:
                answer.set_exception(error)
            else:
                answer.set_result(None)

    def _compile(self, guide: Guide) -> None:
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = 1
        config.structured_output_config = structured_output(guide)
        self._pipeline.generate(openvino.Tensor(np.zeros((1, 1), dtype=np.int64)), config)


def _reason(error: RuntimeError) -> str:
    """What is wrong with a guide, without the compiler's file names."""
    text = " ".join(str(error).split())
    return _LOCATION.sub("", text)[:300].rstrip(". ")


def _open_blank_pipeline(folder: Path) -> Any:
    """A pipeline with the folder's tokenizer over a model whose logits are all zero."""
    tokenizer = openvino_genai.Tokenizer(folder)
    with tempfile.TemporaryDirectory() as blank, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        openvino.save_model(_blank_model(len(tokenizer.get_vocab())), f"{blank}/openvino_model.xml")
        return openvino_genai.LLMPipeline(blank, tokenizer, "CPU", ATTENTION_BACKEND="SDPA")


def _blank_model(vocab_size: int) -> openvino.Model:
    """logits f32 [batch, length, vocab_size] of zeros, with the inputs a language model has."""
    types = {
        "input_ids": np.int64,
        "attention_mask": np.int64,
        "position_ids": np.int64,
        "beam_idx": np.int32,
    }
    inputs = {
        name: ops.parameter([-1] if name == "beam_idx" else [-1, -1], kind, name=name)
        for name, kind in types.items()
    }
    for name, node in inputs.items():
        node.output(0).get_tensor().set_names({name})
    zeros = ops.multiply(inputs["input_ids"], ops.constant(0, np.int64))
    column = ops.unsqueeze(ops.convert(zeros, "f32"), ops.constant(2))
    row = ops.constant(np.zeros((1, 1, vocab_size), np.float32))
    logits = ops.result(ops.add(column, row), name="logits")
    logits.output(0).get_tensor().set_names({"logits"})
    return openvino.Model([logits], list(inputs.values()), "blank")
