"""The tensors of a served model, by name: (datatype, dims without the batch).

The only source: a model's Triton config is completed from these tables, and a test compares
them with the frontend's. Shapes on the wire are [1, n] (`max_batch_size: 1`). All inputs are
optional, but exactly one of the first three must be given.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Arrays as Triton's Python backend hands them over; BYTES tensors are object arrays of bytes.
Tensor: TypeAlias = NDArray[np.generic]
Spec: TypeAlias = tuple[str, tuple[int, ...]]

_TEXT: Final = ("BYTES", (1,))
_INTEGER: Final = ("INT32", (1,))
_NUMBER: Final = ("FP32", (1,))
_SWITCH: Final = ("BOOL", (1,))
_INTEGERS: Final = ("INT32", (-1,))
_NUMBERS: Final = ("FP32", (-1,))
_TEXTS: Final = ("BYTES", (-1,))

INPUTS: Final[Mapping[str, Spec]] = {
    "text_input": _TEXT,
    "messages": _TEXT,
    "input_ids": _INTEGERS,
    "tools": _TEXT,
    "chat_template_kwargs": _TEXT,
    "max_tokens": _INTEGER,
    "min_tokens": _INTEGER,
    "stream": _SWITCH,
    "num_return_sequences": _INTEGER,
    "temperature": _NUMBER,
    "top_k": _INTEGER,
    "top_p": _NUMBER,
    "min_p": _NUMBER,
    "repetition_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "seed": ("UINT64", (1,)),
    "stop_words": _TEXTS,
    "end_id": _INTEGER,
    "stop_token_ids": _INTEGERS,
    "ignore_eos": _SWITCH,
    "return_log_probs": _SWITCH,
    "top_logprobs": _INTEGER,
    "logit_bias_ids": _INTEGERS,
    "logit_bias_weights": _NUMBERS,
    "guided_decoding_guide_type": _TEXT,
    "guided_decoding_guide": _TEXT,
    "exclude_input_in_output": _SWITCH,
    "lora_name": _TEXT,
    "acknowledge": _SWITCH,
    "task": _TEXT,
}
OUTPUTS: Final[Mapping[str, Spec]] = {
    "text_output": _TEXT,
    "output_ids": _INTEGERS,
    "output_tokens": _TEXTS,
    "sequence_index": _INTEGER,
    "output_log_probs": _NUMBERS,
    "top_log_probs": _TEXT,
    "finish_reason": _TEXT,
    "stop_reason": _TEXT,
    "num_input_tokens": _INTEGER,
    "num_cached_tokens": _INTEGER,
    "num_output_tokens": _INTEGER,
}
