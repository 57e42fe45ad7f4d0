"""Retries with capped exponential backoff and jitter, and the classification of Redis' errors."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from redis.asyncio.sentinel import MasterNotFoundError as AsyncMasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.sentinel import MasterNotFoundError

Result = TypeVar("Result")

# redis-py does not wrap all of these (asyncio's TimeoutError is an OSError), and
# RedisClusterException, which it raises if no node of a cluster answers, is not a RedisError.
REDIS_ERRORS = (RedisError, RedisClusterException, OSError)


def is_permanent(error: BaseException) -> bool:
    """Return whether Redis is reachable and refuses the call, so that a retry does not help.

    This is so for a wrong password, a missing right and a key of another type.
    """
    if error.__cause__:  # in a cluster and on a socket redis-py wraps it in another error
        return is_permanent(error.__cause__)
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    # Only the text contains the answer of a sentinel.
    if isinstance(error, MasterNotFoundError | AsyncMasterNotFoundError):
        return AuthenticationError.__name__ in str(error)
    return is_wrong_type(error)


def is_wrong_type(error: BaseException) -> bool:
    """Return whether Redis refuses because a key holds another type of value.

    Any client with the right to write may cause that for one camera's keys; other cameras are not
    affected. Other error replies may be temporary: READONLY, CLUSTERDOWN and UNBLOCKED occur in
    every failover.
    """
    if error.__cause__:
        return is_wrong_type(error.__cause__)
    return type(error) is ResponseError and "WRONGTYPE" in str(error)


def delays(first_s: float = 0.1, cap_s: float = 2.0) -> Iterator[float]:
    """Yield delays in seconds without end, doubling from `first_s` up to `cap_s`.

    Each is shortened at random by up to half ("equal jitter"), so that many clients do not retry at
    once.
    """
    delay = first_s
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy
        delay = min(delay * 2, cap_s)


def check_cancelled() -> None:
    """Raise CancelledError if this task's cancellation was swallowed.

    redis-py sends with asyncio.wait_for, which in Python 3.11 loses a cancellation that arrives
    just as it completes (python/cpython#86296). In other places redis-py turns a cancellation into
    an error of its own while it disconnects. A loop around Redis must call this function, or it may
    never end.
    """
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError


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


async def retry_forever(
    step: Callable[[], Awaitable[Result]],
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> Result:
    """Return the result of `step`; retry it with backoff while Redis fails or is unreachable.

    The step must be safe to repeat. `on_failure` is called with each failure.
    """
    for delay in delays():
        try:
            result = await step()
        except REDIS_ERRORS as error:
            check_cancelled()
            on_failure(error)
        else:
            check_cancelled()
            return result
        await asyncio.sleep(delay)
    raise AssertionError("delays() is endless")
