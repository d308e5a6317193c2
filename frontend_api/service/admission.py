"""What stands between a request and the model: its key's budgets, and the line.

How it works: a generation passes the gates one after the other before the model is asked, and
stays inside them until it has ended. A gate reads and writes the `Work` of the generation: there
the others see what it decided.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from frontend_api.domain.generation import Usage
from frontend_api.domain.model import ServedModel
from frontend_api.service.callers import Caller


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """One generation, as the gates see it.

    num_sequences: answers, of all its prompts. max_tokens: of one answer; None: what the context
    leaves; a gate may lower it before the model is asked. usage: what it has used so far, kept up
    to date. is_own: not a client's but the service's, as the title of a session; it is charged
    to nobody. queue_position: 1 is next, None is not in line. num_attempts: how often the model
    was, or is being, asked.
    """

    caller: Caller
    model: ServedModel
    request_id: str
    num_sequences: int
    max_tokens: int | None
    usage: Usage
    is_own: bool = False
    queue_position: int | None = None
    num_attempts: int = 1


class Gate(Protocol):
    """Lets work in, or refuses it with a ServiceError."""

    def entered(self, work: Work) -> AbstractAsyncContextManager[None]:
        """Wait until the work may go on, and keep its place until the block ends."""
        ...

    async def accepted(self, work: Work) -> None:
        """Hear that the model has taken it, and so what its prompts count."""
        ...


class Gates:
    """All of them, in this order."""

    def __init__(self, gates: Sequence[Gate] = (), places: Sequence[Gate] = ()) -> None:
        """Use these; `places` are behind the others, and passed for each attempt anew."""
        self._gates = gates
        self._places = places

    def entered(self, work: Work) -> AbstractAsyncContextManager[None]:
        """Pass every gate but `places`; left in the opposite order, however the block ends."""
        return _all_entered(self._gates, work)

    def placed(self, work: Work) -> AbstractAsyncContextManager[None]:
        """Pass `places` in the same way, inside the others."""
        return _all_entered(self._places, work)

    async def accepted(self, work: Work) -> None:
        """Tell every gate; raises what one of them refuses with."""
        for gate in (*self._gates, *self._places):
            await gate.accepted(work)


@asynccontextmanager
async def _all_entered(gates: Sequence[Gate], work: Work) -> AsyncGenerator[None, None]:
    async with AsyncExitStack() as passed:
        for gate in gates:
            await passed.enter_async_context(gate.entered(work))
        yield
