"""What a dialect asks of the use case of stored answers."""

from __future__ import annotations

from dataclasses import dataclass

from frontend_api.domain.generation import GenerationRequest
from frontend_api.domain.messages import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One turn of a conversation.

    request: its prompt is a ChatPrompt without messages; the service fills in the history.
    items: the new input; each becomes a message of its own.
    instructions: a system message for this turn only, never stored.
    session_id: continue this session at its head; `creates_session`: or begin it.
    previous_id: continue after this response, beside what follows it already.
    parent_id, has_parent: continue after this message; with None, as another first message.
    may_drop: oldest turns that do not fit into the model's context are left out.
    max_history: how many turns the model is shown at most, system messages apart; None: all.
    settings: a JSON object, the fields of the request that the answer repeats.
    """

    owner: str
    request_id: str
    request: GenerationRequest
    items: tuple[Item, ...]
    instructions: str | None = None
    session_id: str | None = None
    creates_session: bool = False
    previous_id: str | None = None
    parent_id: str | None = None
    has_parent: bool = False
    is_stored: bool = True
    is_background: bool = False
    may_drop: bool = True
    max_history: int | None = None
    settings: str = "{}"
