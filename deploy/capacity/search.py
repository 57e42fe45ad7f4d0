"""The search for the largest number of cameras that a machine holds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.capacity.tries import Try
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER

MAX_TRIES: Final = 14
"""So that a search ends in time: fourteen tries of fourteen seconds are 200 seconds."""

_PRECISION: Final = 20
"""The search ends when the answer is known to one part of so many."""


@dataclass(frozen=True)
class Found:
    """The result of a search.

    `best`: the try with the most cameras that were held, None if not even one was. `over`: the try
    with the fewest cameras that were not held, None if no try failed. `tries`: all, in order.
    """

    best: Try | None
    over: Try | None
    tries: Sequence[Try]


def most_cameras(asked: int, workers: int) -> int:
    """Return how many cameras to try at most: as many as asked, but no more than workers own."""
    return min(asked, MAX_CAMERAS_PER_WORKER * workers)


async def search(measure: Callable[[int], Awaitable[Try]], start: int, most: int) -> Found:
    """Double the cameras from `start` until they are not held, then bisect; try at most `most`."""
    tries: list[Try] = []
    best, over = None, None
    cameras = min(start, most)
    while cameras and len(tries) < MAX_TRIES:
        tried = await measure(cameras)
        tries.append(tried)
        if tried.held:
            best = tried
        else:
            over = tried
        cameras = _next(best.cameras if best else 0, over.cameras if over else None, most)
    return Found(best, over, tries)


def _next(held: int, over: int | None, most: int) -> int:
    """Return how many cameras to try next; 0 if the answer is precise enough."""
    if over is None:
        return min(2 * held, most) if held < most else 0
    return (held + over) // 2 if over - held > max(1, over // _PRECISION) else 0
