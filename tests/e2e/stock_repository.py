"""Stand-ins for NVIDIA's stock TensorRT-LLM repository: they say the prompt again, word by word.

`tensorrt_llm_bls` is a Python model and `ensemble` one of Triton's ensembles, with it as their
only step, both with the tensors of container 25.06 and later.
"""

from pathlib import Path

_STRINGS = ("text_input", "stop_words", "bad_words", "guided_decoding_guide_type")
_INTEGERS = (
    "max_tokens", "num_return_sequences", "end_id", "pad_id", "top_k", "min_tokens", "beam_width",
)  # fmt: skip
_FLOATS = (
    "top_p", "temperature", "length_penalty", "repetition_penalty", "presence_penalty",
    "frequency_penalty",
)  # fmt: skip
_BOOLEANS = (
    "exclude_input_in_output", "return_log_probs", "return_num_input_tokens",
    "return_num_output_tokens", "stream",
)  # fmt: skip
_TYPES = {
    **dict.fromkeys(_STRINGS, "TYPE_STRING"),
    **dict.fromkeys(_INTEGERS, "TYPE_INT32"),
    **dict.fromkeys(_FLOATS, "TYPE_FP32"),
    **dict.fromkeys(_BOOLEANS, "TYPE_BOOL"),
    "seed": "TYPE_UINT64",
}
_REQUIRED = ("text_input", "max_tokens")
_LISTS = ("stop_words", "bad_words")
_OUTPUTS = {
    "text_output": "TYPE_STRING",
    "sequence_index": "TYPE_INT32",
    "num_input_tokens": "TYPE_INT32",
    "num_output_tokens": "TYPE_INT32",
}
_MODEL = """
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            self._answer(request)

    def _answer(self, request):
        prompt = self._value(request, "text_input").decode()
        words = [word + " " for word in prompt.split(" ")][: self._value(request, "max_tokens")]
        pieces = words if self._value(request, "stream") else ["".join(words)]
        sender = request.get_response_sender()
        for piece in pieces:
            num = len(words) // len(pieces)
            sender.send(pb_utils.InferenceResponse([
                pb_utils.Tensor("text_output", np.array([[piece]], np.object_)),
                pb_utils.Tensor("num_input_tokens", np.array([[7]], np.int32)),
                pb_utils.Tensor("num_output_tokens", np.array([[num]], np.int32)),
            ]))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _value(self, request, name):
        tensor = pb_utils.get_input_tensor_by_name(request, name)
        return None if tensor is None else tensor.as_numpy().flat[0]
"""


def write_stock_models(repository: Path) -> None:
    """Add both models to the repository."""
    bls = repository / "tensorrt_llm_bls"
    (bls / "1").mkdir(parents=True)
    (bls / "1" / "model.py").write_text(_MODEL)
    policy = "model_transaction_policy { decoupled: true }"
    (bls / "config.pbtxt").write_text(f'backend: "python"\n{policy}\n{_tensors()}')
    ensemble = repository / "ensemble"
    (ensemble / "1").mkdir(parents=True)
    ways = [f'input_map {{ key: "{name}" value: "{name}" }}' for name in _TYPES]
    ways += [f'output_map {{ key: "{name}" value: "{name}" }}' for name in _OUTPUTS]
    step = f'model_name: "tensorrt_llm_bls" model_version: -1 {" ".join(ways)}'
    (ensemble / "config.pbtxt").write_text(
        f'platform: "ensemble"\n{_tensors()}ensemble_scheduling {{ step [ {{ {step} }} ] }}\n'
    )


def _tensors() -> str:
    lines = ["max_batch_size: 4"]
    for name, datatype in _TYPES.items():
        dims = -1 if name in _LISTS else 1
        optional = "" if name in _REQUIRED else " optional: true"
        lines.append(
            f'input [ {{ name: "{name}" data_type: {datatype} dims: [ {dims} ]{optional} }} ]'
        )
    lines += [
        f'output [ {{ name: "{name}" data_type: {datatype} dims: [ -1 ] }} ]'
        for name, datatype in _OUTPUTS.items()
    ]
    return "\n".join(lines) + "\n"
