"""Our parameters as those of TensorRT-LLM's SamplingParams, and what it cannot be asked.

Found in its source (facts by version: docs/engines.md):
- with `end_id` given it never asks a tokenizer, and then stop and bad strings raise: none are sent;
- without `seed` everybody gets 0; without `max_tokens` 32; without top_k and top_p it is greedy;
- `min_tokens` holds the end token back but not `stop_token_ids`, so both together are refused.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np

from ..errors import InvalidRequest
from ..guides import grammar_of, refuse_long, schema_of
from ..manifest import ENGINE
from ..request import Guide
from .protocol import SequenceParams

# Below this the most likely token always wins; TensorRT-LLM divides by it in half precision.
_GREEDY_TEMPERATURE: Final = 1e-4


def refuse_impossible(params: SequenceParams, adapters: Collection[str]) -> None:
    """Raise InvalidRequest for what this engine could not keep."""
    sampling = params.sampling
    if sampling.min_tokens and not sampling.ignore_eos and len(set(params.stop_token_ids)) > 1:
        raise InvalidRequest(
            "min_tokens cannot be kept by the tensorrt_llm engine when there are several end "
            "tokens: name one as end_id, or leave min_tokens out.",
            param="min_tokens",
            code="unsupported_parameter",
        )
    if sampling.lora_name is not None and sampling.lora_name not in adapters:
        message = f"There is no LoRA adapter {sampling.lora_name!r}."
        raise InvalidRequest(message, param="lora_name")
    if sampling.guide is not None:
        refuse_long(sampling.guide)
        guide_arguments(sampling.guide)  # refuses what no grammar enforces


def sampling_arguments(params: SequenceParams, kind: str, vocab_size: int) -> dict[str, Any]:
    """The keyword arguments of SamplingParams, but for `guided_decoding`."""
    sampling, stops = params.sampling, params.stop_token_ids
    end_id = stops[0] if stops else 0
    arguments: dict[str, Any] = {
        "end_id": end_id,
        "pad_id": end_id,
        "max_tokens": params.max_tokens,
        "seed": params.seed,
        "detokenize": False,
        "ignore_eos": sampling.ignore_eos or not stops,
    }
    if not sampling.ignore_eos and len(stops) > 1:
        arguments["stop_token_ids"] = sorted(set(stops[1:]) - {end_id})
    if sampling.temperature < _GREEDY_TEMPERATURE:
        arguments["top_k"] = 1
    else:
        arguments |= {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
        }
    arguments |= _asked(
        {
            "min_p": (sampling.min_p, 0.0),
            "min_tokens": (sampling.min_tokens, 0),
            "repetition_penalty": (sampling.repetition_penalty, 1.0),
            "presence_penalty": (sampling.presence_penalty, 0.0),
            "frequency_penalty": (sampling.frequency_penalty, 0.0),
        }
    )
    if sampling.top_log_probs:
        # Tables with the chosen token in them; `_return_log_probs` beside it would change nothing.
        arguments["logprobs"] = sampling.top_log_probs
    elif sampling.log_probs:
        # The engine's cheap way gives the chosen tokens'; `logprobs` would need all logits.
        arguments |= {"_return_log_probs": True} if kind == ENGINE else {"logprobs": 1}
    if sampling.logit_bias:
        arguments["embedding_bias"] = _bias(sampling.logit_bias, vocab_size)
    return arguments


def guide_arguments(guide: Guide) -> dict[str, str]:
    """The keyword arguments of GuidedDecodingParams; InvalidRequest for what none enforces."""
    match guide.kind:
        case "regex":
            return {"regex": guide.text}
        case "ebnf_grammar":
            return {"grammar": guide.text}
    schema = schema_of(guide)
    grammar = grammar_of(schema)
    return {"json": schema} if grammar is None else {"grammar": grammar}


def _asked(values: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    return {name: value for name, (value, neutral) in values.items() if value != neutral}


def _bias(weights: Mapping[int, float], vocab_size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [vocab_size]; the library makes a tensor of it."""
    bias = np.zeros(vocab_size, np.float32)
    for token_id, weight in weights.items():
        if token_id >= vocab_size:
            message = f"{token_id} is not a token id of this model."
            raise InvalidRequest(message, param="logit_bias_ids")
        bias[token_id] = weight
    return bias
