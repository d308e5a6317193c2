"""The use case of looking at a running request, or stopping it, by its id.

The connection that asks may belong to another worker than the one that answers the request, so
what is not found here is asked of the other workers.
"""

from __future__ import annotations

from dataclasses import replace

from frontend_api.domain.errors import NotFound, RequestCancelled
from frontend_api.domain.running import Action, RunningRequest
from frontend_api.ports import Peers
from frontend_api.service.callers import owned_name
from frontend_api.service.generations import Generations


class Requests:
    """What runs in this worker and, through `peers`, in the others."""

    def __init__(self, generations: Generations, peers: Peers) -> None:
        """Use these; nothing is opened."""
        self._generations = generations
        self._peers = peers

    async def act(self, request_id: str, action: Action) -> RunningRequest:
        """Do it, wherever the request runs; NotFound when none of the caller's does."""
        name = owned_name(request_id)
        found = self.act_here(name, action) or await self._peers.ask(name, action)
        if found is None:
            raise NotFound(f"No request with id '{request_id}' is running.", code="not_found")
        return replace(found, id=request_id)

    def act_here(self, name: str, action: Action) -> RunningRequest | None:
        """Do it if the request of that `owned_name` runs in this worker."""
        named = self._generations.named(name)
        if not named:
            return None
        if action == "cancel":
            for generation in named:
                generation.fail(RequestCancelled("The request was cancelled by its id."))
        is_started = any(generation.is_started for generation in named)
        return RunningRequest(
            id=name,
            model=named[0].model,
            state="cancelled" if action == "cancel" else "running" if is_started else "queued",
            prompt_tokens=sum(generation.usage.prompt_tokens for generation in named),
            completion_tokens=sum(generation.usage.completion_tokens for generation in named),
            queue_position=max((generation.queue_position or 0 for generation in named), default=0)
            or None,
        )
