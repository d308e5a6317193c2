"""One look at a running server: its metrics and its status, asked over HTTP."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scripts.listing.model import NoServerError, RefusedError
from scripts.watching.samples import Page, read_page

# The status itself waits 2 s for a store that hangs.
_TIMEOUT_S: Final = 10.0
_STATUS: Final = "/admin/status"
_UNAUTHORIZED: Final = (401, 403)
_NOT_FOUND: Final = 404
_ELSEWHERE: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model as the server lists it; reason: why it is not ready, if it tells."""

    name: str
    state: str
    reason: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """What /admin/status tells that metrics do not. keys: by state; None while unknown."""

    reason: str
    models: tuple[ModelStatus, ...]
    work: Mapping[str, tuple[int, int]]
    store: str
    writes_waiting: int
    keys: Mapping[str, int] | None
    version: str


@dataclass(frozen=True, slots=True)
class Look:
    """The server at one moment. at: of this process's monotonic clock, in seconds."""

    at: float
    page: Page
    status: Status


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: the key is for the server that was named."""

    def redirect_request(self, *_: object) -> None:
        """Return no request, so that the answer is taken as a refusal."""


class Server:
    """Where to look. key: "" for a server without keys."""

    def __init__(self, url: str, key: str, metrics_path: str) -> None:
        self.url = url.rstrip("/")
        self.metrics_path = metrics_path
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        # A proxy from the environment is meant for the outside world, not for one's own server.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Staying())

    def look(self) -> Look:
        """Return how it is now; raises NoServerError or RefusedError, in one sentence."""
        status = self._ask(_STATUS, "application/json")
        text = self._ask(self.metrics_path, "text/plain")
        try:
            return Look(time.monotonic(), read_page(text), _read_status(status))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedError(f"What answers at {self.url} is not Conch.") from error

    def _ask(self, path: str, kind: str) -> str:
        address = f"{self.url}{path}"
        headers = {**self._headers, "Accept": kind}
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 (http alone)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return str(answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(self._refusal(path, error.code)) from error
        except (OSError, http.client.HTTPException) as error:
            told = getattr(error, "reason", error)
            reason = getattr(told, "strerror", None) or str(told)
            raise NoServerError(f"No server answers at {self.url}: {reason}.") from error

    def _refusal(self, path: str, status: int) -> str:
        if status in _UNAUTHORIZED:
            had = "is not let in with this key" if self._headers else "wants a key"
            return (
                f"{self.url}{path} {had} ({status}): put one with the scopes admin and metrics"
                " into CONCH_API_KEY or --key-file."
            )
        if status == _NOT_FOUND and path == self.metrics_path:
            return (
                f"{self.url} has no metrics at {path}: observability.enable_metrics may be off,"
                " or observability.metrics_path another (--metrics-path)."
            )
        if status in _ELSEWHERE:
            return f"{self.url}{path} sends elsewhere ({status}): give the server's own --url."
        return f"{self.url}{path} answers {status}."


def _read_status(text: str) -> Status:
    told = json.loads(text)
    return Status(
        reason="" if told["ready"] else str(told["reason"]),
        models=tuple(
            ModelStatus(
                str(model["id"]),
                str(model["x_conch"]["state"]),
                str(model["x_conch"]["reason"] or ""),
                model["x_conch"]["memory_bytes"],
            )
            for model in told["models"]
            if not model["x_conch"].get("alias_of")
        ),
        work={each["model"]: (each["running"], each["waiting"]) for each in told["queue"]},
        store=str(told["store"]["state"]),
        writes_waiting=int(told["store"]["writes_waiting"]),
        keys=told["keys"],
        version=str(told["versions"]["conch"]),
    )
