"""Which web pages may ask, where no key tells who does.

How it works: a browser sends a page's requests from its user's machine, so without keys any page
that the user was led to could ask as the user. It names the page's origin; a program names none.
A page may also give this server's address a name of its own (DNS rebinding), and then its origin
looks like ours. So the name by which we are called must be one that no stranger can hand out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from frontend_api.domain.errors import Forbidden
from frontend_api.settings import Settings, is_loopback
from frontend_api.web.credentials import asked_hosts, is_from_allowed_page

_ANY: Final = "*"


class Pages:
    """Decides about requests that come without a key."""

    def __init__(self, settings: Settings) -> None:
        """Take the origins and names that are allowed."""
        security = settings.security
        self._origins = frozenset(security.allowed_origins)
        self._is_local = is_loopback(settings.server.host)
        named = (urlsplit(origin).hostname or "" for origin in security.allowed_origins)
        self._names = frozenset((*security.allowed_hosts, *named))

    def check(self, scope: Mapping[str, Any]) -> None:
        """Raise Forbidden when a page asks that may not."""
        if not is_from_allowed_page(scope, self._origins):
            raise Forbidden(
                "This page may not use the API: its origin is not allowed.",
                code="origin_not_allowed",
            )
        # What sends none is no browser; two leave open which one is meant.
        hosts = asked_hosts(scope)
        if len(hosts) > 1 or not all(self._is_ours(name) for name in hosts):
            raise Forbidden(
                "This server is not known under that name: without keys it answers to its own"
                " names only, and to those in security.allowed_hosts.",
                code="host_not_allowed",
            )

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name in self._names or _ANY in self._names:
            return True
        # The name of another machine or container of the same network: none of the internet's.
        return not self._is_local and (_is_address(name) or "." not in name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
