"""What a connection says of itself before it is answered: its key, its subprotocols, its origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import orjson

from frontend_api.domain.errors import WrongKey
from frontend_api.settings import is_loopback

# A browser cannot set headers on a WebSocket, but may offer subprotocols; OpenAI's, and ours.
KEY_PROTOCOLS: Final = ("openai-insecure-api-key.", "conch-key.")
_HIDDEN: Final = "***"
_HTTP: Final[Mapping[str, str]] = {"ws": "http", "wss": "https"}
_DEFAULT_PORT: Final[Mapping[str, str]] = {"http": ":80", "https": ":443"}


def presented_key(scope: Mapping[str, Any]) -> str | None:
    """Return the key of an ASGI scope, of its header or its subprotocols; never of its address.

    Raises WrongKey when two headers leave open which one is meant.
    """
    found = _header(scope, b"authorization")
    if len(found) > 1:
        raise WrongKey(_HIDDEN)
    for value in found:
        scheme, _, key = value.partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            return key.strip()
    for protocol in _protocols(scope):
        for prefix in KEY_PROTOCOLS:
            if protocol.startswith(prefix):
                return protocol.removeprefix(prefix)
    return None


def key_of_message(message: str | bytes) -> str | None:
    """Return the key of `{"type": "auth", "key": …}`."""
    try:
        said = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, Mapping) or said.get("type") != "auth":
        return None
    key = said.get("key")
    return key if isinstance(key, str) else None


def chosen_protocol(scope: Mapping[str, Any]) -> str | None:
    """Return the subprotocol to answer with: the first that is offered and holds no key."""
    return next((each for each in _protocols(scope) if not each.startswith(KEY_PROTOCOLS)), None)


def is_from_allowed_page(scope: Mapping[str, Any], allowed: Collection[str]) -> bool:
    """Return whether the page that asks is one of ours, or allowed; what is no page has no origin.

    Scheme, host and port must all be the same.
    """
    origins = _header(scope, b"origin")
    if not origins:
        return True
    origin = origins[0].lower()
    return len(origins) == 1 and (origin in allowed or origin == _own_origin(scope))


def is_for_loopback(scope: Mapping[str, Any]) -> bool:
    """Return whether the client calls this machine by a name that no page can make its own."""
    hosts = asked_hosts(scope)
    return len(hosts) == 1 and is_loopback(hosts[0])


def asked_hosts(scope: Mapping[str, Any]) -> Sequence[str]:
    """Return the names or addresses by which this server is called, without port and brackets."""
    return [_name_of(host) for host in _header(scope, b"host")]


def _name_of(host: str) -> str:
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.strip("[]").rstrip(".").lower()


def _own_origin(scope: Mapping[str, Any]) -> str | None:
    hosts = _header(scope, b"host")
    scheme = _HTTP.get(scope["scheme"], scope["scheme"])
    if len(hosts) != 1:
        return None
    return f"{scheme}://{hosts[0].lower().removesuffix(_DEFAULT_PORT.get(scheme, ''))}"


def _header(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _protocols(scope: Mapping[str, Any]) -> Sequence[str]:
    return scope.get("subprotocols") or ()
