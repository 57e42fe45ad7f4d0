"""The dashboard Audience: who was there and how they felt, from the records in PostgreSQL."""

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel
from deploy.grafana.queries import SqlQuery
from emotion_streams import EMOTIONS

_CAMERAS: Final = "camera IN (${camera:sqlstring})"
_MINUTES: Final = f"FROM minutes WHERE $__timeFilter(started_at) AND {_CAMERAS}"
_EMOTIONS: Final = f"FROM minute_emotions WHERE $__timeFilter(started_at) AND {_CAMERAS}"
_VISITS: Final = f"FROM visits WHERE $__timeFilter(started_at) AND {_CAMERAS}"
_TIME: Final = "$__timeGroupAlias(started_at, $__interval)"
_LOCAL: Final = "started_at AT TIME ZONE '${__timezone}'"
# The days of the week, from Monday on; of 1 January 2024, which was one.
_WEEKDAY: Final = "to_char(date '2023-12-31' + weekday::int, 'Day')"
_HOURS: Final = range(24)


def _by_weekday_and_hour(value: str) -> str:
    """Return a table with a row for each weekday and a column for each hour.

    `value`: an aggregate over an hour's minutes.
    """
    columns = ", ".join(f'avg(value) FILTER (WHERE hour = {h}) AS "{h:02d}"' for h in _HOURS)
    hours = (
        f"SELECT date_trunc('hour', {_LOCAL}) AS began, {value} AS value {_MINUTES} GROUP BY began"
    )
    parts = (
        "SELECT extract(isodow FROM began) AS weekday, extract(hour FROM began) AS hour, value "
        f"FROM ({hours}) AS hours"
    )
    return (
        f"SELECT {_WEEKDAY} AS day, {columns} FROM ({parts}) AS parts "
        "GROUP BY weekday ORDER BY weekday"
    )


def _stat(title: str, about: str, sql: str, unit: str = "short") -> Panel:
    return Panel(title, about, (SqlQuery(sql),), unit=unit, kind="stat", width=6, height=4)


_HAPPY: Final = (
    "sum((emotion_ms ->> 'happiness')::float8) / "
    "nullif(sum((SELECT sum(value::float8) FROM jsonb_each_text(emotion_ms))), 0)"
)

_IN_VIEW: Final = (
    "sum(people_mean * coverage) / nullif(sum(coverage) FILTER (WHERE people_mean IS NOT NULL), 0)"
)

AUDIENCE: Final = Dashboard(
    "emotion-audience",
    "Audience",
    "Who was there, for how long, and how they felt. Needs a sink of type sql into PostgreSQL.",
    (
        (
            "In all",
            (
                _stat(
                    "People", "People who came into view; one who returns is counted again.",
                    f"SELECT coalesce(sum(tracks_entered), 0) AS people {_MINUTES}",
                ),
                _stat(
                    "Dwell, median", "Time in view of people who left.",
                    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS dwell "
                    f"{_VISITS}",
                    unit="ms",
                ),
                _stat(
                    "Happy", "Share of the time in which a clear emotion showed.",
                    f"SELECT {_HAPPY} AS happy {_MINUTES}",
                    unit="percentunit",
                ),
                _stat(
                    "Seen", "Share of the recorded minutes that was analysed.",
                    f"SELECT avg(coverage) AS seen {_MINUTES}",
                    unit="percentunit",
                ),
            ),
        ),
        (
            "Emotions",
            (
                Panel(
                    "Emotions over the day",
                    "Minutes in which faces showed a clear emotion.",
                    (
                        SqlQuery(
                            f"SELECT {_TIME}, emotion AS metric, sum(ms) / 60000.0 AS minutes "
                            f"{_EMOTIONS} GROUP BY 1, 2 ORDER BY 1"
                        ),
                    ),
                    unit="m", stacked=True,
                ),
                Panel(
                    "Cameras side by side",
                    "Share of each emotion in the time in which a clear one showed.",
                    (
                        SqlQuery(
                            "SELECT camera, "
                            + ", ".join(
                                f"coalesce(sum(ms) FILTER (WHERE emotion = '{name}') / "
                                f"nullif(sum(ms), 0), 0) AS {name}"
                                for name in EMOTIONS
                            )
                            + f" {_EMOTIONS} GROUP BY camera ORDER BY camera"
                        ),
                    ),
                    unit="percentunit", kind="barchart", most=1,
                ),
            ),
        ),
        (
            "People",
            (
                Panel(
                    "People in view",
                    "Mean number at a time, over the time that was analysed.",
                    (
                        SqlQuery(
                            f"SELECT {_TIME}, camera AS metric, {_IN_VIEW} AS people "
                            f"{_MINUTES} GROUP BY 1, 2 ORDER BY 1"
                        ),
                    ),
                    width=8,
                ),
                Panel(
                    "People who came",
                    "By camera.",
                    (
                        SqlQuery(
                            f"SELECT {_TIME}, camera AS metric, sum(tracks_entered) AS people "
                            f"{_MINUTES} GROUP BY 1, 2 ORDER BY 1"
                        ),
                    ),
                    width=8, stacked=True,
                ),
                Panel(
                    "Dwell",
                    "Time in view of people who came then: median and 90th percentile.",
                    (
                        SqlQuery(
                            f"SELECT {_TIME}, "
                            "percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS median, "
                            "percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_ms) AS p90 "
                            f"{_VISITS} GROUP BY 1 ORDER BY 1"
                        ),
                    ),
                    unit="ms", width=8,
                ),
            ),
        ),
        (
            "The week",
            (
                Panel(
                    "People by weekday and hour",
                    "People who came in an hour, on average over the days shown.",
                    (SqlQuery(_by_weekday_and_hour("sum(tracks_entered)")),),
                    kind="table", width=24, shaded=True,
                ),
                Panel(
                    "Happiness by weekday and hour",
                    "Share of the time in which a clear emotion showed.",
                    (SqlQuery(_by_weekday_and_hour(_HAPPY)),),
                    unit="percentunit", kind="table", width=24, shaded=True,
                ),
            ),
        ),
        (
            "Cameras",
            (
                Panel(
                    "Cameras now",
                    "State of each camera when the sink last read it.",
                    (
                        SqlQuery(
                            f"SELECT camera, state, since, error FROM cameras WHERE {_CAMERAS} "
                            "ORDER BY camera"
                        ),
                    ),
                    kind="table", width=24, height=6,
                ),
            ),
        ),
    ),
    ("camera", SqlQuery("SELECT DISTINCT camera FROM minutes ORDER BY camera")),
    span="24h",
)  # fmt: skip
