"""Queries of Prometheus and of PostgreSQL, and their conversion to Grafana's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
POSTGRESQL: Final = {"type": "grafana-postgresql-datasource", "uid": "postgresql"}


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series (Grafana's {{label}} notation)."""

    expr: str
    legend: str = ""

    datasource: ClassVar[Mapping[str, str]] = PROMETHEUS

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

    datasource: ClassVar[Mapping[str, str]] = POSTGRESQL

    def to_json(self, kind: str) -> dict[str, Any]:
        """Return the query for a panel of this kind, as Grafana reads it."""
        return {
            "rawSql": self.sql,
            "rawQuery": True,
            "editorMode": "code",
            "format": "time_series" if kind == "timeseries" else "table",
        }


def quantiles(name: str, by: str = "") -> tuple[Query, ...]:
    """Return the queries of the 50th, 95th and 99th percentile of a histogram over 5 minutes."""
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by (le) (rate({name}_bucket{by}[5m])))",
            f"{round(q * 100)} %",
        )
        for q in (0.5, 0.95, 0.99)
    )
