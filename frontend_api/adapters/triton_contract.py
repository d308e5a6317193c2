"""The tensor contract of a served model, as this side knows it.

The backend holds the same tables; a test compares the two. Names follow NVIDIA's
stock TensorRT-LLM `ensemble`. Dimensions are without the batch: [1, n] on the wire.
"""

from __future__ import annotations

from typing import Final

Tensors = dict[str, tuple[str, tuple[int, ...]]]

INPUTS: Final[Tensors] = {
    "text_input": ("BYTES", (1,)),
    "messages": ("BYTES", (1,)),
    "input_ids": ("INT32", (-1,)),
    "tools": ("BYTES", (1,)),
    "chat_template_kwargs": ("BYTES", (1,)),
    "max_tokens": ("INT32", (1,)),
    "min_tokens": ("INT32", (1,)),
    "stream": ("BOOL", (1,)),
    "num_return_sequences": ("INT32", (1,)),
    "temperature": ("FP32", (1,)),
    "top_k": ("INT32", (1,)),
    "top_p": ("FP32", (1,)),
    "min_p": ("FP32", (1,)),
    "repetition_penalty": ("FP32", (1,)),
    "presence_penalty": ("FP32", (1,)),
    "frequency_penalty": ("FP32", (1,)),
    "seed": ("UINT64", (1,)),
    "stop_words": ("BYTES", (-1,)),
    "end_id": ("INT32", (1,)),
    "stop_token_ids": ("INT32", (-1,)),
    "ignore_eos": ("BOOL", (1,)),
    "return_log_probs": ("BOOL", (1,)),
    "top_logprobs": ("INT32", (1,)),
    "logit_bias_ids": ("INT32", (-1,)),
    "logit_bias_weights": ("FP32", (-1,)),
    "guided_decoding_guide_type": ("BYTES", (1,)),
    "guided_decoding_guide": ("BYTES", (1,)),
    "exclude_input_in_output": ("BOOL", (1,)),
    "lora_name": ("BYTES", (1,)),
    "acknowledge": ("BOOL", (1,)),
    "task": ("BYTES", (1,)),
}

OUTPUTS: Final[Tensors] = {
    "text_output": ("BYTES", (1,)),
    "output_ids": ("INT32", (-1,)),
    "output_tokens": ("BYTES", (-1,)),
    "sequence_index": ("INT32", (1,)),
    "output_log_probs": ("FP32", (-1,)),
    "top_log_probs": ("BYTES", (1,)),
    "finish_reason": ("BYTES", (1,)),
    "stop_reason": ("BYTES", (1,)),
    "num_input_tokens": ("INT32", (1,)),
    "num_cached_tokens": ("INT32", (1,)),
    "num_output_tokens": ("INT32", (1,)),
}

# Tensors whose name is not the field's name in GenerationRequest or on the wire.
FIELD_OF_TENSOR: Final = {
    "text_input": "prompt",
    "input_ids": "prompt",
    "num_return_sequences": "n",
    "stop_words": "stop",
    "return_log_probs": "logprobs",
    "logit_bias_ids": "logit_bias",
    "logit_bias_weights": "logit_bias",
    "guided_decoding_guide_type": "response_format",
    "guided_decoding_guide": "response_format",
    "lora_name": "model",
    "exclude_input_in_output": "echo",
}
