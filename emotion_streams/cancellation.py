"""Cancellation of tasks around redis-py, which may lose one."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

_REPEAT_S: Final = 0.5


def check_cancelled() -> None:
    """Raise CancelledError if this task's cancellation was lost.

    redis-py sends with asyncio.wait_for, which in Python 3.11 loses a cancellation that arrives
    just as it completes (https://github.com/python/cpython/issues/86296). In other places redis-py
    catches a cancellation to disconnect, and may raise another error instead
    (https://github.com/redis/redis-py/issues/2103). A loop around Redis must call this function, or
    it may never end.

    Remove it, and the repetition in `cancel_and_wait`, when Python 3.11 is no longer supported and
    the tests of subscriptions that are closed at any moment pass without them.
    """
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError


async def cancel_and_wait(*tasks: "asyncio.Future[Any]", repeat_s: float = _REPEAT_S) -> None:
    """Cancel the tasks and wait until all have ended; their errors are dropped.

    The cancellation is repeated after each `repeat_s` seconds, because redis-py may lose it: see
    `check_cancelled`. That would interrupt a task whose clean-up takes longer: give it more time.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=repeat_s)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marks it as retrieved


def create_task(
    group: asyncio.TaskGroup, coroutine: Coroutine[Any, Any, Result]
) -> "asyncio.Task[Result]":
    """Call `group.create_task`, for code that may still run while the group is ending.

    Such a group refuses new tasks. The coroutine is then closed, so that Python does not report it
    as never awaited, and CancelledError is raised: the caller belongs to the group, and its own
    cancellation was swallowed (see check_cancelled).
    """
    try:
        return group.create_task(coroutine)
    except RuntimeError:
        coroutine.close()
        raise asyncio.CancelledError from None
