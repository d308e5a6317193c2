"""The tensors a model declares, in our names: ours, or those of NVIDIA's stock TensorRT-LLM models.

`ensemble` and `tensorrt_llm_bls` have our names since container 25.06, and two older ones before;
the `llmapi` model has a prefix of its own and no batch dimension (TensorRT-LLM's triton_backend:
all_models/inflight_batcher_llm and all_models/llmapi).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from frontend_api.adapters.triton_contract import Tensors
from frontend_api.domain.errors import ModelNotReady

_OUR_NAMES: Final = {
    "random_seed": "seed",
    "min_length": "min_tokens",
    "sampling_param_max_tokens": "max_tokens",
    "sampling_param_temperature": "temperature",
    "sampling_param_top_k": "top_k",
    "sampling_param_top_p": "top_p",
    "sampling_param_frequency_penalty": "frequency_penalty",
    "sampling_param_presence_penalty": "presence_penalty",
    "sampling_param_seed": "seed",
    "sampling_param_stop": "stop_words",
    "sampling_param_exclude_input_from_output": "exclude_input_in_output",
}
# What a stock model tells only if it is asked to, and in which output.
ASKED_OUTPUTS: Final = {
    "return_num_input_tokens": "num_input_tokens",
    "return_num_output_tokens": "num_output_tokens",
    "return_finish_reason": "finish_reason",
}
ASKING_INPUTS: Final[Tensors] = dict.fromkeys(ASKED_OUTPUTS, ("BOOL", (1,)))
_PROMPT: Final = "text_input"
_ANSWER: Final = "text_output"


class NotServable(ModelNotReady):
    """Triton runs this model, but it cannot answer a request of ours."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs a model declares, by our names.

    their_names: of the inputs that it calls otherwise. is_batched: its shapes are [1, n], not [n].
    can_stream: an answer comes in pieces; otherwise it comes whole, whatever was asked.
    """

    inputs: frozenset[str]
    outputs: frozenset[str]
    their_names: Mapping[str, str] = field(default_factory=dict)
    is_batched: bool = True
    can_stream: bool = True

    @property
    def can_describe(self) -> bool:
        """Whether the model answers `task`: ours do, a stock ensemble does not."""
        return "task" in self.inputs

    @property
    def takes_messages(self) -> bool:
        """Whether the model applies a chat template of its own."""
        return "messages" in self.inputs


def signature_of(
    inputs: Iterable[str], outputs: Iterable[str], *, is_batched: bool, is_decoupled: bool
) -> Signature:
    """Return the signature of a model's configuration.

    Raises NotServable for a model that has no text to give, or describes itself and cannot stream.
    """
    their_names = {_OUR_NAMES[name]: name for name in inputs if name in _OUR_NAMES}
    # `streaming` is the llmapi model's, whose pieces repeat the text so far, or do not, with its
    # version, and nothing in its configuration tells which: its answers are asked for whole.
    known = frozenset(_OUR_NAMES.get(name, name) for name in inputs)
    signature = Signature(
        known, frozenset(outputs), their_names, is_batched, is_decoupled and "stream" in known
    )
    if signature.can_describe and not is_decoupled:
        raise NotServable("it does not stream (its transaction policy is not decoupled)")
    if _ANSWER not in signature.outputs or _PROMPT not in known:
        raise NotServable(f"it does not take `{_PROMPT}` and give `{_ANSWER}`")
    return signature
