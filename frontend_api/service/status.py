"""How the server is, all in one: what an operator looks at first."""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from frontend_api.domain.errors import ServiceError
from frontend_api.domain.keys import KeyState
from frontend_api.domain.model import ServedModel
from frontend_api.ports import Clock, Readiness, Store
from frontend_api.service.generations import Generations
from frontend_api.service.keys import Keys
from frontend_api.telemetry import Telemetry

_STORE_S: Final = 2.0
_KEYS_AT_ONCE: Final = 100
_MAX_COUNTED: Final = 10_000
_LIBRARIES: Final = ("quart", "uvicorn", "tritonclient", "pymongo", "motor", "prometheus-client")


@dataclass(frozen=True, slots=True)
class Work:
    """What one model has in hand, of all workers of this server."""

    model: str
    num_running: int
    num_waiting: int


@dataclass(frozen=True, slots=True)
class Status:
    """The server at one moment.

    keys: how many there are in each state; None while the store does not answer, and when there
    are too many to look at each.
    versions: by the name of the program or library.
    """

    at: float
    uptime_s: float
    readiness: Readiness
    models: Sequence[ServedModel]
    work: Sequence[Work]
    store_answers: bool
    num_writes_waiting: int
    keys: Mapping[KeyState, int] | None
    versions: Mapping[str, str]


class ServerStatus:
    """Looks when it is asked."""

    def __init__(
        self,
        generations: Generations,
        store: Store,
        keys: Keys,
        *,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        """Use these; uptime counts from now."""
        self._generations = generations
        self._store = store
        self._keys = keys
        self._telemetry = telemetry
        self._clock = clock
        self._started_at = clock.monotonic()
        self._versions = {
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        }

    async def now(self) -> Status:
        """Return how it is; with a store that hangs it takes 2 s, and says so."""
        answers, keys = await self._of_store()
        writes = self._telemetry.by_model("conch_store_writes_waiting")
        return Status(
            at=self._clock.now(),
            uptime_s=self._clock.monotonic() - self._started_at,
            readiness=self._generations.readiness(),
            models=self._generations.models(),
            work=self._work(),
            store_answers=answers,
            num_writes_waiting=round(writes.get("", 0)),
            keys=keys,
            versions=self._versions,
        )

    def _work(self) -> Sequence[Work]:
        running = self._telemetry.by_model("conch_generations_in_flight")
        waiting = self._telemetry.by_model("conch_queue_length")
        return [
            Work(model, round(running.get(model, 0)), round(waiting.get(model, 0)))
            for model in sorted({*running, *waiting})
        ]

    async def _of_store(self) -> tuple[bool, Mapping[KeyState, int] | None]:
        answers = False
        try:
            async with asyncio.timeout(_STORE_S):
                answers = await self._store.ping()
                return answers, await self._count_keys()
        except (TimeoutError, ServiceError):
            return answers, None

    async def _count_keys(self) -> Mapping[KeyState, int] | None:
        found: Counter[KeyState] = Counter()
        after = None
        while True:
            page = await self._keys.page(after, _KEYS_AT_ONCE)
            found.update(key.state(self._keys.now()) for key in page.keys)
            if not page.has_more or found.total() >= _MAX_COUNTED:
                return None if page.has_more else found
            after = page.keys[-1].id
