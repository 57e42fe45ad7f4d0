"""The dashboard Audience: its SQL on a real PostgreSQL that a sink filled with a day of minutes."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest
import yaml

from deploy.grafana.build import FOLDER
from emotion_streams import EMOTIONS, CameraState, Emotion, Minute, People
from sinks.postgresql import PostgresDatabase
from sinks.records import Kind, Record, Stream
from sinks.sql import SqlSink
from sinks.states import CameraSnapshot
from tests.deploy.processes import ROOT
from tests.deploy.programs import need
from tests.peers.postgresql import PASSWORD, PostgreSql
from tests.peers.sinks import visit

BOARD: Final[dict[str, Any]] = json.loads((FOLDER / "audience.json").read_text())
PANELS: Final = {
    panel["title"]: panel["targets"][0]["rawSql"] for panel in BOARD["panels"] if "targets" in panel
}
CAMERAS: Final = ("lobby", "yard")
DAY_MS: Final = 1_700_006_400_000
"""Wednesday, 15 November 2023, 0:00 UTC."""
SECRET: Final = "it's a secret"


def a_day(camera: str) -> list[Minute]:
    """People come from 8 to 18 o'clock, in the lobby twice as many; the afternoon is happy.

    Every second minute is seen to four fifths, and twice as many are in view meanwhile. Half of the
    detections are missing.
    """
    return [_minute(camera, number) for number in range(24 * 60)]


def _minute(camera: str, number: int) -> Minute:
    hour = number // 60
    came = (2 if camera == "lobby" else 1) if 8 <= hour < 18 else 0
    shown: dict[Emotion, int] = dict.fromkeys(EMOTIONS, 0)
    shown["happiness" if hour >= 12 else "neutral"] = 30_000 * came
    people = People(
        people_mean=came if number % 2 else came / 2,
        people_max=came,
        faces_mean=came / 2 if number % 2 else came / 4,
        faces_max=came,
        tracks=came,
        entered=came,
        left=came,
        face_ms=30_000 * came,
        emotion_ms=shown,
        probabilities_mean=None,
        episodes=dict.fromkeys(EMOTIONS, 0),
        dwell_ms_p50=30_000 if came else None,
    )
    return Minute(camera, DAY_MS + number * 60_000, 600, 0, 0.8 if number % 2 else 1.0, people)


async def _fill(url: str) -> None:
    records = [
        Record(Stream(Kind.MINUTES, camera), f"{minute.start_ms}-0", minute)
        for camera in CAMERAS
        for minute in a_day(camera)
    ]
    # The visits of tests/peers/sinks.py began at 22:13 of the day before; these begin at 14:00.
    first = (DAY_MS + 14 * 3_600_000 - 1_700_000_000_000) // 1000
    for number in range(first, first + 300):
        records += [
            Record(Stream(Kind.EPISODES, "lobby"), f"{episode.decided_ms}-0", episode)
            for episode in visit(number)
        ]
    sink = SqlSink("archive", PostgresDatabase(url))
    await sink.open()
    await sink.deliver([], {}, {}, _refuse)
    await sink.deliver(records, {}, {}, _refuse)
    await sink.show(
        {name: CameraSnapshot(name, CameraState.UP, "", 640, 480, 10.0) for name in CAMERAS}
    )
    await sink.close()


async def _refuse(record: Record, reason: str) -> None:
    raise AssertionError(f"{record} was refused: {reason}")


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSql]:
    with PostgreSql() as database:
        _run_script(database)
        asyncio.run(_fill(database.url.replace("${PG_PASSWORD}", quote(PASSWORD, safe=""))))
        yield database


def _run_script(database: PostgreSql) -> None:
    """deploy/postgresql/grafana.sh, with the variables that PostgreSQL's image gives it."""
    environ = {
        "PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(database.port),
        "PGPASSWORD": PASSWORD,
        "POSTGRES_USER": "emotion",
        "POSTGRES_DB": "faces",
        "GRAFANA_DATABASE_PASSWORD": SECRET,
    }
    need("psql", "postgresql-client")
    subprocess.run([ROOT / "deploy/postgresql/grafana.sh"], env=environ, check=True)


@pytest.fixture(scope="module")
def grafana(database: PostgreSql) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """A connection as Grafana's, with its role and password."""
    with psycopg.connect(
        host="127.0.0.1", port=database.port, user="grafana", password=SECRET, dbname="faces",
        autocommit=True,
    ) as connection:  # fmt: skip
        yield connection


def expand(sql: str, cameras: tuple[str, ...] = CAMERAS) -> str:
    """Replace Grafana's macros and variables as its PostgreSQL data source does."""
    span = "'2023-11-15T00:00:00Z' AND '2023-11-15T23:59:59Z'"
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {span}", sql)
    grouped = r'floor(extract(epoch from \1)/3600)*3600 AS "time"'
    sql = re.sub(r"\$__timeGroupAlias\((\w+), \$__interval\)", grouped, sql)
    sql = sql.replace("${camera:sqlstring}", ",".join(f"'{name}'" for name in cameras))
    sql = sql.replace("${__timezone}", "utc")
    assert "$" not in sql
    return sql


def rows(
    grafana: "psycopg.Connection[tuple[Any, ...]]", title: str, cameras: tuple[str, ...] = CAMERAS
) -> list[tuple[Any, ...]]:
    return grafana.execute(expand(PANELS[title], cameras).encode()).fetchall()


@pytest.mark.parametrize("title", PANELS)
def test_every_panel_has_rows_and_no_query_fails(
    grafana: "psycopg.Connection[tuple[Any, ...]]", title: str
) -> None:
    assert rows(grafana, title)


def test_the_figures_are_those_of_the_day(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    assert rows(grafana, "People") == [(600 * 3,)]
    assert rows(grafana, "People", ("yard",)) == [(600,)]
    assert rows(grafana, "Dwell, median") == [(900.0,)]
    assert rows(grafana, "Happy") == [(pytest.approx(0.6),)]
    assert rows(grafana, "Seen") == [(pytest.approx(0.9),)]


def test_people_in_view_are_people_over_the_time_that_was_seen(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    in_view = {(at, camera): mean for at, camera, mean in rows(grafana, "People in view")}
    ten, night = DAY_MS // 1000 + 10 * 3600, DAY_MS // 1000 + 3 * 3600
    assert in_view[ten, "lobby"] == pytest.approx((0.8 * 2 + 1.0 * 1) / 1.8)
    assert in_view[ten, "yard"] == pytest.approx((0.8 * 1 + 1.0 / 2) / 1.8)
    assert in_view[night, "lobby"] == 0


def test_emotions_over_the_day_and_cameras_side_by_side(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    shown = {(at, emotion): value for at, emotion, value in rows(grafana, "Emotions over the day")}
    ten, three = DAY_MS // 1000 + 10 * 3600, DAY_MS // 1000 + 15 * 3600
    assert (shown[ten, "neutral"], shown[ten, "happiness"]) == (90, 0)
    assert (shown[three, "neutral"], shown[three, "happiness"]) == (0, 90)
    for camera, *shares in rows(grafana, "Cameras side by side"):
        assert camera in CAMERAS
        assert float(sum(shares)) == pytest.approx(1)
        assert float(shares[EMOTIONS.index("happiness")]) == pytest.approx(0.6)


def test_the_week_has_a_row_for_each_day_and_a_column_for_each_hour(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    ((day, *hours),) = rows(grafana, "People by weekday and hour")
    assert day.strip() == "Wednesday"
    assert hours == [180 if 8 <= hour < 18 else 0 for hour in range(24)]
    ((_, *happy),) = rows(grafana, "Happiness by weekday and hour")
    assert (happy[9], happy[15], happy[20]) == (0, 1, None)


def test_the_variable_lists_the_cameras(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    (variable,) = BOARD["templating"]["list"]
    assert grafana.execute(variable["query"].encode()).fetchall() == [(one,) for one in CAMERAS]


def test_grafana_may_read_and_not_write(
    grafana: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        grafana.execute("DELETE FROM minutes")
    grafana.execute("SET default_transaction_read_only = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        grafana.execute("DELETE FROM minutes")


def test_the_data_source_is_provisioned_with_the_database() -> None:
    path = ROOT / "deploy/grafana/provisioning/datasources/postgresql.yaml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    uses = {panel["datasource"]["uid"] for panel in BOARD["panels"] if "datasource" in panel}
    types = {panel["datasource"]["type"] for panel in BOARD["panels"] if "datasource" in panel}
    assert (uses, types) == ({source["uid"]}, {source["type"]})
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    assert source["url"] == "postgresql:5432"
    assert set(services["grafana"]["networks"]) & set(services["postgresql"]["networks"])
    assert source["jsonData"]["database"] == services["postgresql"]["environment"]["POSTGRES_DB"]
    assert source["secureJsonData"]["password"] == "$GRAFANA_DATABASE_PASSWORD"
    assert "GRAFANA_DATABASE_PASSWORD" in services["grafana"]["environment"]
