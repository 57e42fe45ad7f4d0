"""The sink `sql`, with a real PostgreSQL and with SQLite."""

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from emotion_streams import EMOTIONS, keys
from sinks.migrations import migrations
from tests.peers.postgresql import PostgreSql
from tests.peers.producer import within
from tests.peers.sinks import Sinks, add, attach, dead_letters, minutes, visit
from tests.proxy import CuttingProxy
from tests.samples import event

ROWS_OF_A_VISIT = 5
"""Entered, started, updated (one row, the newest), ended, left."""

WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgreSql]:
    with PostgreSql() as cluster:
        yield cluster


@pytest.fixture
def postgres(cluster: PostgreSql) -> PostgreSql:
    """One with an empty database. It runs, though a test that killed it may have failed then."""
    if cluster.process.poll() is not None:
        cluster.start()
    cluster.execute("DROP DATABASE IF EXISTS faces WITH (FORCE)", database="postgres")
    cluster.execute("CREATE DATABASE faces", database="postgres")
    return cluster


def options(url: str, **more: Any) -> dict[str, Any]:
    return {"archive": {"type": "sql", "url": url, "states": False, **more}}


def count(postgres: PostgreSql, table: str = "episodes") -> int:
    exists = postgres.rows("SELECT to_regclass(%s) IS NOT NULL", table)[0][0]
    return int(postgres.rows(f"SELECT count(*) FROM {table}")[0][0]) if exists else 0


def test_every_record_is_a_row(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    seen = event("lobby", "1700000000000-0")
    client.xadd(keys.emotions("lobby"), {"event": seen.pack()}, "1700000000000-0")
    add(client, *visit(0), *minutes("lobby", 2))
    kinds = ["episodes", "minutes", "events"]
    with Sinks(redis_url, options(postgres.url, records=kinds, states=True), tmp_path):
        within(lambda: count(postgres, "minutes") == 2 and count(postgres, "events") == 1)
        within(lambda: count(postgres, "cameras") == 1)
    types = [row[0] for row in postgres.rows("SELECT type FROM episodes ORDER BY decided_at, type")]
    assert types == [
        "face.entered", "emotion.started", "emotion.updated", "emotion.ended", "face.left",
    ]  # fmt: skip
    ((emotion, duration, seconds),) = postgres.rows(
        "SELECT emotion, duration_ms, extract(epoch FROM ended_at - started_at)"
        " FROM emotion_episodes"
    )
    assert (emotion, duration, float(seconds)) == ("happiness", 900, 0.9)
    assert postgres.rows("SELECT track, frames FROM visits") == [("1700000000000-0.0", 5)]
    assert postgres.rows("SELECT duration_ms FROM episodes WHERE type = 'emotion.updated'") == [
        (800,)
    ]
    shown = dict(postgres.rows("SELECT emotion, sum(ms) FROM minute_emotions GROUP BY emotion"))
    assert set(shown) == set(EMOTIONS)
    assert (shown["happiness"], shown["neutral"]) == (60_000, 40_000)
    people = postgres.rows("SELECT people_mean, people_max, faces_mean, faces_max FROM minutes")
    assert people == [(54 / (60 * 0.98), 1, 0.75, 2)] * 2
    assert postgres.rows("SELECT record -> 'faces' -> 0 ->> 'emotion' FROM events") == [
        ("surprise",)
    ]
    assert postgres.rows("SELECT camera, state FROM cameras") == [("lobby", "up")]


def test_sqlite_has_the_same_rows_in_a_file_for_its_user_alone(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    attach(client)
    add(client, *visit(0), *minutes("lobby", 2))
    path = tmp_path / "faces.db"
    with Sinks(redis_url, options(f"sqlite:///{path}", states=True), tmp_path) as process:
        within(lambda: process.metric("emotion_sink_records_total", "archive", kind="minutes") == 2)
        within(lambda: _sqlite(path, "SELECT camera, state FROM cameras") == [("lobby", "up")])
        process.stop()
        process.start()
        within(lambda: process.is_up("archive"))
    assert path.stat().st_mode & 0o077 == 0
    assert _sqlite(path, "SELECT count(*) FROM episodes") == [(ROWS_OF_A_VISIT,)]
    assert _sqlite(path, "SELECT emotion, duration_ms, started_at FROM emotion_episodes") == [
        ("happiness", 900, "2023-11-14 22:13:20.000")
    ]
    assert _sqlite(path, "SELECT sum(ms) FROM minute_emotions WHERE emotion = 'happiness'") == [
        (60_000,)
    ]
    people = _sqlite(path, "SELECT people_mean, people_max, faces_mean, faces_max FROM minutes")
    assert people == [(54 / (60 * 0.98), 1, 0.75, 2)] * 2
    ((probabilities,),) = _sqlite(path, "SELECT probabilities_mean FROM minutes LIMIT 1")
    assert json.loads(probabilities)["happiness"] == 0.3


def _sqlite(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_server_killed_in_mid_batch_has_every_row_once(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    _count_inserts(postgres)
    with Sinks(redis_url, options(postgres.url), tmp_path) as process:
        within(lambda: process.is_up("archive"))
        for first in (0, 100):
            with closing(postgres.connect()) as locking:
                locking.execute("BEGIN")
                locking.execute("LOCK TABLE minutes IN ACCESS EXCLUSIVE MODE")
                many = [record for number in range(first, first + 100) for record in visit(number)]
                with client.pipeline() as pipe:  # in one step, and so in one batch
                    for record in many:
                        pipe.xadd(keys.episodes("lobby"), {"episode": record.pack()})
                    for one in minutes("lobby", first + 100)[first:]:
                        pipe.xadd(
                            keys.minutes("lobby"), {"minute": one.pack()}, f"{one.start_ms}-0"
                        )
                    pipe.execute()
                within(lambda: postgres.rows(WAITING))  # its rows of episodes are inserted
                postgres.kill()
            postgres.start()
        within(lambda: count(postgres, "minutes") == 200)
        within(lambda: count(postgres) == 200 * ROWS_OF_A_VISIT)
        assert process.entries("delivers again")
    _assert_inserted_once(postgres, 200 * ROWS_OF_A_VISIT)


def test_a_commit_whose_answer_is_lost_is_not_repeated(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    _count_inserts(postgres)
    visits = 0
    with CuttingProxy(postgres.port, {"COMMIT": "commit"}, seed=random.randrange(99)) as proxy:
        proxy.cut(0.3, "commit")
        url = postgres.url.replace(f":{postgres.port}", f":{proxy.port}") + "?sslmode=disable"
        with Sinks(redis_url, options(url), tmp_path):
            # A busy machine commits many visits at once: there are visits until some were cut.
            while visits < 60 or not proxy.cuts:
                add(client, *visit(visits))
                visits += 1
                time.sleep(0.1)
            proxy.cut(0)
            within(lambda: count(postgres) == visits * ROWS_OF_A_VISIT)
    _assert_inserted_once(postgres, visits * ROWS_OF_A_VISIT)


def _count_inserts(postgres: PostgreSql) -> None:
    """Make the tables, and let a trigger note every insert that was not undone."""
    for step in migrations("postgresql"):
        postgres.execute(step)
    postgres.execute("CREATE TABLE sink_schema (version bigint, applied_at timestamptz)")
    postgres.execute("INSERT INTO sink_schema VALUES (%s, now())", len(migrations("postgresql")))
    postgres.execute("CREATE TABLE inserted (id text)")
    postgres.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO inserted VALUES (NEW.id || NEW.type); RETURN NEW; END $$"
    )
    postgres.execute(
        "CREATE TRIGGER n AFTER INSERT ON episodes FOR EACH ROW EXECUTE FUNCTION note()"
    )


def _assert_inserted_once(postgres: PostgreSql, rows: int) -> None:
    counted = postgres.rows("SELECT count(*), count(DISTINCT id) FROM inserted")
    assert counted == [(rows, rows)]


def test_two_processes_for_the_same_sink_write_each_row_once(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    _count_inserts(postgres)
    other = tmp_path / "other"
    other.mkdir()
    with (
        Sinks(redis_url, options(postgres.url), tmp_path),
        Sinks(redis_url, options(postgres.url), other),
    ):
        for number in range(100):
            add(client, *visit(number))
            time.sleep(0.02)
        within(lambda: count(postgres) == 100 * ROWS_OF_A_VISIT)
    _assert_inserted_once(postgres, 100 * ROWS_OF_A_VISIT)


def test_a_database_that_is_read_only_gets_the_rows_when_it_is_not_any_more(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    with Sinks(redis_url, options(postgres.url), tmp_path) as process:
        within(lambda: process.is_up("archive"))
        read_only = "ALTER DATABASE faces SET default_transaction_read_only TO "
        postgres.execute(f"{read_only} on")
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'emotion-streams'"
        )
        add(client, *visit(0))
        within(lambda: "read-only transaction" in process.get("/readyz"))
        postgres.execute(f"{read_only} off", database="postgres")
        within(lambda: count(postgres) == ROWS_OF_A_VISIT)
    assert client.xlen(keys.sink_dead("archive")) == 0


def test_a_schema_of_an_older_version_is_brought_up_to_date_and_keeps_its_rows(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    postgres.execute(migrations("postgresql")[0])
    postgres.execute("CREATE TABLE sink_schema (version bigint PRIMARY KEY, applied_at timestamptz"
                     " NOT NULL DEFAULT now())")  # fmt: skip
    postgres.execute("INSERT INTO sink_schema (version) VALUES (1)")
    postgres.execute("INSERT INTO minutes (camera, started_at, frames, frames_lost, coverage)"
                     " VALUES ('old', now(), 1, 0, 1)")  # fmt: skip
    with Sinks(redis_url, options(postgres.url), tmp_path):
        add(client, *visit(0))
        within(lambda: count(postgres) == ROWS_OF_A_VISIT)
    assert len(postgres.rows("SELECT * FROM emotion_episodes")) == 1
    assert postgres.rows("SELECT camera FROM minutes") == [("old",)]
    assert postgres.rows("SELECT version FROM sink_schema ORDER BY version") == [
        (number,) for number in range(1, len(migrations("postgresql")) + 1)
    ]


OLD_MINUTES = """
INSERT INTO minutes
    (camera, started_at, frames, frames_lost, coverage, faces_mean, faces_max, tracks, face_ms)
VALUES ('missed', '2023-11-14', 600, 0, 0.5, 0.8, 3, 2, 30000),
       ('brief', '2023-11-14', 600, 0, 0.001, 0.8, 1, 2, 30000),
       ('slow', '2023-11-14', 1, 0, 0.025, 2, 2, 0, 0),
       ('withheld', '2023-11-14', 600, 0, 1, NULL, NULL, NULL, NULL)"""
"""Minutes of the schema before its third version."""

PEOPLE_OF_OLD_MINUTES = [
    ("brief", 2.0, 1), ("missed", 1.0, 2), ("slow", 2.0, 2), ("withheld", None, None),
]  # fmt: skip


def test_people_of_old_minutes_follow_from_their_tracks(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    people = "SELECT camera, people_mean, people_max FROM minutes ORDER BY camera"
    for step in migrations("postgresql")[:2]:
        postgres.execute(step)
    postgres.execute("CREATE TABLE sink_schema (version bigint PRIMARY KEY, applied_at timestamptz"
                     " NOT NULL DEFAULT now())")  # fmt: skip
    postgres.execute("INSERT INTO sink_schema (version) VALUES (2)")
    postgres.execute(OLD_MINUTES)
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        for step in migrations("sqlite")[:2]:
            connection.executescript(step)
        connection.execute(OLD_MINUTES)
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    add(client, *visit(0))
    for url in (postgres.url, f"sqlite:///{path}"):
        with Sinks(redis_url, options(url), tmp_path) as process:
            within(partial(process.is_up, "archive"))
    assert postgres.rows(people) == PEOPLE_OF_OLD_MINUTES
    assert _sqlite(path, people) == PEOPLE_OF_OLD_MINUTES


def test_a_camera_that_was_retired_meanwhile_is_no_longer_among_the_cameras(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    attach(client, "yard")
    with Sinks(redis_url, options(postgres.url, states=True), tmp_path) as process:
        within(lambda: count(postgres, "cameras") == 2)
        process.stop()
        client.zrem(keys.CAMERAS, "yard")
        process.start()
        within(lambda: postgres.rows("SELECT camera FROM cameras") == [("lobby",)])


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_a_schema_of_a_later_version_is_left_alone(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql, database: str
) -> None:
    attach(client)
    path = tmp_path / "later.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    postgres.execute("CREATE TABLE sink_schema (version bigint)")
    postgres.execute("INSERT INTO sink_schema VALUES (99)")
    url = postgres.url if database == "postgresql" else f"sqlite:///{path}"
    with Sinks(redis_url, options(url), tmp_path) as process:
        known = len(migrations(database))
        within(lambda: f"version 99, this release knows {known}" in process.get("/readyz"))


def test_a_row_that_the_database_refuses_is_a_dead_letter_and_the_others_are_there(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    broken = [type(record)(**{**vars(record), "track": "a\0b"}) for record in visit(1)[:1]]
    add(client, *visit(0), *broken, *visit(2))
    with Sinks(redis_url, options(postgres.url), tmp_path) as process:
        within(lambda: count(postgres) == 2 * ROWS_OF_A_VISIT)
        within(lambda: process.metric("emotion_sink_dead_letters_total", "archive") == 1)
    (letter,) = dead_letters(client, "archive")
    assert letter["reason"] == "PostgreSQL text fields cannot contain NUL (0x00) bytes"


def test_a_backlog_of_ten_thousand_is_there_in_order(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    visits = 10_000 // 6 + 1
    for start in range(0, visits, 200):
        some = range(start, min(visits, start + 200))
        add(client, *(record for number in some for record in visit(number)))
    _count_inserts(postgres)
    postgres.execute("ALTER TABLE inserted ADD COLUMN number bigserial")
    with Sinks(redis_url, options(postgres.url), tmp_path):
        within(lambda: count(postgres) == visits * ROWS_OF_A_VISIT)
    found = [row[0] for row in postgres.rows("SELECT id FROM inserted ORDER BY number")]
    wanted = dict.fromkeys(
        f"{record.id}{record.type.value}" for number in range(visits) for record in visit(number)
    )
    assert found == list(wanted)


def test_a_sink_that_is_away_for_long_warns_that_records_may_be_lost(
    redis_url: str, client: redis.Redis, tmp_path: Path, postgres: PostgreSql
) -> None:
    attach(client)
    add(client, *minutes("lobby", 1))
    with Sinks(redis_url, options(postgres.url), tmp_path) as process:
        within(lambda: count(postgres, "minutes") == 1)
        process.stop()
        add(client, *minutes("lobby", 10)[1:])
        client.xtrim(keys.minutes("lobby"), maxlen=5, approximate=False)
        process.start()
        within(lambda: count(postgres, "minutes") == 6)
        assert process.metric("emotion_sink_gaps_total", "archive") == 1
