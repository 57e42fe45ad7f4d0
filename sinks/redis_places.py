"""Places in Redis, for targets that cannot store any."""

from collections.abc import Mapping, Sequence
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client
from sinks.records import Places, Record
from sinks.sink import Refuse, Target
from sinks.states import CameraSnapshot

_STARTED: Final = "started"
"""A field that every hash of places has, so that a sink without any stream has started, too."""


class PlacedSink:
    """A Sink of a Target: delivers at least once, and stores the places in Redis.

    Records that were confirmed before the target failed are not sent again, unless this process
    ends before it has stored the place after them.
    """

    def __init__(self, name: str, target: Target, client: Client) -> None:
        self._key = keys.sink_places(name)
        self._target = target
        self._client = client
        self._confirmed: set[tuple[str, str]] = set()

    async def open(self) -> None:
        """Connect to the target."""
        await self._target.open()

    async def places(self) -> Places | None:
        """Return the stored places, None before the first."""
        fields: dict[bytes, bytes] = await retry_forever(lambda: self._client.hgetall(self._key))
        places = {key.decode(): place.decode() for key, place in fields.items()}
        return places if places.pop(_STARTED, None) else None

    async def deliver(
        self,
        records: Sequence[Record],
        before: Places,  # noqa: ARG002 - one writer alone has the hash
        after: Places,
        refuse: Refuse,
    ) -> None:
        """Send what is not yet confirmed, then store the places."""
        left = [record for record in records if _key(record) not in self._confirmed]

        def confirm(record: Record) -> None:
            self._confirmed.add(_key(record))

        async def refuse_once(record: Record, reason: str) -> None:
            await refuse(record, reason)
            confirm(record)

        if left:
            await self._target.send(left, confirm, refuse_once)
        fields = {_STARTED: "1", **after}
        await retry_forever(lambda: self._client.hset(self._key, mapping=fields))
        self._confirmed.clear()

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Deliver the states."""
        await self._target.show(cameras)

    async def forget(self, streams: Sequence[str]) -> None:
        """Remove the places of these streams."""
        await retry_forever(lambda: self._client.hdel(self._key, *streams))

    async def close(self) -> None:
        """Disconnect from the target."""
        await self._target.close()


def _key(record: Record) -> tuple[str, str]:
    return record.stream.key, record.entry_id


class AnnouncedCameras:
    """The cameras that a sink has announced, so that a retired one is removed after a restart."""

    def __init__(self, name: str, client: Client) -> None:
        self._key = keys.sink_cameras(name)
        self._client = client

    async def load(self) -> set[str]:
        """Return the stored names."""
        names: set[bytes] = await retry_forever(lambda: self._client.smembers(self._key))
        return {name.decode() for name in names}

    async def add(self, camera: str) -> None:
        """Store a name, before it is announced."""
        await retry_forever(lambda: self._client.sadd(self._key, camera))

    async def remove(self, camera: str) -> None:
        """Remove a name, after its announcement was removed."""
        await retry_forever(lambda: self._client.srem(self._key, camera))
