"""Quart's request, with a limit of its own for the bodies of some addresses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from quart import Request


def sized_request(limits: Mapping[str, int]) -> type[Request]:
    """Return a class of requests; limits: the longest body in bytes of an address, by its path."""

    class SizedRequest(Request):
        def __init__(
            self, method: str, scheme: str, path: str, *others: Any, **settings: Any
        ) -> None:
            if path in limits:
                settings["max_content_length"] = limits[path]
            super().__init__(method, scheme, path, *others, **settings)

        @cached_property
        def blueprints(self) -> list[str]:
            # Asked for again and again once the route is known, never before.
            return super().blueprints

    return SizedRequest
