"""Who uses it and for what, and whom limits refuse; by key only where that is bounded."""

from __future__ import annotations

from typing import Final

from scripts.grafana.panels import Dashboard, Panel, Query
from scripts.grafana.queries import ASKED, MODEL, REQUESTS, increase, or_none, rate

_EACH: Final = "{{model}}"


def _in_an_hour(kind: str) -> str:
    return increase("conch_tokens_total", f'{MODEL}, kind="{kind}"', "model")


USAGE: Final = Dashboard(
    uid="conch-usage",
    title="Keys and usage",
    rows=(
        (
            Panel(
                "Let in and refused by limits",
                "Requests that a limit of an address or a key has counted.",
                "reqps",
                [
                    Query(rate("rate_limit_allowed_total"), "let in"),
                    Query(rate("rate_limit_blocked_total"), "refused"),
                ],
            ),
            Panel(
                "Refused by which limit",
                "GET /admin/usage and the audit tell which key: for metrics they are too many.",
                "reqps",
                [Query(or_none(rate("conch_limit_refused_total", by="limit")), "{{limit}}")],
            ),
        ),
        (
            Panel(
                "Not let in",
                "401: no key or a wrong one; 403: a key that may not; 429: a limit.",
                "reqps",
                [Query(or_none(rate(REQUESTS, 'status=~"401|403|429"', "status")), "{{status}}")],
            ),
            Panel(
                "Requests by route",
                "What the API is used for.",
                "reqps",
                [Query(rate(REQUESTS, ASKED, "route"), "{{route}}")],
            ),
        ),
        (
            Panel(
                "Tokens in an hour",
                "Read (cached ones included) and written, of the hour before each moment.",
                "short",
                [
                    Query(
                        increase("conch_tokens_total", MODEL, "model, kind"),
                        "{{model}} {{kind}}",
                    )
                ],
            ),
            Panel(
                "Tokens of prompts found in the cache",
                "Share that the engine did not have to read again.",
                "percentunit",
                [
                    Query(
                        f"{_in_an_hour('cached')} / {_in_an_hour('prompt')}",
                        _EACH,
                    )
                ],
            ),
        ),
        (
            Panel(
                "Generations given up",
                "Cancelled by their clients, or by their leaving, in a second.",
                "short",
                [
                    Query(
                        or_none(
                            rate(
                                "conch_generations_total", f'{MODEL}, outcome="cancelled"', "model"
                            )
                        ),
                        _EACH,
                    )
                ],
            ),
            Panel(
                "Streams taken up again",
                "Stored answers that somebody reads on after a cut, or again.",
                "short",
                [Query(rate("conch_stream_resumes_total"), "resumed")],
            ),
            Panel(
                "By the original's names",
                "Requests of every dialect, by the names that the original service's metrics had.",
                "reqps",
                [
                    Query(rate("chat_completions_requests_total"), "chat completions"),
                    Query(rate("completions_requests_total"), "completions"),
                    Query(rate("history_requests_total"), "history"),
                ],
            ),
        ),
    ),
)
