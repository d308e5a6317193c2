"""From a checked request to what the engine runs: prompt ids, room, settled parameters."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .chat_template import ChatTemplate, open_chat_template
from .engines.protocol import SequenceParams
from .errors import InvalidRequest
from .manifest import EngineManifest
from .request import ChatPrompt, GenerationRequest, Prompt, TextPrompt, TokenPrompt
from .thinking import opens_thinking
from .tokenizer import Tokenizer

# Tokenizing takes about 0.3 s per million characters; the longest context needs fewer.
MAX_PROMPT_CHARS: Final = 4 * 2**20
_GUIDE_TYPE: Final = "guided_decoding_guide_type"
_SEED_RANGE: Final = 2**64


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as ids and as text."""

    ids: Sequence[int]
    text: str


class Preprocessor:
    """The front half of a served model; pure but for the random seed."""

    def __init__(
        self, manifest: EngineManifest, tokenizer: Tokenizer, template: ChatTemplate | None
    ) -> None:
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._template = template
        self.opens_thinking = (
            opens_thinking(template) if template and manifest.reasoning_format else ()
        )

    def refuse_unsupported(self, request: GenerationRequest) -> None:
        """Raise InvalidRequest (unsupported_parameter) for what this engine cannot do."""
        for tensor, (capability, is_used) in _FEATURES.items():
            if is_used(request) and capability(request) not in self._manifest.capabilities:
                wish = f"Guide type {capability(request)}" if tensor == _GUIDE_TYPE else tensor
                raise InvalidRequest(
                    f"{wish} is not supported by this model's {self._manifest.engine} engine.",
                    param=tensor,
                    code="unsupported_parameter",
                )
        sampling = request.sampling
        if sampling.guide and (sampling.ignore_eos or sampling.min_tokens):
            # A finished grammar allows the end token alone, which both forbid.
            tensor = "ignore_eos" if sampling.ignore_eos else "min_tokens"
            message = f"{tensor} cannot be combined with guided decoding."
            raise InvalidRequest(message, param=tensor)

    def encode(self, prompt: Prompt) -> Encoded:
        """The prompt's ids; InvalidRequest when it is empty or cannot be encoded."""
        encoded = self._encode(prompt)
        if not encoded.ids:
            raise InvalidRequest("The prompt is empty.", param=param_of(prompt))
        return encoded

    def settle(self, request: GenerationRequest, num_prompt: int) -> list[SequenceParams]:
        """Parameters of each of the n sequences; InvalidRequest when the context is too short."""
        max_tokens = self._room(request, num_prompt)
        if request.sampling.min_tokens > max_tokens:
            message = f"min_tokens must be at most max_tokens, which is {max_tokens}."
            raise InvalidRequest(message, param="min_tokens")
        seed = secrets.randbelow(_SEED_RANGE) if request.seed is None else request.seed
        return [
            SequenceParams(
                sampling=request.sampling,
                max_tokens=max_tokens,
                seed=(seed + index) % _SEED_RANGE,
                stop_token_ids=self._stop_token_ids(request),
            )
            for index in range(request.n)
        ]

    def _encode(self, prompt: Prompt) -> Encoded:
        match prompt:
            case TokenPrompt(ids):
                return Encoded(ids, self._decode_known(ids))
            case TextPrompt(text):
                return self._tokenize(text, prompt, has_special_tokens=True)
            case ChatPrompt(messages, tools, template_kwargs):
                if self._template is None:
                    message = "This model has no chat template; send a raw prompt."
                    raise InvalidRequest(message, param="messages", code="unsupported_parameter")
                text = self._template.render(messages, tools, template_kwargs)
                return self._tokenize(text, prompt, has_special_tokens=False)

    def _tokenize(self, text: str, prompt: Prompt, *, has_special_tokens: bool) -> Encoded:
        param = param_of(prompt)
        if len(text) > MAX_PROMPT_CHARS:
            message = f"The prompt has {len(text)} characters; {MAX_PROMPT_CHARS} are allowed."
            raise InvalidRequest(message, param=param, code="string_above_max_length")
        if any("\ud800" <= char <= "\udfff" for char in text):
            # JSON can write half of a surrogate pair ("\ud800"), which is no character.
            raise InvalidRequest("The prompt is not valid Unicode.", param=param)
        return Encoded(self._tokenizer.encode(text, has_special_tokens=has_special_tokens), text)

    def _decode_known(self, ids: Sequence[int]) -> str:
        unknown = next((one for one in ids if not self._tokenizer.has_id(one)), None)
        if unknown is not None:
            message = f"{unknown} is not a token id of this model."
            raise InvalidRequest(message, param="input_ids")
        return self._tokenizer.decode(ids, has_special_tokens=True)

    def _room(self, request: GenerationRequest, num_prompt: int) -> int:
        """max_tokens as asked, or all that is left of the context."""
        context, asked = self._manifest.context_length, request.max_tokens
        if num_prompt + (asked or 1) <= context:
            return asked or context - num_prompt
        is_chat = isinstance(request.prompt, ChatPrompt)
        noun, total = "messages" if is_chat else "prompt", num_prompt + (asked or 0)
        fault = (
            f"your {noun} resulted in {num_prompt} tokens. Please reduce the length of the {noun}."
            if asked is None or num_prompt >= context
            else f"you requested {total} tokens ({num_prompt} in the {noun}, {asked} in the "
            f"completion). Please reduce the length of the {noun} or completion."
        )
        raise InvalidRequest(
            f"This model's maximum context length is {context} tokens. However, {fault}",
            param=param_of(request.prompt),
            code="context_length_exceeded",
            prompt_tokens=num_prompt,
            max_tokens=asked,
            context_length=context,
        )

    def _stop_token_ids(self, request: GenerationRequest) -> tuple[int, ...]:
        own = (*request.stop_token_ids, *self._manifest.eos_token_ids)
        if request.end_id is None:
            return own
        # A grammar ends with the model's own end token and no other.
        if request.sampling.guide:
            return (request.end_id, *own)
        return (request.end_id, *request.stop_token_ids)


def open_preprocessor(folder: Path, manifest: EngineManifest, tokenizer: Tokenizer) -> Preprocessor:
    """The preprocessor of a version folder; LoadError when the template is missing or broken."""
    return Preprocessor(manifest, tokenizer, open_chat_template(folder, manifest.chat_template))


def param_of(prompt: Prompt | None) -> str:
    """The tensor a prompt came in."""
    match prompt:
        case TextPrompt():
            return "text_input"
        case TokenPrompt():
            return "input_ids"
    return "messages"


_Capability = Callable[[GenerationRequest], str]
_IsUsed = Callable[[GenerationRequest], bool]


def _named(name: str) -> _Capability:
    return lambda _: name


# Which tensor needs which capability, and when it asks for anything at all.
_FEATURES: Final[Mapping[str, tuple[_Capability, _IsUsed]]] = {
    "num_return_sequences": (_named("n"), lambda r: r.n > 1),
    "seed": (_named("seed"), lambda r: r.seed is not None),
    "top_k": (_named("top_k"), lambda r: r.sampling.top_k > 0),
    "min_p": (_named("min_p"), lambda r: r.sampling.min_p > 0),
    "repetition_penalty": (
        _named("repetition_penalty"),
        lambda r: r.sampling.repetition_penalty != 1,
    ),
    "presence_penalty": (_named("presence_penalty"), lambda r: r.sampling.presence_penalty != 0),
    "frequency_penalty": (_named("frequency_penalty"), lambda r: r.sampling.frequency_penalty != 0),
    "min_tokens": (_named("min_tokens"), lambda r: r.sampling.min_tokens > 0),
    "ignore_eos": (_named("ignore_eos"), lambda r: r.sampling.ignore_eos),
    "return_log_probs": (_named("log_probs"), lambda r: r.sampling.log_probs),
    "top_logprobs": (_named("top_log_probs"), lambda r: r.sampling.top_log_probs > 0),
    "logit_bias_ids": (_named("logit_bias"), lambda r: r.sampling.logit_bias is not None),
    _GUIDE_TYPE: (
        lambda r: r.sampling.guide.kind if r.sampling.guide else "json",
        lambda r: r.sampling.guide is not None,
    ),
    "lora_name": (_named("lora"), lambda r: r.sampling.lora_name is not None),
}
