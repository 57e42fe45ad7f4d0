"""Concise definitions of panels and dashboards, and their conversion to Grafana's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

_PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
_POSTGRESQL: Final = {"type": "grafana-postgresql-datasource", "uid": "postgresql"}
_COLUMNS: Final = 24


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series (Grafana's {{label}} notation)."""

    expr: str
    legend: str = ""

    datasource: ClassVar[Mapping[str, str]] = _PROMETHEUS

    def to_json(self, kind: str) -> dict[str, Any]:
        """Return the query for a panel of this kind, as Grafana reads it."""
        instant = kind in ("stat", "table")
        return {
            "expr": self.expr,
            "legendFormat": self.legend or "__auto",
            "instant": instant,
            "range": not instant,
            "format": {"heatmap": "heatmap", "table": "table"}.get(kind, "time_series"),
        }


@dataclass(frozen=True)
class SqlQuery:
    """A query of the records in PostgreSQL, with Grafana's macros.

    For `timeseries` its columns are time, metric (optional) and values.
    """

    sql: str

    datasource: ClassVar[Mapping[str, str]] = _POSTGRESQL

    def to_json(self, kind: str) -> dict[str, Any]:
        """Return the query for a panel of this kind, as Grafana reads it."""
        return {
            "rawSql": self.sql,
            "rawQuery": True,
            "editorMode": "code",
            "format": "time_series" if kind == "timeseries" else "table",
        }


@dataclass(frozen=True)
class Panel:
    """A panel.

    `kind`: timeseries, stat, table, heatmap, state-timeline or barchart. `unit`: Grafana's id of
    the unit. Values above `bad_above` or below `bad_below` are red. `shaded`: the cells of a table
    are shaded by their values.
    """

    title: str
    about: str
    queries: tuple[Query | SqlQuery, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    stacked: bool = False
    bad_above: float | None = None
    bad_below: float | None = None
    most: float | None = None
    shaded: bool = False

    def to_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it, at a position of the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": self.queries[0].datasource,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": query.datasource,
                    **query.to_json(self.kind),
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
        elif self.shaded:
            defaults["color"] = {"mode": "continuous-blues"}
            defaults["custom"] = {"cellOptions": {"type": "color-background"}}
        return defaults

    def _options(self) -> dict[str, Any]:
        if self.kind == "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        if self.kind == "heatmap":
            return {"calculate": False, "yAxis": {"unit": self.unit}}
        if self.kind == "barchart":
            return {"stacking": "normal", "legend": {"displayMode": "list", "placement": "bottom"}}
        return {}


@dataclass(frozen=True)
class Dashboard:
    """Rows of panels.

    `variable`: a name, and a query of the values from which the user selects: label_values, or SQL.
    `span`: how far back it shows at first.
    """

    uid: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variable: tuple[str, str | SqlQuery] | None = None
    span: str = "1h"

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
            "time": {"from": f"now-{self.span}", "to": "now"},
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
        common = {
            "name": name,
            "label": name,
            "type": "query",
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "current": {"text": "All", "value": "$__all"},
        }
        if isinstance(query, SqlQuery):  # All is every value, with commas between
            return {
                **common,
                "datasource": _POSTGRESQL,
                "query": query.sql,
                "definition": query.sql,
            }
        return {
            **common,
            "datasource": _PROMETHEUS,
            "query": {"query": query, "refId": "variable"},
            "definition": query,
            "allValue": ".*",
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
