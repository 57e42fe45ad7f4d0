"""Concise definitions of panels and dashboards, and their conversion to Grafana's JSON."""

from dataclasses import dataclass
from typing import Any, Final

_DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS: Final = 24


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series (Grafana's {{label}} notation)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel.

    `kind`: timeseries, stat, table, heatmap or state-timeline. `unit`: Grafana's id of the unit.
    Values above `bad_above` or below `bad_below` are red.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    stacked: bool = False
    bad_above: float | None = None
    bad_below: float | None = None
    most: float | None = None

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it, at a position of the grid."""
        instant = self.kind in ("stat", "table")
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": _DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": _DATASOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                    "instant": instant,
                    "range": not instant,
                    "format": {"heatmap": "heatmap", "table": "table"}.get(
                        self.kind, "time_series"
                    ),
                }
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
        }

    def _defaults(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.bad_above is not None:
            steps.append({"color": "red", "value": self.bad_above})
        if self.bad_below is not None:
            steps = [{"color": "red", "value": None}, {"color": "green", "value": self.bad_below}]
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "min": 0,
            "thresholds": {"mode": "absolute", "steps": steps},
        }
        if self.most is not None:
            defaults["max"] = self.most
        if self.kind == "timeseries":
            limits = self.bad_above is not None or self.bad_below is not None
            defaults["custom"] = {
                "fillOpacity": 25 if self.stacked else 8,
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "line" if limits else "off"},
            }
        elif self.kind in ("stat", "state-timeline"):
            defaults["color"] = {"mode": "thresholds"}
        return defaults

    def _options(self) -> dict[str, Any]:
        if self.kind == "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        if self.kind == "heatmap":
            return {"calculate": False, "yAxis": {"unit": self.unit}}
        return {}


@dataclass(frozen=True)
class Dashboard:
    """Rows of panels. `variable`: a name and a label_values query from which the user selects."""

    uid: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variable: tuple[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["emotion-streams"],
            "schemaVersion": 39,
            "editable": False,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [
                {
                    "title": "emotion-streams",
                    "type": "dashboards",
                    "tags": ["emotion-streams"],
                    "keepTime": True,
                }
            ],
            "templating": {"list": [self._variable()] if self.variable else []},
            "panels": self._panels(),
        }

    def _variable(self) -> dict[str, Any]:
        assert self.variable is not None
        name, query = self.variable
        return {
            "name": name,
            "label": name,
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": query, "refId": "variable"},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }

    def _panels(self) -> list[dict[str, Any]]:
        panels: list[dict[str, Any]] = []
        y = 0
        for title, row in self.rows:
            panels.append(
                {
                    "id": len(panels) + 1,
                    "type": "row",
                    "title": title,
                    "collapsed": False,
                    "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
                    "panels": [],
                }
            )
            y, x, height = y + 1, 0, 0
            for panel in row:
                if x + panel.width > _COLUMNS:
                    y, x, height = y + height, 0, 0
                panels.append(panel.to_json(len(panels) + 1, x, y))
                x, height = x + panel.width, max(height, panel.height)
            y += height
        return panels
