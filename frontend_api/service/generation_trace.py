"""The trace of one generation: its span, its stages, and what OpenTelemetry calls its figures.

Names are those of https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. What holds
text of a client, as stop sequences do, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from frontend_api.domain.generation import ChatPrompt, GenerationRequest
from frontend_api.service.live import LiveGeneration
from frontend_api.telemetry.tracing import Attributes, Span, Tracing

# What answers is a Triton server, whatever engine runs in it.
_PROVIDER: Final = "nvidia.triton"


class GenerationTrace:
    """The span of a generation, from its admission to its end."""

    def __init__(self, tracing: Tracing, requests: Sequence[GenerationRequest], model: str) -> None:
        """Begin it: a part of the request, or a trace of its own for what nobody asked for."""
        first = requests[0]
        operation = "chat" if isinstance(first.prompt, ChatPrompt) else "text_completion"
        self.span: Span = tracing.begun(f"{operation} {model}", "client")
        self._is_streamed = first.stream
        if self.span.is_sampled:
            self.span.set(
                {
                    "gen_ai.operation.name": operation,
                    "gen_ai.provider.name": _PROVIDER,
                    "gen_ai.response.model": model,
                    **_asked(first),
                }
            )
            if (num_choices := len(requests) * first.n) > 1:
                self.span.set({"gen_ai.request.choice.count": num_choices})

    def end(self, live: LiveGeneration) -> None:
        """End it with what came of it, and tell its stages: nothing of it was kept before."""
        if not self.span.is_sampled:
            return
        usage, first_s = live.usage, live.first_token_s
        self.span.set(
            {
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
                "gen_ai.response.finish_reasons": live.finish_reasons,
                "conch.attempts": live.work.num_attempts,
                "conch.outcome": live.outcome,
                "conch.is_own": live.work.is_own,
            }
        )
        if self._is_streamed and first_s is not None:
            self.span.set({"gen_ai.response.time_to_first_chunk": first_s})
        for name, from_s, to_s in self._stages(live):
            self.span.stage(name, from_s, to_s)
        error = None if live.error is None else live.outcome
        self.span.end(error=error, after_s=live.duration_s)

    def _stages(self, live: LiveGeneration) -> Iterator[tuple[str, float, float]]:
        """Yield name, beginning and end of each stage that was reached; one ends with the next."""
        marks: list[tuple[str, float | None]] = [("queue", 0.0), ("preprocess", live.placed_s)]
        if self._is_streamed:
            marks += [("first token", live.timing.queue_s), ("generate", live.first_token_s)]
        else:
            # Its answer comes whole: nobody knows when its first token was there.
            marks += [("generate", live.timing.queue_s)]
        reached: list[tuple[str, float]] = []
        for name, at in marks:
            if at is not None:
                # Of several prompts one may be answered before the last is accepted.
                reached.append((name, max(at, reached[-1][1] if reached else 0.0)))
        for (name, from_s), (_, to_s) in pairwise([*reached, ("", live.duration_s)]):
            yield name, from_s, to_s


def _asked(request: GenerationRequest) -> Attributes:
    asked: dict[str, str | int | float | bool | None] = {
        "gen_ai.request.model": request.model,
        "gen_ai.request.stream": request.stream,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "gen_ai.request.top_k": request.top_k,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.frequency_penalty": request.frequency_penalty,
        "gen_ai.request.presence_penalty": request.presence_penalty,
        "gen_ai.output.type": None if request.guide is None else "json",
    }
    return {name: value for name, value in asked.items() if value is not None}
