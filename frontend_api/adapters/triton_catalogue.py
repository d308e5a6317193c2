"""The served models as last seen; `TritonWatch` keeps them up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from frontend_api.adapters.triton_errors import LOST_MESSAGE
from frontend_api.adapters.triton_signature import Signature
from frontend_api.domain.errors import BackendLost, ModelNotFound, ModelNotReady
from frontend_api.domain.model import ModelState, ServedModel
from frontend_api.ports import Readiness

_UNSEEN: Final = Signature(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Entry:
    served: ServedModel
    signature: Signature = _UNSEEN
    was_ready: bool = False
    loading_since: float | None = None
    is_foreign: bool = False

    @property
    def is_unloaded(self) -> bool:
        return self.served.state == "unloaded"


class TritonCatalogue:
    """The ModelCatalogue port on a Triton server; answers at once, without asking Triton."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing until the watch has looked."""
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._has_looked = False

    def listed(self) -> Sequence[ServedModel]:
        """Return every model of Triton's that is or may be ours; see ModelCatalogue."""
        known = (self._now(entry) for entry in self._entries.values() if not entry.is_foreign)
        return sorted(known, key=lambda model: (not model.is_ready, model.name))

    def _now(self, entry: _Entry) -> ServedModel:
        if entry.loading_since is None:
            return entry.served
        return replace(entry.served, loading_s=round(self._clock() - entry.loading_since, 1))

    def find(self, name: str) -> ServedModel:
        """Return a model in whatever state; see ModelCatalogue."""
        return self._found(name).served

    def get(self, name: str) -> ServedModel:
        """Return a ready model; see ModelCatalogue."""
        entry = self._found(name)
        if entry.is_unloaded and not entry.was_ready:
            raise ModelNotFound(f"The model `{name}` is not loaded.")
        if not entry.served.is_ready:
            raise ModelNotReady(f"The model `{name}` is not ready: {entry.served.reason}.")
        return entry.served

    def _found(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None and not self._has_looked:
            raise BackendLost(LOST_MESSAGE)
        if entry is None or entry.is_foreign:
            raise ModelNotFound(
                f"The model `{name}` does not exist or you do not have access to it."
            )
        return entry

    def signature(self, name: str) -> Signature:
        """Return the inputs and outputs of a ready model; raises as `get` does."""
        self.get(name)
        return self._entries[name].signature

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer."""
        num_ready = sum(entry.served.is_ready for entry in self._entries.values())
        if num_ready:
            return Readiness(True, num_ready)
        if not self._has_looked:
            return Readiness(False, 0, "Triton has not answered yet")
        lost = (e.served for e in self._entries.values() if e.was_ready or not e.is_unloaded)
        reasons = sorted(f"{model.name}: {model.reason}" for model in lost)
        return Readiness(False, 0, "; ".join(reasons) or "Triton serves no model")

    def names(self) -> Sequence[str]:
        """Return the names of all models seen so far and still there."""
        return list(self._entries)

    def is_ready(self, name: str) -> bool:
        """Return whether a request for this model would be taken."""
        entry = self._entries.get(name)
        return entry is not None and entry.served.is_ready

    def set_looked(self) -> None:
        """From now on an unknown name is really unknown."""
        self._has_looked = True

    def set_ready(self, served: ServedModel, signature: Signature) -> bool:
        """Serve the model; returns whether that is new."""
        was_ready = self.is_ready(served.name)
        self._entries[served.name] = _Entry(served, signature, was_ready=True)
        return not was_ready

    def set_lost(self, name: str, reason: str, state: ModelState = "failed") -> bool:
        """Keep the model listed, but answer that it is not ready; returns whether that is new."""
        was_ready = self.is_ready(name)
        entry = self._entries.get(name) or _Entry(ServedModel(name))
        lost = replace(entry.served, state=state, reason=reason)
        since = entry.loading_since
        if state != "loading":
            since = None
        elif since is None:
            since = self._clock()
        self._entries[name] = replace(entry, served=lost, loading_since=since)
        return was_ready

    def set_foreign(self, name: str, reason: str) -> None:
        """Do not list this model: it is nobody's who asks here."""
        self._entries[name] = _Entry(
            ServedModel(name, state="failed", reason=reason), is_foreign=True
        )

    def retain(self, names: Iterable[str]) -> None:
        """Forget every other model."""
        kept = frozenset(names)
        self._entries = {n: entry for n, entry in self._entries.items() if n in kept}
