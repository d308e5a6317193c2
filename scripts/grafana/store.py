"""The database with the sessions, and its disk."""

from __future__ import annotations

from typing import Final

from scripts.grafana.panels import Dashboard, Panel, Query
from scripts.grafana.queries import SHARE_OF_ERRORS, gauge, quantiles, rate, ratio

_SECONDS: Final = "conch_store_operation_duration_seconds"
STORE: Final = Dashboard(
    uid="conch-store",
    title="Store",
    rows=(
        (
            Panel(
                "Writes waiting",
                "Kept in the workers' memory until the database answers; lost with the worker.",
                "short",
                [Query(gauge("conch_store_writes_waiting"))],
                kind="stat",
                thresholds=((1, "red"),),
            ),
            Panel(
                "Failing",
                "Share of the operations that fail.",
                "percentunit",
                [
                    Query(
                        ratio(
                            rate(f"{_SECONDS}_count", 'outcome="failed"'),
                            rate(f"{_SECONDS}_count"),
                        )
                    )
                ],
                kind="stat",
                thresholds=SHARE_OF_ERRORS,
            ),
            Panel(
                "Titles waiting",
                "Sessions that wait for a title until the model has nothing else to do.",
                "short",
                [Query(gauge("conch_titles_waiting"))],
                kind="stat",
            ),
            Panel(
                "Disk left",
                "Of the disk of the SQLite file.",
                "bytes",
                [Query("min(conch_disk_free_bytes)")],
                kind="stat",
            ),
        ),
        (
            Panel(
                "Operations",
                "Of the database in a second.",
                "ops",
                [Query(rate(f"{_SECONDS}_count", by="outcome"), "{{outcome}}")],
            ),
            Panel(
                "Seconds of an operation",
                "Everything stored waits for it; half a second is too long.",
                "s",
                quantiles(_SECONDS),
                thresholds=((0.5, "red"),),
            ),
        ),
        (
            Panel(
                "Writes waiting over time",
                "Rises while the database is gone, and falls to 0 when it is back.",
                "short",
                [Query(gauge("conch_store_writes_waiting", by="instance"), "{{instance}}")],
                thresholds=((1, "red"),),
            ),
            Panel(
                "Disk",
                "Free and in all.",
                "bytes",
                [
                    Query("min by (instance) (conch_disk_free_bytes)", "{{instance}} free"),
                    Query("max by (instance) (conch_disk_size_bytes)", "{{instance}} in all"),
                ],
            ),
        ),
    ),
)
