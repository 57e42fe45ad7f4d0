"""StreamId: the id of an entry in a Redis stream, as two numbers that compare as Redis does."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

PATTERN: Final = "[0-9]{1,20}-[0-9]{1,20}"
"""An id as a regular expression, without the limit of its numbers."""

MAX_NUMBER: Final = 2**64 - 1
"""Maximum of each number of an id, as in Redis."""

_MATCH: Final = re.compile(PATTERN).fullmatch


class StreamId(NamedTuple):
    """An id such as 1700000000000-0. Ids compare as numbers, in the order of a stream's entries.

    `ms`: Unix milliseconds, of a frame or an event its capture time. `number`: from 0
    for the entries of one millisecond.
    """

    ms: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "StreamId":
        """Parse an id as Redis writes it. Raises ValueError for any other text."""
        return _parse(text)

    def __str__(self) -> str:
        """Return the id as Redis writes it."""
        return f"{self.ms}-{self.number}"


ZERO: Final = StreamId(0, 0)
"""The id before the first entry of every stream."""


def range_end(before: StreamId | None) -> str:
    """Return the end of a Redis range that holds the entries before an id; None for all entries."""
    if before is None:
        return "+"
    return f"({before}" if before > ZERO else str(ZERO)  # Redis rejects "(0-0"


# Each id is parsed several times while its frame is in flight. Errors are not cached.
@lru_cache(maxsize=1024)
def _parse(text: str) -> StreamId:
    if _MATCH(text):
        first, _, second = text.partition("-")
        ms, number = int(first), int(second)
        if ms <= MAX_NUMBER and number <= MAX_NUMBER:
            return StreamId(ms, number)
    raise ValueError(f"{text[:60]!r} is not an id such as 1700000000000-0")
