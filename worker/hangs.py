"""Detects frames and batches that hang in a thread or in a model."""

import asyncio
from typing import Final

from worker.context import WorkerContext
from worker.inference.batch import RunningBatch
from worker.inference.permits import Permit

HUNG_S: Final = 30.0
"""A frame in its thread for this long is considered hung; normal frames take milliseconds."""

_CHECK_EVERY_S: Final = 1.0


class FrameHungError(Exception):
    """A frame or a batch is hung; the message names it.

    A thread cannot be killed, so the process must exit.
    """


async def watch_for_hangs(context: WorkerContext) -> None:
    """Raise FrameHungError when a frame hangs in its thread, or a batch hangs in its model.

    A frame that waits for a batch is not hung, however large the crowd before it. Checks are
    counted rather than seconds, so that a pause of the process does not count.
    """
    checks: dict[Permit | RunningBatch, int] = {}
    while True:
        await asyncio.sleep(_CHECK_EVERY_S)
        at_work: set[Permit | RunningBatch] = {
            permit for permit in context.limiter.active if permit.in_thread
        }
        at_work.update(*(runner.running for runner in context.pipeline.runners))
        checks = {it: checks.get(it, 0) + 1 for it in at_work}
        longest = max(checks, key=checks.__getitem__, default=None)
        if longest and checks[longest] * _CHECK_EVERY_S >= HUNG_S:
            raise FrameHungError(
                f"{_describe(longest)} has hung for {HUNG_S:.0f} s; this worker exits"
            )


def _describe(hanging: Permit | RunningBatch) -> str:
    if isinstance(hanging, RunningBatch):
        return f"{hanging.model}, with frame {', '.join(hanging.frames)},"
    return f"frame {hanging.frame_id} of camera {hanging.camera}"
