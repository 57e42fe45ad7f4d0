"""The search for the largest number of cameras that a machine holds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from deploy.capacity.tries import Try
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER

_PRECISION: Final = 20
"""The search ends when the answer is known to one part of so many."""


@dataclass(frozen=True)
class Found:
    """The result of a search.

    `best`: the try with the most cameras that were held, None if not even one was. `over`: the try
    with the fewest cameras above it that were not held, None if no try above it failed. `tries`:
    all, in order. `time_was_over`: whether the search ended before its answer was exact.
    """

    best: Try | None
    over: Try | None
    tries: Sequence[Try]
    time_was_over: bool


def most_cameras(asked: int, workers: int) -> int:
    """Return how many cameras to try at most: as many as asked, but no more than workers own."""
    return min(asked, MAX_CAMERAS_PER_WORKER * workers)


async def search(
    measure: Callable[[int], Awaitable[Try]],
    start: int,
    most: int,
    allows: Callable[[int], bool] = lambda _: True,
) -> Found:
    """Double the cameras from `start` until they are not held, then bisect; try at most `most`.

    `allows` says whether there is time to try so many cameras; the search ends if there is none.

    The number that bounds the answer is tried twice: what else the machine did may have made it
    fail. If it is held then, the search goes on above it.
    """
    found = Found(None, None, [], time_was_over=False)
    cameras = min(start, most)
    while cameras and allows(cameras):
        found = _with(found.tries, await measure(cameras))
        cameras = _next(found, most)
    return replace(found, time_was_over=bool(cameras))


def _with(earlier: Sequence[Try], tried: Try) -> Found:
    tries = [*earlier, tried]
    best = max((each for each in tries if each.held), key=_cameras, default=None)
    failed = [each for each in tries if not each.held and each.cameras > _cameras(best)]
    over = min(failed, key=_cameras, default=None)
    return Found(best, over, tries, time_was_over=False)


def _cameras(tried: Try | None) -> int:
    return tried.cameras if tried else 0


def _next(found: Found, most: int) -> int:
    """Return how many cameras to try next; 0 if the answer is precise enough."""
    held = _cameras(found.best)
    if found.over is None:
        return min(2 * held, most) if held < most else 0
    over = found.over.cameras
    if over - held > max(1, over // _PRECISION):
        return (held + over) // 2
    times = sum(each.cameras == over for each in found.tries)
    return over if times == 1 else 0
