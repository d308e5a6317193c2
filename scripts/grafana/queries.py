"""The forms in which the dashboards ask Prometheus, so that the tables say only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scripts.grafana.panels import Query

# What is selected at the top of a dashboard.
MODEL: Final = 'model=~"$model"'
REQUESTS: Final = "conch_http_requests_total"
# Probes and scrapes are no requests: one that finds the server not ready is no failed one, and many
# that go well would hide that what people ask does not.
ASKED: Final = 'route!~"/health|/readiness|/metrics"'
SHARE_OF_ERRORS: Final = ((0.01, "orange"), (0.05, "red"))
_RANGE: Final = "[$__rate_interval]"


def rate(metric: str, match: str = "", by: str = "") -> str:
    """Return how much of a counter comes in a second, in all or by a label."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{_selector(match)}{_RANGE}))"


def increase(metric: str, match: str, by: str) -> str:
    """Return how much of a counter came in the hour before."""
    return f"sum by ({by}) (increase({metric}{_selector(match)}[1h]))"


def gauge(metric: str, match: str = "", by: str = "") -> str:
    """Return a figure of the moment, of all servers together."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} ({metric}{_selector(match)})"


def or_none(expr: str) -> str:
    """Return 0 where nothing was counted yet: an error that never was has no series."""
    return f"{expr} or vector(0)"


def ratio(part: str, whole: str) -> str:
    """Return a share; a part that was never seen is 0."""
    return f"({or_none(part)}) / {whole}"


def quantile(share: float, histogram: str, match: str = "", by: str = "") -> str:
    """Return what `share` of the measured values stay below."""
    labels = f"{by}, le" if by else "le"
    buckets = f"sum by ({labels}) (rate({histogram}_bucket{_selector(match)}{_RANGE}))"
    return f"histogram_quantile({share}, {buckets})"


def quantiles(histogram: str, match: str = "") -> Sequence[Query]:
    """Return the middle, and what one of twenty and one of a hundred exceed."""
    shares = {"half": 0.5, "95 %": 0.95, "99 %": 0.99}
    return [Query(quantile(share, histogram, match), name) for name, share in shares.items()]


def _selector(match: str) -> str:
    return f"{{{match}}}" if match else ""
