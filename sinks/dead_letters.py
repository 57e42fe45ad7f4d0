"""Dead letters: records that a target refuses, with the reason, in a stream in Redis."""

import json
import logging
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client
from emotion_streams.redaction import redact
from sinks.records import Record

_KEPT: Final = 10_000
_MAX_REASON: Final = 500

log = logging.getLogger(__name__)


class DeadLetters:
    """The dead letters of one sink, the newest 10,000."""

    def __init__(self, sink: str, client: Client) -> None:
        self._sink = sink
        self._client = client

    async def add(self, record: Record, reason: str) -> None:
        """Store the record; wait while Redis is away."""
        reason = redact(reason, limit=_MAX_REASON)
        log.warning(
            "a record was refused: %s",
            reason,
            extra={"sink": self._sink, "camera": record.camera, "type": record.type},
        )
        fields = {
            "kind": record.stream.kind.value,
            "camera": record.camera,
            "entry": record.entry_id,
            "id": record.id,
            "reason": reason,
            "record": json.dumps(record.body.to_dict()),
        }
        key = keys.sink_dead(self._sink)
        await retry_forever(lambda: self._client.xadd(key, fields, maxlen=_KEPT, approximate=True))
