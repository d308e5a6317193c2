"""A model's tasks beside generation: tokenize and detokenize, each one short stream."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from frontend_api.adapters.triton_access import MAX_ASKED, PAUSE_S, TritonAccess
from frontend_api.adapters.triton_errors import failure
from frontend_api.adapters.triton_wire import read_ids, read_text, task_request
from frontend_api.domain.errors import (
    BackendLost,
    EngineFailed,
    ModelNotReady,
    TimedOut,
    UnsupportedParameter,
)
from frontend_api.domain.generation import ChatPrompt, GenerationRequest, Prompt, TokenPrompt


class TritonTasks:
    """The Tokenizing port on a Triton server."""

    def __init__(self, access: TritonAccess, timeout_s: float) -> None:
        """Ask through this access; each answer may take `timeout_s`."""
        self._access = access
        self._timeout_s = timeout_s

    async def tokenize(self, model: str, prompt: Prompt) -> Sequence[int]:
        """Return the prompt's ids; see Tokenizing."""
        field = "messages" if isinstance(prompt, ChatPrompt) else "prompt"
        asked = GenerationRequest(model=model, prompt=prompt, renamed={"prompt": field})
        return read_ids(await self._run(asked, "tokenize", "output_ids"))

    async def render(self, model: str, prompt: ChatPrompt) -> str:
        """Return the conversation as the model's chat template writes it."""
        asked = GenerationRequest(model=model, prompt=prompt, renamed={"prompt": "messages"})
        return read_text(await self._run(asked, "tokenize", "text_output"))

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        """Return the text of the ids; see Tokenizing."""
        prompt = TokenPrompt(tuple(ids))
        asked = GenerationRequest(model=model, prompt=prompt, renamed={"prompt": "tokens"})
        return read_text(await self._run(asked, "detokenize", "text_output"))

    async def _run(self, asked: GenerationRequest, task: str, output: str) -> Any:
        """Return the one response; its failures name the fields of `asked`."""
        model = asked.model
        if not self._access.catalogue.signature(model).can_describe:
            message = f"The model `{model}` has no tokenizer that can be asked."
            raise UnsupportedParameter(message, param="model")
        message = task_request(model, task, asked.prompt, output)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask_some(asked, message)
        except TimeoutError as exc:
            raise TimedOut("The model took too long to answer.") from exc

    async def _ask_some(self, asked: GenerationRequest, message: Any) -> Any:
        num_left = MAX_ASKED if self._access.are_several() else 1
        while True:
            num_left -= 1
            try:
                return await self._ask(asked, message)
            except (BackendLost, ModelNotReady):
                if not num_left:
                    raise
            await asyncio.sleep(PAUSE_S)

    async def _ask(self, asked: GenerationRequest, message: Any) -> Any:
        with self._access.stream(asked.model) as stream:
            await stream.send(message)
            answer = None
            while (response := await stream.read()) is not None:
                if response.error_message:
                    raise failure(response.error_message, asked)
                if response.infer_response.raw_output_contents:
                    answer = response.infer_response
        if answer is None:
            raise EngineFailed("The model ended its answer without an answer.")
        return answer
