"""Compiles one model to OpenVINO; runs in the build environment, apart from what serves.

`python -m scripts.adding.convert JOB.json` reads what to do and writes `outcome.json` beside the
compiled files: {} or {"error": a sentence}. With `prompts` in the job it also writes what the
source itself answers to them, greedily, to `reference.json`: [[prompt ids, answer ids], ...].
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import openvino as ov
import torch
from openvino_tokenizers import convert_tokenizer
from optimum.exporters.openvino import main_export
from optimum.intel import OVConfig, OVModelForCausalLM, OVWeightQuantizationConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

_MAX_GROUP: Final = 128


class _CannotConvertError(Exception):
    """The message is one sentence for the user."""


def main(path: Path) -> int:
    """Do the job in this file; the exit status."""
    job = json.loads(path.read_text(encoding="utf-8"))
    output = Path(job["output"])
    outcome: dict[str, str] = {}
    try:
        _convert(job, output)
    except _CannotConvertError as error:
        outcome["error"] = str(error)
    (output / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    return 1 if outcome else 0


def _convert(job: Mapping[str, Any], output: Path) -> None:
    source = Path(job["source"])
    tokenizer = _tokenizer(source, job["kind"])
    if job["kind"] == "checkpoint":
        _export(source, output, job["quantization"])
    elif job["kind"] == "gguf":
        _unpack(source, output)
    _save_tokenizer(tokenizer, output)
    if job["prompts"]:
        reference = _reference(source, tokenizer, job)
        (output / "reference.json").write_text(json.dumps(reference), encoding="utf-8")


def _tokenizer(source: Path, kind: str) -> PreTrainedTokenizerFast:
    try:
        if kind == "gguf":
            made = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        else:
            made = AutoTokenizer.from_pretrained(source)
    except Exception as error:  # whatever the file makes the library raise
        raise _CannotConvertError(f"Its tokenizer cannot be read: {_last_line(error)}.") from error
    if not isinstance(made, PreTrainedTokenizerFast):
        raise _CannotConvertError("Its tokenizer has no fast form, tokenizer.json.")
    return made


def _export(source: Path, output: Path, quantization: str) -> None:
    try:
        if quantization == "fp16":
            task = "text-generation-with-past"
            half = OVConfig(dtype="fp16")
            main_export(str(source), output, task=task, ov_config=half, local_files_only=True)
            return
        weights = _weights(source, quantization)
        engine = OVModelForCausalLM.from_pretrained(
            source, export=True, compile=False, quantization_config=weights
        )
        engine.save_pretrained(output)
    except (ValueError, KeyError) as error:
        # What the libraries raise for an architecture that one of them does not know.
        raise _CannotConvertError(
            f"Its architecture cannot be compiled to OpenVINO: {_first_sentence(error)}."
        ) from error


def _weights(source: Path, quantization: str) -> OVWeightQuantizationConfig:
    if quantization == "int8":
        return OVWeightQuantizationConfig(bits=8)
    return OVWeightQuantizationConfig(bits=4, group_size=_group_size(source), sym=False)


def _group_size(source: Path) -> int:
    """Return the largest group of 4-bit weights that divides every row."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config") or config
    size = _MAX_GROUP
    while any(config.get(name, 0) % size for name in ("hidden_size", "intermediate_size")):
        size //= 2
    return size


def _unpack(source: Path, output: Path) -> None:
    """Let OpenVINO read the file and write it as its own kind of model, weights as they are."""
    import openvino_genai  # noqa: PLC0415 - only here; it is large

    link = output / "source.gguf"
    link.symlink_to(source)
    try:
        scheduler = openvino_genai.SchedulerConfig()
        openvino_genai.ContinuousBatchingPipeline(
            link, scheduler, "CPU", {"enable_save_ov_model": True}
        )
    except RuntimeError as error:
        raise _CannotConvertError(
            f"OpenVINO cannot read this GGUF file: {_last_line(error)}."
        ) from error
    finally:
        link.unlink()


def _save_tokenizer(tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    tokenizer.save_pretrained(output)
    to_ids, to_text = convert_tokenizer(tokenizer, with_detokenizer=True)
    ov.save_model(to_ids, output / "openvino_tokenizer.xml")
    ov.save_model(to_text, output / "openvino_detokenizer.xml")


def _reference(
    source: Path, tokenizer: PreTrainedTokenizerFast, job: Mapping[str, Any]
) -> list[tuple[list[int], list[int]]]:
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    ends = job["eos_token_ids"]
    rows = []
    for prompt in job["prompts"]:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=job["max_tokens"],
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
        answer = [each for each in out[0, ids.shape[1] :].tolist() if each not in ends]
        rows.append((ids[0].tolist(), answer))
    return rows


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].rstrip(".")


def _first_sentence(error: Exception) -> str:
    """Return what is wrong; how to mend the library's own installation follows it there."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return first.rstrip(".") or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
