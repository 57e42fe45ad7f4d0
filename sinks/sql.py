"""The sink `sql`: rows and the places after them are written in one transaction.

So each row is there exactly once, after any failure.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from emotion_streams.redaction import redact
from sinks.options import SqlOptions
from sinks.records import Places, Record, Stream
from sinks.sink import Refuse, TargetError
from sinks.states import CameraSnapshot
from sinks.tables import Row, Table, row_of

STARTED: Final = ""
"""The stream whose row says that the sink has started, so that one without streams has, too. It is
locked by each transaction of the sink."""

_NOT_STORED: Final = "the database refuses what the camera's producer reports"

log = logging.getLogger(__name__)


class PlaceMovedError(TargetError):
    """The stored places are not those from which the records were read.

    Another process writes for the same sink, or a commit whose answer was lost has succeeded. The
    records are read again from the stored places.
    """

    def __init__(self) -> None:
        super().__init__("the stored place has moved: is there another process for this sink?")


class RowRefusedError(Exception):
    """The database refuses a row for what is in it; the text says why."""


class Database(Protocol):
    """A database with the schema. All but `close` raise TargetError."""

    async def open(self) -> None:
        """Connect, and bring the schema to the present version."""

    async def places(self, sink: str) -> dict[str, str]:
        """Return the stored places of the sink; empty if it has never stored any."""

    async def write(
        self, sink: str, rows: Mapping[Table, Sequence[Row]], before: Places, after: Places
    ) -> None:
        """Insert the rows and store the places in one transaction.

        Raises PlaceMovedError if the stored places are not `before`, and RowRefusedError if one of
        the rows is refused; in both cases nothing is changed.
        """

    async def check(self, table: Table, row: Row) -> None:
        """Insert a row and undo that. Raises RowRefusedError."""

    async def show(self, cameras: Sequence[CameraSnapshot], gone: Sequence[str]) -> None:
        """Store the states of cameras; `gone`: cameras that do not exist any more.

        Raises RowRefusedError if one of them is refused; then nothing is changed.
        """

    async def forget(self, sink: str, streams: Sequence[str]) -> None:
        """Delete the places of these streams."""

    async def close(self) -> None:
        """Disconnect; called after each `open`, even a failed one."""


def open_database(options: SqlOptions) -> Database:
    """Return the database of the URL; nothing is opened yet."""
    if (path := options.sqlite_file) is not None:
        from sinks.sqlite import SqliteDatabase

        return SqliteDatabase(path)
    from sinks.postgresql import PostgresDatabase

    return PostgresDatabase(options.url)


class SqlSink:
    """A Sink of a database."""

    def __init__(self, name: str, database: Database) -> None:
        self._name = name
        self._database = database
        self._shown: dict[str, CameraSnapshot] = {}
        self._known: set[str] = set()
        self._refused: set[tuple[str, str]] = set()

    async def open(self) -> None:
        """Connect."""
        self._shown = {}
        await self._database.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._database.close()

    async def places(self) -> Places | None:
        """Return the stored places, or None if there are none."""
        places = await self._database.places(self._name)
        # A camera that was retired meanwhile has a row in the table of cameras.
        self._known = {stream.camera for key in places if (stream := Stream.of_key(key))}
        return places if places.pop(STARTED, None) is not None else None

    async def deliver(
        self, records: Sequence[Record], before: Places, after: Places, refuse: Refuse
    ) -> None:
        """Write the records' rows and the places.

        Refused rows are stored as dead letters before the place moves past them.
        """
        after = {**after, STARTED: "1"}
        rows = [(record, *row_of(record)) for record in records]
        try:
            await self._database.write(self._name, _by_table(rows), before, after)
        except RowRefusedError:
            rows = [row for row in rows if await self._is_accepted(row, refuse)]
            try:
                await self._database.write(self._name, _by_table(rows), before, after)
            except RowRefusedError as error:
                raise TargetError(f"rows are refused only together: {error}") from None
        self._refused.clear()

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Store each state that has changed, and that cameras are gone that do not exist."""
        changed = [
            state
            for name, state in cameras.items()
            if name not in self._shown or _visible(state) != _visible(self._shown[name])
        ]
        gone = list(self._known - cameras.keys())
        try:
            if changed or gone:
                await self._database.show(changed, gone)
        except RowRefusedError:
            for state in changed:
                await self._show_one(state)
            await self._database.show([], gone)
        self._shown, self._known = dict(cameras), set(cameras)

    async def forget(self, streams: Sequence[str]) -> None:
        """Delete the places of these streams."""
        await self._database.forget(self._name, streams)

    async def _show_one(self, state: CameraSnapshot) -> None:
        """Store a camera's state, without what its producer reported if that is refused."""
        try:
            await self._database.show([state], [])
        except RowRefusedError as error:
            plain = replace(state, error=_NOT_STORED, width=0, height=0)
            log.warning(
                "the database refuses what the camera's producer reports: %s",
                redact(str(error)),
                extra={"camera": state.camera},
            )
            try:
                await self._database.show([plain], [])
            except RowRefusedError as again:
                raise TargetError(f"the row of a camera is refused: {again}") from None

    async def _is_accepted(self, row: tuple[Record, Table, Row], refuse: Refuse) -> bool:
        record, table, values = row
        try:
            await self._database.check(table, values)
        except RowRefusedError as error:
            await self._refuse(record, str(error), refuse)
            return False
        return True

    async def _refuse(self, record: Record, reason: str, refuse: Refuse) -> None:
        key = (record.stream.key, record.entry_id)
        if key not in self._refused:
            await refuse(record, reason)
            self._refused.add(key)


def _by_table(rows: Sequence[tuple[Record, Table, Row]]) -> dict[Table, list[Row]]:
    by_table: dict[Table, list[Row]] = {}
    for _, table, row in rows:
        by_table.setdefault(table, []).append(row)
    return by_table


def _visible(state: CameraSnapshot) -> tuple[object, ...]:
    return state.state, state.error, state.width, state.height
