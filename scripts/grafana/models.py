"""The models as their clients see them."""

from __future__ import annotations

from typing import Final

from scripts.grafana.panels import Dashboard, Panel, Query
from scripts.grafana.queries import MODEL, gauge, or_none, quantile, rate

_EACH: Final = "{{model}}"
MODELS: Final = Dashboard(
    uid="conch-models",
    title="Models",
    rows=(
        (
            Panel(
                "State",
                "The state that each model is in; the worst view of all workers.",
                "short",
                [
                    Query(
                        f"max by (model, state) (conch_model_state{{{MODEL}}}) == 1",
                        "{{model}} {{state}}",
                    )
                ],
                kind="state-timeline",
            ),
            Panel(
                "Generations by ending",
                "completed, cancelled, or the code of the error.",
                "short",
                [
                    Query(
                        rate("conch_generations_total", MODEL, "model, outcome"),
                        "{{model}} {{outcome}}",
                    )
                ],
            ),
        ),
        (
            Panel(
                "First token, 95 %",
                "19 of 20 answers begin within this time.",
                "s",
                [Query(quantile(0.95, "conch_time_to_first_token_seconds", MODEL, "model"), _EACH)],
                thresholds=((2.5, "red"),),
            ),
            Panel(
                "Answers that begin late",
                "Share of those later than 2.5 s; above 5 % for long breaks the objective.",
                "percentunit",
                [
                    Query(f"conch:first_token_late:ratio_rate5m{{{MODEL}}}", "{{model}} 5 min"),
                    Query(f"conch:first_token_late:ratio_rate1h{{{MODEL}}}", "{{model}} 1 h"),
                    Query(f"conch:first_token_late:ratio_rate6h{{{MODEL}}}", "{{model}} 6 h"),
                ],
                thresholds=((0.05, "orange"), (0.3, "red")),
            ),
        ),
        (
            Panel(
                "Between tokens, 95 %",
                "19 of 20 answers are written at this pace or faster.",
                "s",
                [Query(quantile(0.95, "conch_time_between_tokens_seconds", MODEL, "model"), _EACH)],
            ),
            Panel(
                "Tokens per second of an answer",
                "Of the middle answer, from its first token on.",
                "short",
                [Query(quantile(0.5, "conch_generation_tokens_per_second", MODEL, "model"), _EACH)],
            ),
            Panel(
                "Seconds of a generation, 95 %",
                "From its start to its end.",
                "s",
                [Query(quantile(0.95, "conch_generation_duration_seconds", MODEL, "model"), _EACH)],
            ),
        ),
        (
            Panel(
                "Tokens",
                "Read, found in the cache and written in a second.",
                "short",
                [
                    Query(
                        rate("conch_tokens_total", MODEL, "model, kind"),
                        "{{model}} {{kind}}",
                    )
                ],
            ),
            Panel(
                "Running and in line",
                "Generations; the line grows where a model has no place left.",
                "short",
                [
                    Query(
                        gauge("conch_generations_in_flight", MODEL, "model"), "{{model}} running"
                    ),
                    Query(gauge("conch_queue_length", MODEL, "model"), "{{model}} in line"),
                ],
            ),
        ),
        (
            Panel(
                "Seconds in line, 90 %",
                "Of those generations that had to wait at all.",
                "s",
                [Query(quantile(0.9, "conch_queue_duration_seconds", MODEL, "model"), _EACH)],
                thresholds=((20, "red"),),
            ),
            Panel(
                "Refused by the line",
                "overloaded: no place in time; too_many_waiting: one key's in a full line.",
                "short",
                [
                    Query(
                        or_none(rate("conch_queue_refused_total", MODEL, "model, code")),
                        "{{model}} {{code}}",
                    )
                ],
            ),
        ),
        (
            Panel(
                "Seconds of the last load",
                "How long a model took to be ready.",
                "s",
                [Query(f"max by (model) (conch_model_load_seconds{{{MODEL}}})", _EACH)],
            ),
            Panel(
                "Memory",
                "Resident memory of a model's process.",
                "bytes",
                [Query(f"max by (model) (conch_model_memory_bytes{{{MODEL}}})", _EACH)],
            ),
        ),
    ),
)
