"""What every answer tells browsers: what may be done with it, and nothing else.

A route's own headers stay as they are. No cookie is ever set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quart import Quart, Response

# Nothing is loaded but from here, and no script is text: React and KaTeX live with it.
PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_ALWAYS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_OF_PAGES: Final[Mapping[str, str]] = {
    **_ALWAYS,
    "content-security-policy": PAGE_POLICY,
    "cross-origin-opener-policy": "same-origin",
    # The chat copies texts; it takes dictation from nobody.
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_OF_THE_REST: Final[Mapping[str, str]] = {
    **_ALWAYS,
    # Opened as a page, an answer may do nothing.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


def install_security_headers(app: Quart) -> None:
    """Add them to every answer, errors included."""

    @app.after_request
    async def secure(response: Response) -> Response:
        wanted = _OF_PAGES if response.mimetype == "text/html" else _OF_THE_REST
        present = {name.lower() for name, _ in response.headers}
        for name, value in wanted.items():
            # Not `setdefault`, which looks through all headers twice and makes an exception of it.
            if name not in present:
                response.headers.add(name, value)
        return response
