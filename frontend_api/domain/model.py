"""What is known about a served model, and what a request may therefore ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from frontend_api.domain.errors import UnsupportedParameter
from frontend_api.domain.generation import GenerationRequest
from frontend_api.domain.tool_calls import TOOL_FORMATS

ModelState = Literal["ready", "unloaded", "loading", "failed"]
MODEL_STATES: Final[tuple[ModelState, ...]] = get_args(ModelState)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as its own `describe` answer states it.

    `capabilities` is None for a model that cannot describe itself (a stock
    ensemble): then the inputs it declares decide.
    num_running, idle_s: requests of all clients, and since when there was none. load_s: how long
    the last load took; loading_s: how long this one has taken so far. memory_bytes: of its process.
    opens_thinking: the values of the chat template's `enable_thinking` (None: not given) with
    which the prompt itself opens the reasoning, so that an answer begins inside it.
    max_sequences: how many answers its engine makes at once; None: not known.
    lora_names: its adapters, each of which is a model `name:adapter`, whose `base` this one is.
    """

    name: str
    created: int = 0
    engine: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    capabilities: frozenset[str] | None = None
    inputs: frozenset[str] = frozenset()
    tool_format: str | None = None
    reasoning_format: str | None = None
    opens_thinking: tuple[bool | None, ...] = ()
    max_sequences: int | None = None
    state: ModelState = "ready"
    reason: str = ""
    num_running: int = 0
    idle_s: float | None = None
    load_s: float | None = None
    loading_s: float | None = None
    memory_bytes: int | None = None
    alias_of: str | None = None
    lora_names: tuple[str, ...] = ()
    base: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests."""
        return self.state == "ready"

    @property
    def is_loadable(self) -> bool:
        """Whether it can be had ready by loading it."""
        return self.state in ("unloaded", "loading")

    @property
    def is_described(self) -> bool:
        """Whether it has told what may be asked of it; it does when it is loaded."""
        return self.engine is not None or bool(self.inputs)

    @property
    def loaded_share(self) -> float | None:
        """How far its load is, from 0 to 1, if it takes as long as the last one did."""
        if self.loading_s is None or not self.load_s:
            return None
        return min(self.loading_s / self.load_s, 1.0)

    def can(self, feature: str) -> bool:
        """Whether a request may ask for an optional feature."""
        return feature in (self.inputs if self.capabilities is None else self.capabilities)


# Fields of a request that need a capability of the same name when they are set.
OPTIONAL_FEATURES: Final = (
    "seed",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "min_tokens",
    "ignore_eos",
    "logit_bias",
)


def require_capabilities(request: GenerationRequest, model: ServedModel) -> None:
    """Refuse what the model's engine does not list; UnsupportedParameter names the field."""
    _require_formats(request, model)
    if model.capabilities is None:
        return
    for name, capability in _asked_features(request):
        if capability not in model.capabilities:
            raise unsupported(request.client_name(name), model.name)


def _require_formats(request: GenerationRequest, model: ServedModel) -> None:
    """Refuse what only a model trained for it can do."""
    use = request.tool_use
    if use is not None and not use.is_forced:
        if model.tool_format not in TOOL_FORMATS:
            raise unsupported("tools", model.name)
        if request.guide is not None:
            # A guide lets nothing through but what it describes, so never a call.
            raise unsupported(request.client_name("response_format"), model.name)
    if request.reasoning_effort not in (None, "none") and model.reasoning_format is None:
        raise unsupported(request.client_name("reasoning_effort"), model.name)


def unsupported(param: str, model_name: str) -> UnsupportedParameter:
    """Return the refusal of one parameter, in OpenAI's words."""
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not supported with the model `{model_name}`.",
        param=param,
    )


def _asked_features(request: GenerationRequest) -> list[tuple[str, str]]:
    """Return (field, capability) of everything out of the ordinary in the request."""
    asked = [("n", "n")] if request.n > 1 else []
    # 0 and False are what an absent penalty, min_tokens or ignore_eos means; a seed of 0 is a seed.
    asked += [
        (name, name)
        for name in OPTIONAL_FEATURES
        if (value := getattr(request, name)) or (name == "seed" and value is not None)
    ]
    if request.log_probs:
        asked.append(("logprobs", "log_probs"))
    if request.top_log_probs:
        asked.append(("top_logprobs", "top_log_probs"))
    if request.guide is not None:
        asked.append(("response_format", request.guide.kind))
    return asked
