"""A dashboard as rows of panels, and the JSON that Grafana makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Json: TypeAlias = Mapping[str, object]
Kind = Literal["timeseries", "stat", "state-timeline"]
# Where a value begins to look like this, the first from the lowest value on.
Threshold: TypeAlias = tuple[float, str]

# Of Grafana 10 and later, which read it as their own.
_SCHEMA_VERSION: Final = 39
_GRID_WIDTH: Final = 24
_HEIGHTS: Final[Mapping[Kind, int]] = {"stat": 4, "timeseries": 8, "state-timeline": 8}
_SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
_VARIABLES: Final[Sequence[Json]] = (
    {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    },
    {
        "name": "model",
        "label": "Model",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": "label_values(conch_model_state, model)", "refId": "model"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    },
)


@dataclass(frozen=True, slots=True)
class Query:
    """What Prometheus is asked, and what a line of the answer is called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture; `about` says what an operator reads from it.

    unit: Grafana's id of one; below: how a value looks that is lower than every threshold.
    """

    title: str
    about: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    thresholds: Sequence[Threshold] = ()
    below: str = "green"

    def as_json(self, number: int, place: Mapping[str, int]) -> Json:
        """Return Grafana's form of it."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": _SOURCE,
            "gridPos": place,
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": _SOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                }
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": _options(self.kind),
        }

    def _field(self) -> Json:
        colors: Sequence[tuple[float | None, str]] = ((None, self.below), *self.thresholds)
        field: dict[str, object] = {
            "unit": self.unit,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"value": value, "color": color} for value, color in colors],
            },
            "color": {"mode": "thresholds" if self.kind == "stat" else "palette-classic"},
        }
        if self.kind == "timeseries":
            field["min"] = 0
            style = "line" if self.thresholds else "off"
            field["custom"] = {
                "fillOpacity": 10,
                "showPoints": "never",
                "thresholdsStyle": {"mode": style},
            }
        return field


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels. uid: part of its address, never changed; it is its file's name as well."""

    uid: str
    title: str
    rows: Sequence[Sequence[Panel]]

    def as_json(self) -> Json:
        """Return Grafana's form of it."""
        return {
            "uid": self.uid,
            "title": f"Conch · {self.title}",
            "tags": ["conch"],
            "schemaVersion": _SCHEMA_VERSION,
            "editable": False,
            "refresh": "15s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": list(_VARIABLES)},
            "links": [_LINK_TO_THE_OTHERS],
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        number, y = 1, 0
        for row in self.rows:
            width, height = _GRID_WIDTH // len(row), max(_HEIGHTS[panel.kind] for panel in row)
            for column, panel in enumerate(row):
                place = {"x": column * width, "y": y, "w": width, "h": height}
                yield panel.as_json(number, place)
                number += 1
            y += height


_LINK_TO_THE_OTHERS: Final[Json] = {
    "type": "dashboards",
    "title": "Conch",
    "tags": ["conch"],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
}


def _options(kind: Kind) -> Json:
    if kind == "stat":
        return {
            "graphMode": "area",
            "colorMode": "value",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        }
    if kind == "state-timeline":
        return {"showValue": "never", "mergeValues": True, "legend": {"showLegend": False}}
    return {
        "tooltip": {"mode": "multi", "sort": "desc"},
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
    }
