"""A dashboard of rows of panels, and its conversion to Grafana's JSON."""

from dataclasses import dataclass
from typing import Any, Final

from deploy.grafana.panel import Panel
from deploy.grafana.queries import POSTGRESQL, PROMETHEUS, SqlQuery

_COLUMNS: Final = 24


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
                "datasource": POSTGRESQL,
                "query": query.sql,
                "definition": query.sql,
            }
        return {
            **common,
            "datasource": PROMETHEUS,
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
