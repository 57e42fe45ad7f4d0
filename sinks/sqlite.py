"""SQLite, by the standard library."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sinks.migrations import migrations
from sinks.records import BEGINNING, Places
from sinks.sink import TargetError
from sinks.sql import PlaceMovedError, RowRefusedError
from sinks.states import CameraSnapshot
from sinks.tables import Row, Table

_BUSY_S: Final = 5.0
"""How long a call waits for another program that writes to the file."""

Result = TypeVar("Result")


class SqliteDatabase:
    """A file of SQLite, made if it does not exist. See the Database for what the methods do.

    All calls run in one thread, one after the other: a disk may be slow.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, and bring its schema to the present version."""
        await self._run(self._open)

    async def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._run(connection.close)

    async def places(self, sink: str) -> dict[str, str]:
        """Return the stored places."""
        query = "SELECT stream, entry_id FROM sink_places WHERE sink = ?"
        return await self._run(lambda: dict(self._opened().execute(query, (sink,)).fetchall()))

    async def write(
        self, sink: str, rows: Mapping[Table, Sequence[Row]], before: Places, after: Places
    ) -> None:
        """Insert the rows and store the places in one transaction."""

        def work() -> None:
            with self._transaction() as connection:
                query = "SELECT stream, entry_id FROM sink_places WHERE sink = ?"
                found = dict(connection.execute(query, (sink,)).fetchall())
                if any(found.get(stream, BEGINNING) != at for stream, at in before.items()):
                    raise PlaceMovedError
                for table, of_table in rows.items():
                    connection.executemany(table.insert("?"), map(_adapt_all, of_table))
                connection.executemany(
                    "INSERT INTO sink_places (sink, stream, entry_id) VALUES (?, ?, ?) "
                    "ON CONFLICT (sink, stream) DO UPDATE SET entry_id = excluded.entry_id",
                    [(sink, stream, at) for stream, at in after.items()],
                )

        await self._run(work)

    async def check(self, table: Table, row: Row) -> None:
        """Insert a row and undo that."""

        def work() -> None:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(table.insert("?"), _adapt_all(row))
            finally:
                connection.execute("ROLLBACK")

        await self._run(work)

    async def show(self, cameras: Sequence[CameraSnapshot], gone: Sequence[str]) -> None:
        """Store the states of cameras."""
        now = _adapt(datetime.now(UTC))

        def work() -> None:
            with self._transaction() as connection:
                connection.executemany(
                    "INSERT INTO cameras (camera, state, error, width, height, since) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (camera) DO UPDATE SET "
                    "since = CASE WHEN cameras.state = excluded.state THEN cameras.since "
                    "ELSE excluded.since END, state = excluded.state, error = excluded.error, "
                    "width = excluded.width, height = excluded.height",
                    [(it.camera, it.state, it.error, it.width, it.height, now) for it in cameras],
                )
                connection.executemany(
                    "DELETE FROM cameras WHERE camera = ?", [(camera,) for camera in gone]
                )

        await self._run(work)

    async def forget(self, sink: str, streams: Sequence[str]) -> None:
        """Delete the places of these streams."""

        def work() -> None:
            with self._transaction() as connection:
                connection.executemany(
                    "DELETE FROM sink_places WHERE sink = ? AND stream = ?",
                    [(sink, stream) for stream in streams],
                )

        await self._run(work)

    def _open(self) -> None:
        # Readable for this user alone: who is where, and how they feel.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._connection = connection
        # Readers do not block the writer. After a power cut the last transactions may be missing,
        # and with them their places: their records are delivered again.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            _migrate(connection)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise TargetError("not open")
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:  # SQLite undoes some of them itself
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    async def _run(self, step: Callable[[], Result]) -> Result:
        """Run the step in a thread. Raises TargetError and RowRefusedError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, step)
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            raise RowRefusedError(str(error)) from None
        except (sqlite3.Error, OSError) as error:
            raise TargetError(f"{self._path}: {error}") from None


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that the file lacks. Raises TargetError if it is of a later release."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    steps = migrations("sqlite")
    if version > len(steps):
        raise TargetError(f"the schema has version {version}, this release knows {len(steps)}")
    for step in steps[version:]:
        for statement in step.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(steps)}")


def _adapt_all(row: Row) -> Row:
    return tuple(map(_adapt, row))


def _adapt(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, datetime):
        # As SQLite's own functions write a time.
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    return value
