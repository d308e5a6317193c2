"""What one connection remembers of responses that are not stored, so that it can continue them.

OpenAI's rule (guide "WebSocket mode"): `previous_response_id` finds a response with `store: false`
on the connection that made it, and nowhere else; a turn that fails forgets the one it followed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from frontend_api.domain.messages import Message, items_of
from frontend_api.service.orders import Order

# Chains of turns that go on side by side; of each only its last turn is remembered.
MAX_TURNS: Final = 8
_ENDED_WELL: Final = frozenset({"completed", "incomplete"})


class UnsavedTurns:
    """The last turns of one connection, each with all that was said before it."""

    def __init__(self) -> None:
        """Begin without any."""
        self._turns: dict[str, Order] = {}

    def continued(self, order: Order) -> Order:
        """Return the order with the turn it follows before it; that turn is forgotten."""
        earlier = self._turns.pop(order.previous_id or "", None)
        if earlier is None:
            return order
        return replace(
            order,
            items=(*earlier.items, *order.items),
            session_id=earlier.session_id,
            previous_id=earlier.previous_id,
            parent_id=earlier.parent_id,
            has_parent=earlier.has_parent,
        )

    def keep(self, order: Order, message: Message) -> None:
        """Remember a turn that has ended; the oldest makes room."""
        run = message.run
        if order.is_stored or run is None or run.status not in _ENDED_WELL:
            return
        said = items_of(run.pieces)
        self._turns[message.id] = replace(order, items=(*order.items, *said))
        if len(self._turns) > MAX_TURNS:
            del self._turns[next(iter(self._turns))]
