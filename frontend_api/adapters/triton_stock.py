"""Generations on NVIDIA's stock TensorRT-LLM models, which take text and tell less than ours.

They apply no chat template: one of our models does it for them, before the first token. Why an
answer ended they mostly do not say: then it was `length` if it has as many tokens as were allowed.
Models before container 25.06 do not count tokens: then each piece counts as one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from frontend_api.adapters.triton_channel import InferStream
from frontend_api.adapters.triton_errors import failure
from frontend_api.adapters.triton_signature import Signature
from frontend_api.adapters.triton_tasks import TritonTasks
from frontend_api.adapters.triton_wire import read_prompt_count, read_response
from frontend_api.domain.errors import (
    EngineFailed,
    ModelNotFound,
    ModelNotReady,
    UnsupportedParameter,
)
from frontend_api.domain.generation import (
    Accepted,
    ChatPrompt,
    Delta,
    GenerationRequest,
    TextPrompt,
)

# They want a limit, and lower one that their context has no room for.
_MAX_TOKENS: Final = 2048
_NO_TEMPLATE: Final = (
    "The model `{model}` has no chat template of its own. Use /v1/completions, or let the operator"
    " name a model that has its template in models.chat_templates."
)


class StockModels:
    """What a stock model is asked, and what it answers."""

    def __init__(self, tasks: TritonTasks, templates: Mapping[str, str]) -> None:
        """templates: for a stock model's name, the name of the model whose template is its own."""
        self._tasks = tasks
        self._templates = templates

    async def prepared(self, request: GenerationRequest) -> GenerationRequest:
        """Return the request with its conversation as text, and a limit.

        Raises UnsupportedParameter for a conversation without a template.
        """
        request = replace(request, max_tokens=request.max_tokens or _MAX_TOKENS)
        if not isinstance(request.prompt, ChatPrompt):
            return request
        template = self._templates.get(request.model)
        if template is None:
            raise UnsupportedParameter(_NO_TEMPLATE.format(model=request.model), param="messages")
        try:
            text = await self._tasks.render(template, request.prompt)
        except (ModelNotFound, ModelNotReady) as exc:
            message = f"The chat template of the model `{request.model}` is not ready."
            raise ModelNotReady(message, detail=exc.message) from exc
        return replace(request, prompt=TextPrompt(text))


async def stock_events(
    stream: InferStream, request: GenerationRequest, signature: Signature
) -> AsyncGenerator[Accepted | Delta, None]:
    """Yield what comes on the stream, and an end for each sequence when it ends."""
    answer = _Answer(request, is_counted="num_output_tokens" in signature.outputs)
    while (response := await stream.read()) is not None:
        if response.error_message:
            raise failure(response.error_message, request)
        for event in answer.events(response.infer_response):
            yield event
    for end in answer.ends():
        yield end


class _Answer:
    """What has come of an answer so far; is_counted: the model counts its tokens."""

    def __init__(self, request: GenerationRequest, *, is_counted: bool) -> None:
        self._max_tokens = request.max_tokens or _MAX_TOKENS
        self._is_counted = is_counted
        self._num_tokens = dict.fromkeys(range(request.n), 0)
        self._is_accepted = False
        self._has_begun = False

    def events(self, response: Any) -> Iterator[Accepted | Delta]:
        num_prompt_tokens = read_prompt_count(response)
        if num_prompt_tokens and not self._is_accepted:
            self._is_accepted = True
            yield Accepted(num_prompt_tokens)
        event = read_response(response)
        if isinstance(event, Delta):
            yield self._counted(event)

    def ends(self) -> Iterator[Delta]:
        if not self._has_begun:
            raise EngineFailed("The model ended its answer without an answer.")
        for index, num in self._num_tokens.items():
            is_cut = self._is_counted and num >= self._max_tokens
            yield Delta(index, "", 0, "length" if is_cut else "stop")

    def _counted(self, delta: Delta) -> Delta:
        self._has_begun = True
        # The llmapi model writes "None", and "timeout" for what it gave up.
        reason = delta.finish_reason if delta.finish_reason in ("stop", "length") else None
        num = delta.num_output_tokens if self._is_counted else int(bool(delta.text))
        before = self._num_tokens.pop(delta.sequence_index, 0)
        if reason is None:
            self._num_tokens[delta.sequence_index] = before + num
        return delta._replace(finish_reason=reason, num_output_tokens=num)
