"""A panel of a dashboard, and its conversion to Grafana's JSON."""

from dataclasses import dataclass
from typing import Any

from deploy.grafana.queries import Query, SqlQuery


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


def per_second(title: str, about: str, expr: str, legend: str, stacked: bool = False) -> Panel:
    """Return a panel of a rate."""
    return Panel(title, about, (Query(expr, legend),), unit="cps", stacked=stacked)
