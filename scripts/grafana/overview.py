"""Is it healthy, is it fast: the dashboard to look at first."""

from __future__ import annotations

from typing import Final

from scripts.grafana.panels import Dashboard, Panel, Query
from scripts.grafana.queries import (
    ASKED,
    REQUESTS,
    SHARE_OF_ERRORS,
    gauge,
    or_none,
    quantile,
    quantiles,
    rate,
    ratio,
)

_LATE: Final = ((2.5, "red"),)
OVERVIEW: Final = Dashboard(
    uid="conch-overview",
    title="Overview",
    rows=(
        (
            Panel(
                "Alerts",
                "Alerts that fire now; docs/operations.md says what to do.",
                "short",
                [Query(or_none('count(ALERTS{alertstate="firing"})'))],
                kind="stat",
                thresholds=((1, "red"),),
            ),
            Panel(
                "Requests",
                "Requests answered in a second.",
                "reqps",
                [Query(rate(REQUESTS, ASKED))],
                kind="stat",
            ),
            Panel(
                "Server errors",
                "Share of the requests that end with a status of 500 or more.",
                "percentunit",
                [Query(ratio(rate(REQUESTS, f'{ASKED}, status=~"5.."'), rate(REQUESTS, ASKED)))],
                kind="stat",
                thresholds=SHARE_OF_ERRORS,
            ),
            Panel(
                "First token",
                "19 of 20 answers begin within this time; the objective is 2.5 s.",
                "s",
                [Query(quantile(0.95, "conch_time_to_first_token_seconds"))],
                kind="stat",
                thresholds=_LATE,
            ),
            Panel(
                "Tokens written",
                "By all models in a second.",
                "short",
                [Query(rate("conch_tokens_total", 'kind="completion"'))],
                kind="stat",
            ),
            Panel(
                "Models ready",
                "Models that take requests now.",
                "short",
                [Query(or_none('count(max by (model) (conch_model_state{state="ready"}) == 1)'))],
                kind="stat",
                thresholds=((1, "green"),),
                below="red",
            ),
        ),
        (
            Panel(
                "Requests by status",
                "499: the client left; 429: a limit or a full line; 503: no model, no place.",
                "reqps",
                [Query(rate(REQUESTS, ASKED, "status"), "{{status}}")],
            ),
            Panel(
                "Seconds of a request",
                "From its arrival to the end of its answer, streams included.",
                "s",
                quantiles("conch_http_request_duration_seconds", ASKED),
            ),
        ),
        (
            Panel(
                "Seconds to the first token",
                "What people wait for before they can read.",
                "s",
                quantiles("conch_time_to_first_token_seconds"),
                thresholds=_LATE,
            ),
            Panel(
                "Seconds between tokens",
                "The pace at which answers are written; people read 0.2 s a token.",
                "s",
                quantiles("conch_time_between_tokens_seconds"),
                thresholds=((0.2, "red"),),
            ),
        ),
        (
            Panel(
                "Work in hand",
                "Requests being answered, generations running, generations in line.",
                "short",
                [
                    Query(gauge("conch_http_requests_in_flight"), "requests"),
                    Query(gauge("conch_generations_in_flight"), "generations"),
                    Query(or_none(gauge("conch_queue_length")), "in line"),
                    Query(gauge("conch_websocket_connections"), "WebSockets"),
                ],
            ),
            Panel(
                "Event loop",
                "How late the API's loops wake; late loops make everything late.",
                "s",
                quantiles("conch_event_loop_lag_seconds"),
                thresholds=((0.5, "red"),),
            ),
        ),
        (
            Panel(
                "Processors",
                "Seconds of processor time that the API takes in a second.",
                "short",
                [Query(rate("conch_process_cpu_seconds_total", by="instance"), "{{instance}}")],
            ),
            Panel(
                "Memory",
                "Resident memory of the API's processes.",
                "bytes",
                [
                    Query(
                        gauge("conch_process_resident_memory_bytes", by="instance"), "{{instance}}"
                    )
                ],
            ),
            Panel(
                "Open files",
                "Files and sockets of the API; one for each connection at least.",
                "short",
                [Query(gauge("conch_process_open_fds", by="instance"), "{{instance}}")],
            ),
        ),
        (
            Panel(
                "Disk",
                "What is left of the disk of the SQLite file; a tenth raises an alert.",
                "percentunit",
                [Query("min(conch_disk_free_bytes / conch_disk_size_bytes)")],
                kind="stat",
                thresholds=((0.1, "orange"), (0.2, "green")),
                below="red",
            ),
            Panel(
                "Certificate",
                "Until the certificate in use ends; -1 s where the API speaks plain HTTP.",
                "s",
                [
                    Query(
                        "min((conch_tls_certificate_end_seconds > 0) - time()) or vector(-1)",
                    )
                ],
                kind="stat",
            ),
            Panel(
                "Servers that answer",
                "APIs and Tritons that Prometheus reaches.",
                "short",
                [Query('sum by (job) (up{job=~"conch|triton"})', "{{job}}")],
                kind="stat",
            ),
        ),
    ),
)
