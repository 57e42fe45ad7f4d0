"""PostgreSQL, by psycopg 3."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from sinks.migrations import migrations
from sinks.records import BEGINNING, Places
from sinks.sink import TargetError
from sinks.sql import STARTED, PlaceMovedError, RowRefusedError
from sinks.states import CameraSnapshot
from sinks.tables import Row, Table

_STEP_S: Final = 30.0
"""How long a transaction may take before the connection counts as lost."""
_OPTIONS: Final = {
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within this time.
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "emotion-streams",
    # In a database of another encoding the server refuses what it lacks, not the client.
    "client_encoding": "UTF8",
}
_MIGRATION_LOCK: Final = 0x656D6F74
"""A number of our own for the lock under which the schema is changed."""
_ABOUT_THE_ROW: Final = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity constraint violation, program limit exceeded."""


class PostgresDatabase:
    """A database of PostgreSQL. See the Database for what the methods do."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def open(self) -> None:
        """Connect, and bring the schema to the present version."""
        try:
            given = conninfo_to_dict(self._url)
            options = {name: value for name, value in _OPTIONS.items() if name not in given}
            async with asyncio.timeout(_STEP_S):
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, **cast("dict[str, Any]", options)
                )
        except TimeoutError:
            raise TargetError(f"the database does not answer within {_STEP_S:.0f} s") from None
        except (psycopg.Error, ValueError) as error:  # ValueError: a URL that cannot be decoded
            raise TargetError(_reason(error)) from None
        async with self._transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            await _migrate(connection)

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def places(self, sink: str) -> dict[str, str]:
        """Return the stored places."""
        async with self._transaction() as connection:
            query = "SELECT stream, entry_id FROM sink_places WHERE sink = %s"
            cursor = await connection.execute(query, (sink,))
            return dict(cast("list[tuple[str, str]]", await cursor.fetchall()))

    async def write(
        self, sink: str, rows: Mapping[Table, Sequence[Row]], before: Places, after: Places
    ) -> None:
        """Insert the rows and store the places in one transaction."""
        async with self._transaction() as connection, connection.cursor() as cursor:
            # The first row serialises the writers of a sink.
            locked = "SELECT 1 FROM sink_places WHERE sink = %s AND stream = %s FOR UPDATE"
            await cursor.execute(locked, (sink, STARTED))
            stored = "SELECT stream, entry_id FROM sink_places WHERE sink = %s AND stream = ANY(%s)"
            await cursor.execute(stored, (sink, list(before)))
            found = dict(cast("list[tuple[str, str]]", await cursor.fetchall()))
            if any(found.get(stream, BEGINNING) != place for stream, place in before.items()):
                raise PlaceMovedError
            for table, of_table in rows.items():
                values = [tuple(map(_adapt, row)) for row in of_table]
                await cursor.executemany(_query(table), values)
            await cursor.executemany(
                "INSERT INTO sink_places (sink, stream, entry_id) VALUES (%s, %s, %s) "
                "ON CONFLICT (sink, stream) DO UPDATE SET entry_id = excluded.entry_id",
                [(sink, stream, place) for stream, place in after.items()],
            )

    async def check(self, table: Table, row: Row) -> None:
        """Insert a row and undo that."""
        async with self._transaction() as connection:
            await connection.execute(_query(table), tuple(map(_adapt, row)))
            raise psycopg.Rollback

    async def show(self, cameras: Sequence[CameraSnapshot], gone: Sequence[str]) -> None:
        """Store the states of cameras."""
        now = datetime.now(UTC)
        async with self._transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO cameras (camera, state, error, width, height, since) "
                "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (camera) DO UPDATE SET "
                "since = CASE WHEN cameras.state = excluded.state THEN cameras.since "
                "ELSE excluded.since END, state = excluded.state, error = excluded.error, "
                "width = excluded.width, height = excluded.height",
                [(it.camera, it.state, it.error, it.width, it.height, now) for it in cameras],
            )
            await cursor.execute("DELETE FROM cameras WHERE camera = ANY(%s)", (list(gone),))

    async def forget(self, sink: str, streams: Sequence[str]) -> None:
        """Delete the places of these streams."""
        async with self._transaction() as connection:
            query = "DELETE FROM sink_places WHERE sink = %s AND stream = ANY(%s)"
            await connection.execute(query, (sink, list(streams)))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        """Run a transaction. Raises TargetError, PlaceMovedError and RowRefusedError."""
        connection = self._connection
        if connection is None:
            raise TargetError("not connected")
        try:
            async with asyncio.timeout(_STEP_S), connection.transaction():
                yield connection
        except TimeoutError:
            raise TargetError(f"the database does not answer within {_STEP_S:.0f} s") from None
        except psycopg.Error as error:
            raise _our_error(error) from None


async def _migrate(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Apply the migrations that the database lacks. Raises TargetError if it is of a later one."""
    cursor = await connection.execute("SELECT to_regclass('sink_schema') IS NULL")
    # A user without the right to create tables may use those that are there.
    if await cursor.fetchone() == (True,):
        await connection.execute(
            "CREATE TABLE sink_schema "
            "(version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM sink_schema")
    row = await cursor.fetchone()
    assert row is not None
    (version,) = row
    steps = migrations("postgresql")
    if version > len(steps):
        raise TargetError(f"the schema has version {version}, this release knows {len(steps)}")
    for number, step in enumerate(steps[version:], version + 1):
        await connection.execute(step)  # one of our files
        await connection.execute("INSERT INTO sink_schema (version) VALUES (%s)", (number,))


def _query(table: Table) -> LiteralString:
    return table.insert("%s")


def _adapt(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def _our_error(error: psycopg.Error) -> Exception:
    reason = _reason(error)
    # Without an SQLSTATE psycopg itself refuses the value: a NUL in a text, for example.
    of_value = isinstance(error, psycopg.DataError) and error.sqlstate is None
    if of_value or (error.sqlstate or "").startswith(_ABOUT_THE_ROW):
        return RowRefusedError(reason)
    return TargetError(reason)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
