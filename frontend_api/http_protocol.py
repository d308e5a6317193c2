"""uvicorn's HTTP connection, made to wait for no client for ever, nor to keep all that one sends.

uvicorn itself has no time-out for a request that never ends (slow loris), and its parser keeps a
header of any length. How it works: while a client owes us bytes - the rest of a head that it has
begun, a first one, or the rest of a body that nobody reads any more - a timer runs. The body of a
request that is being answered has its own time-out (Quart's).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Browsers send a few KiB in some twenty headers.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
_TOO_SLOW: Final = "408 Request Timeout"
_TOO_LARGE: Final = "431 Request Header Fields Too Large"


class HttpConfig(Config):
    """uvicorn's configuration with a time-out for the heads of requests."""

    def __init__(
        self, app: Callable[..., object], *, head_timeout_s: float, **settings: Any
    ) -> None:
        """Pass everything else on."""
        # A request that comes right behind another on a connection is begun from within that one,
        # whose trace it would go on with.
        super().__init__(cast(Any, app), http=BoundedHttp, reset_contextvars=True, **settings)
        self.head_timeout_s = head_timeout_s


class _HeadTooLargeError(Exception):
    """The parser stops at it."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Expect a head."""
        super().__init__(*args, **settings)
        self._timeout_s: float = self.config.head_timeout_s  # type: ignore[attr-defined]
        self._timer: asyncio.TimerHandle | None = None
        self._is_in_head = True
        # Since the last piece of a body: of a head, or of what chunks carry beside it (trailers).
        self._head_bytes = 0
        self._is_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timer."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse a head, or trailers, that grow too long."""
        self._head_bytes += len(data)
        if self._is_in_head:
            self._arm()
        super().data_received(data)
        if self._head_bytes <= MAX_HEAD_BYTES:
            return
        if self._is_in_head:
            self._is_too_large = True
            self.send_400_response("")
        else:
            # Its answer may have begun: there is no place for another.
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header of a bounded number."""
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._is_too_large = True
            raise _HeadTooLargeError

    def on_headers_complete(self) -> None:
        """Begin the request; its body has a time-out of its own."""
        self._is_in_head, self._head_bytes = False, 0
        self._disarm()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass it on; it has a limit of its own."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._is_in_head, self._head_bytes = True, 0
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on; a body that nobody reads any more must end soon."""
        super().on_response_complete()
        if not self._is_in_head:
            self._arm()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        if not self._is_too_large:
            super().send_400_response(msg)
        elif not self.transport.is_closing():
            self._close_with(_TOO_LARGE)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._timeout_s, self._give_up)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The next request has begun to come while this one is answered: there is time.
            self._arm()
        elif self._is_in_head:
            self._close_with(_TOO_SLOW)
        else:
            self.transport.close()

    def _close_with(self, status: str) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode("ascii"))
        self.transport.close()
