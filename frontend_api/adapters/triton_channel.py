"""The shared gRPC channel to Triton, and the streams that are open on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from grpc.aio import EOF, AioRpcError, Channel, InternalError, insecure_channel
from tritonclient.grpc import service_pb2_grpc

from frontend_api.adapters.triton_errors import LOST_MESSAGE, from_grpc
from frontend_api.domain.errors import BackendLost
from frontend_api.settings import TritonSettings

# A restarted Triton must be found again at once, so the pauses between attempts stay short.
_RECONNECT_MS: Final = 100
_MAX_RECONNECT_MS: Final = 500
# Pings go out only on a silent connection, and ours has a probe every second. More of them
# than Triton allows (one per 300 s without traffic) would make it close the connection.
_KEEPALIVE_MS: Final = 10_000
_KEEPALIVE_TIMEOUT_MS: Final = 5_000
# Told by docker/haproxy/haproxy.cfg at an answer's beginning: which of several Tritons gives it.
_SERVER_HEADER: Final = "x-conch-server"
# The end follows the last response within a millisecond; a server that hangs is not waited for.
_END_LIMIT_S: Final = 1.0


class TritonChannel:
    """One connection for all calls of this process; open while entered."""

    def __init__(self, settings: TritonSettings) -> None:
        """Remember where Triton is; nothing is opened."""
        self._settings = settings
        self._channel: Channel | None = None
        self.stub: Any = None

    async def __aenter__(self) -> Self:
        """Open the channel; it connects by itself, now and after every loss."""
        self._channel = insecure_channel(self._settings.url, options=_options(self._settings))
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the channel and cancel what is open on it."""
        if self._channel is not None:
            await self._channel.close()


class InferStream:
    """One ModelStreamInfer call that carries one request.

    server: which of several Tritons answers, once it does; "" until then, and for a single one.
    """

    def __init__(self, call: Any) -> None:
        """Wrap a fresh call; closed by `OpenStreams.opened`."""
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._is_lost = False
        self._has_heard = False
        self.server = ""
        self.opened_at = self.heard_at = self._loop.time()

    async def send(self, request: Any) -> None:
        """Send the only request; Triton ends the stream when it is answered."""
        try:
            await self._call.write(request)
            await self._call.done_writing()
        except (AioRpcError, asyncio.CancelledError) as exc:
            self._explain(exc)
            raise
        except (InternalError, asyncio.InvalidStateError) as exc:
            # The stream had ended before the request was whole.
            raise BackendLost(LOST_MESSAGE, detail=str(exc)) from exc

    async def read(self) -> Any | None:
        """Return the next ModelStreamInferResponse, None at the end; one with an error is the last.

        Triton 2.51 sometimes keeps a request for ever whose stream is cancelled between its last
        response and the stream's end; its model then never unloads. So read on to the end.
        """
        response = await self._read_next()
        if response is not None and response.error_message:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_LIMIT_S):
                    while await self._read_next() is not None:
                        pass
        return response

    async def _read_next(self) -> Any | None:
        try:
            response = await self._call.read()
            if not self._has_heard:
                self._has_heard = True
                self.server = server_of(await self._call.initial_metadata())
        except (AioRpcError, asyncio.CancelledError) as exc:
            self._explain(exc)
            raise
        self.heard_at = self._loop.time()
        return None if response is EOF else response

    def lose(self) -> None:
        """Let the reader fail with BackendLost: nobody is left who could answer."""
        self._is_lost = True
        self._call.cancel()

    def close(self) -> None:
        """Cancel the call if it still runs; Triton then cancels the request."""
        self._call.cancel()

    def _explain(self, exc: AioRpcError | asyncio.CancelledError) -> None:
        """Raise what the failure means here; a cancelled task's own cancellation means nothing."""
        # gRPC reports a call that `lose` cancelled as if the *task* had been cancelled.
        task = asyncio.current_task()
        if self._is_lost and (task is None or not task.cancelling()):
            raise BackendLost(LOST_MESSAGE) from exc
        if isinstance(exc, AioRpcError):
            raise from_grpc(exc) from exc


def server_of(metadata: Any) -> str:
    """Return which of several Tritons an answer is from; "" if there is but one."""
    return str(dict(metadata or ()).get(_SERVER_HEADER, ""))


class OpenStreams:
    """The streams open for each model, so that they can be ended when the model has died."""

    def __init__(self) -> None:
        """Start with none."""
        self._streams: dict[str, set[InferStream]] = {}

    @contextlib.contextmanager
    def opened(self, model: str, call: Any) -> Iterator[InferStream]:
        """Keep the call among the model's streams; close it at the end."""
        stream = InferStream(call)
        streams = self._streams.setdefault(model, set())
        streams.add(stream)
        try:
            yield stream
        finally:
            streams.discard(stream)
            stream.close()

    def lose_all(self, model: str, server: str = "") -> None:
        """End every stream of a model whose process is dead; of one server, if named."""
        for stream in list(self._streams.get(model, ())):
            if server in ("", stream.server):
                stream.lose()

    def lose_silent(self, model: str, opened_before: float, silence_s: float) -> None:
        """End the older streams that have been silent for so long.

        For a model that was unloaded: one that is still being served ends its
        streams properly, one that died leaves them silent for ever.
        """
        now = asyncio.get_running_loop().time()
        for stream in list(self._streams.get(model, ())):
            if stream.opened_at < opened_before and now - stream.heard_at > silence_s:
                stream.lose()


def _options(settings: TritonSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_MS),
        # Despite its name the time-out of one connection attempt.
        ("grpc.min_reconnect_backoff_ms", round(settings.connect_timeout_s * 1000)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # A proxy from the environment is meant for the outside world, not for our own server.
        ("grpc.enable_http_proxy", 0),
    ]
