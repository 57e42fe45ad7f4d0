"""The same step for many cameras at once, without a connection to Redis for each."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

_AT_ONCE: Final = 16


def few_at_once(
    step: Callable[[str], Awaitable[Result]],
) -> Callable[[str], Coroutine[Any, Any, Result]]:
    """The step, to be gathered over many cameras: 16 of its calls run at a time, since each holds
    a connection of its own while it waits for the reply."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(camera: str) -> Result:
        async with turns:
            return await step(camera)

    return in_turn
