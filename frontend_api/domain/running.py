"""A request that is being answered, as others may ask about it by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["look", "cancel"]
State = Literal["queued", "running", "cancelled"]


@dataclass(frozen=True, slots=True)
class RunningRequest:
    """A request and how far it is; `queued` until the model has said something.

    queue_position: 1 is next; None: not in the line before the model.
    """

    id: str
    model: str
    state: State
    prompt_tokens: int
    completion_tokens: int
    queue_position: int | None = None
