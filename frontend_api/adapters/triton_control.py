"""Triton's model control: load and unload, one at a time on this host."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import re
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from grpc.aio import AioRpcError
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton_channel import TritonChannel
from frontend_api.adapters.triton_errors import own_sentence, translated
from frontend_api.adapters.triton_watch import TritonWatch
from frontend_api.domain.errors import MemoryFull, ModelNotReady

_UNLOAD_LIMIT_S: Final = 10.0
# An engine has 5 s to end itself; what runs on it, for other workers, may take longer.
_GONE_LIMIT_S: Final = 30.0
_GONE_PAUSE_S: Final = 0.1
# A lock is asked for so often; a load takes seconds.
_LOCK_PAUSE_S: Final = 0.02
_LOCK: Final = "model-loading.lock"
_NEXT_LOCK: Final = "model-loading-next.lock"
_NAME_LEN: Final = 32
# Of the engine: triton_backend/llm/engines/tensorrt_llm_check.py, GiB needed and GiB there are.
_MEMORY_FULL: Final = re.compile(
    r"needs (\d+\.\d) GiB of memory on each GPU, and GPU \d+ has [\d.]+ GiB free of (\d+\.\d)"
)


class TritonControl:
    """The ModelControl port on a Triton server."""

    def __init__(
        self,
        channel: TritonChannel,
        watch: TritonWatch,
        *,
        load_timeout_s: float,
        shared: Path | None,
    ) -> None:
        """Control the models over this channel; the workers of one host share a folder."""
        self._channel = channel
        self._watch = watch
        self._load_timeout_s = load_timeout_s
        self._shared = shared
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None, None]:
        """Wait until no other load is under way, here or in another worker of this host."""
        async with self._alone:
            if self._shared is None:
                yield
                return
            async with AsyncExitStack() as held:
                # Who is next waits with a lock of its own, or a worker that has just had its turn
                # would take the next one before the others look again.
                async with _locked(self._shared / _NEXT_LOCK):
                    await held.enter_async_context(_locked(self._shared / _LOCK))
                # What another worker has just done must be known before it is built upon.
                await self._watch.look()
                yield

    async def load(self, name: str) -> None:
        """Load it and wait until it answers; see ModelControl."""
        request = service_pb2.RepositoryModelLoadRequest(model_name=name)
        try:
            await self._channel.stub.RepositoryModelLoad(request, timeout=self._load_timeout_s)
        except AioRpcError as exc:
            await self._watch.look()
            raise _refused(name, "loaded", exc) from exc
        await self._watch.look()

    async def unload(self, name: str) -> None:
        """Take no more requests for it; it goes when its last one has ended."""
        request = service_pb2.RepositoryModelUnloadRequest(model_name=name)
        try:
            await self._channel.stub.RepositoryModelUnload(request, timeout=_UNLOAD_LIMIT_S)
        except AioRpcError as exc:
            raise _refused(name, "unloaded", exc) from exc
        await self._watch.look()

    async def unloads_ended(self) -> bool:
        """Ask Triton until it unloads nothing any more; see ModelControl."""
        was_any = False
        try:
            async with asyncio.timeout(_GONE_LIMIT_S):
                while await self._unloads():
                    was_any = True
                    await asyncio.sleep(_GONE_PAUSE_S)
        except TimeoutError:
            return False
        return was_any

    async def _unloads(self) -> bool:
        with translated():
            index = await self._channel.stub.RepositoryIndex(
                service_pb2.RepositoryIndexRequest(), timeout=_UNLOAD_LIMIT_S
            )
        return any(model.state == "UNLOADING" for model in index.models)

    def note_use(self, name: str) -> None:
        """Date the model's file in the shared folder; see ModelControl."""
        if self._shared is not None:
            # The folder may be gone at the end, or full: then the others do not know.
            with contextlib.suppress(OSError):
                self._use_file(self._shared, name).touch()

    def unused_s(self, name: str) -> float | None:
        """Return the age of the model's file; see ModelControl."""
        if self._shared is None:
            return None
        try:
            return max(0.0, time.time() - self._use_file(self._shared, name).stat().st_mtime)
        except FileNotFoundError:
            return None

    @staticmethod
    def _use_file(folder: Path, name: str) -> Path:
        # Of any length and with any sign: the name of a model is not yet one of a file.
        return folder / f"model-used-{hashlib.sha256(name.encode()).hexdigest()[:_NAME_LEN]}"


@asynccontextmanager
async def _locked(path: Path) -> AsyncGenerator[None, None]:
    with path.open("w") as file:
        while not _is_locked(file.fileno()):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(_LOCK_PAUSE_S)
        yield


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refused(name: str, what: str, error: AioRpcError) -> ModelNotReady:
    details = error.details() or ""
    reason = own_sentence(details)
    told = f": {reason}" if reason else "."
    full = _MEMORY_FULL.search(reason)
    # What needs more than a GPU has at all is not helped by room.
    kind = MemoryFull if full and float(full[1]) <= float(full[2]) else ModelNotReady
    return kind(
        f"The model `{name}` cannot be {what}{told}", detail=f"{error.code().name}: {details}"
    )
