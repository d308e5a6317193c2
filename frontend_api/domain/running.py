"""A request that is being answered, as others may ask about it by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["look", "cancel"]
State = Literal["queued", "running", "cancelled"]


@dataclass(frozen=True, slots=True)
class RunningRequest:
    """A request and how far it is; `queued` until the model has said something."""

    id: str
    model: str
    state: State
    prompt_tokens: int
    completion_tokens: int
