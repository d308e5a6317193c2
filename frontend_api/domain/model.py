"""What is known about a served model, and what a request may therefore ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from frontend_api.domain.errors import UnsupportedParameter
from frontend_api.domain.generation import GenerationRequest


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as its own `describe` answer states it.

    `capabilities` is None for a model that cannot describe itself (a stock
    ensemble): then the inputs it declares decide.
    """

    name: str
    created: int = 0
    engine: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    capabilities: frozenset[str] | None = None
    inputs: frozenset[str] = frozenset()
    is_ready: bool = True
    reason: str = ""


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
)


def require_capabilities(request: GenerationRequest, model: ServedModel) -> None:
    """Refuse what the model's engine does not list; UnsupportedParameter names the field."""
    if model.capabilities is None:
        return
    for name in _asked_features(request):
        if name not in model.capabilities:
            raise unsupported(request.client_name(name), model.name)


def unsupported(param: str, model_name: str) -> UnsupportedParameter:
    """Return the refusal of one parameter, in OpenAI's words."""
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not supported with the model `{model_name}`.",
        param=param,
    )


def _asked_features(request: GenerationRequest) -> list[str]:
    asked = ["n"] if request.n > 1 else []
    # 0 and False are what an absent penalty, min_tokens or ignore_eos means; a seed of 0 is a seed.
    asked += [
        name
        for name in OPTIONAL_FEATURES
        if (value := getattr(request, name)) or (name == "seed" and value is not None)
    ]
    return asked
