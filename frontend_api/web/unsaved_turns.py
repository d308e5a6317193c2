"""What one connection remembers of responses that are not stored, so that it can continue them.

OpenAI's rule (guide "WebSocket mode"): `previous_response_id` finds a response with `store: false`
on the connection that made it, and nowhere else; a turn that fails forgets the one it followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.messages import Called, Item, Message, Returned, items_of
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
        """Return the order with the turn it follows before it; that turn is forgotten.

        Raises BadRequest for the result of a call that nobody made.
        """
        earlier = self._turns.pop(order.previous_id or "", None)
        if earlier is None:
            return order
        items = (*earlier.items, *order.items)
        if earlier.previous_id is None and earlier.session_id is None:
            _check_results(items)
        return replace(
            order,
            items=items,
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


def _check_results(items: Iterable[Item]) -> None:
    """Refuse what no call has asked for, in OpenAI's words."""
    called: set[str] = set()
    for item in items:
        if isinstance(item, Called):
            called.add(item.call_id)
        elif isinstance(item, Returned) and item.call_id not in called:
            raise BadRequest(
                f"No tool call found for function call output with call_id {item.call_id}.",
                param="input",
            )
