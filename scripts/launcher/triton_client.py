"""What the launcher asks of Triton over gRPC; the only place here that knows tritonclient."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import grpc
import numpy as np
from tritonclient.grpc import InferInput, aio
from tritonclient.utils import InferenceServerException

PROBE_TIMEOUT_S = 2.0
RELOAD_TIMEOUT_S = 600.0  # a big model takes minutes to load
_DEAD = "is not healthy"  # Triton 2.51: "Stub process 'm_0_0' is not healthy."
# A proxy from the environment is meant for the outside world, not for our own server.
_CHANNEL_ARGS = [("grpc.enable_http_proxy", 0)]


class TritonUnreachableError(Exception):
    """Triton did not answer, or not with what was asked for."""


class ProcessDeadError(TritonUnreachableError):
    """Triton says itself that the model's process is gone."""


class TritonClient:
    """A connection to one run of tritonserver: a new run needs a new one (it starts undelayed)."""

    def __init__(self, client: aio.InferenceServerClient) -> None:
        self._client = client

    async def ready_models(self) -> set[str]:
        """Return the models Triton calls ready, which it also does when their process is dead."""
        with _translated():
            index = await self._client.get_model_repository_index(client_timeout=PROBE_TIMEOUT_S)
            return {model.name for model in index.models if model.state == "READY"}

    async def describe(self, model: str) -> None:
        """Let the model's process itself answer; raises ProcessDeadError if there is none."""
        task = InferInput("task", [1, 1], "BYTES")
        task.set_data_from_numpy(np.array([[b"describe"]], dtype=np.object_))

        async def requests() -> AsyncIterator[dict[str, object]]:
            yield {"model_name": model, "inputs": [task]}

        with _translated():
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                answers = self._client.stream_infer(requests())
                try:
                    # To the end: a stream cancelled just before it can keep the model from
                    # unloading.
                    results = [error async for _, error in answers]
                finally:
                    answers.cancel()
            for error in results:
                if error is not None:
                    raise error
            if not results:
                raise TritonUnreachableError(f"no answer from {model}")

    async def reload(self, model: str) -> None:
        """Replace the model's process. An unload is what makes Triton see that it is dead."""
        with _translated():
            await self._client.unload_model(model, client_timeout=PROBE_TIMEOUT_S)
            await self._client.load_model(model, client_timeout=RELOAD_TIMEOUT_S)


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[TritonClient]:
    """Yield a client of the Triton there; it need not answer yet."""
    async with aio.InferenceServerClient(address, channel_args=_CHANNEL_ARGS) as client:
        yield TritonClient(client)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (InferenceServerException, grpc.RpcError, TimeoutError) as exc:
        kind = ProcessDeadError if _DEAD in str(exc) else TritonUnreachableError
        raise kind(str(exc)) from exc
