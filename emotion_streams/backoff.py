"""Waiting longer after each failure, up to a cap, with jitter so that many do not come at once."""

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

# redis-py lets some of these through unwrapped (asyncio's TimeoutError is an OSError), and what it
# raises for a cluster without a node that answers is no RedisError.
REDIS_ERRORS = (RedisError, RedisClusterException, OSError)


def is_permanent(error: BaseException) -> bool:
    """Return whether Redis is there and refuses, so that trying again will not help.

    It does for a wrong password, a missing right and a key of another type.
    """
    if error.__cause__:  # in a cluster and on a socket redis-py wraps it up in another
        return is_permanent(error.__cause__)
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    # What a sentinel answered is in the text alone.
    if isinstance(error, MasterNotFoundError | AsyncMasterNotFoundError):
        return AuthenticationError.__name__ in str(error)
    return is_wrong_type(error)


def is_wrong_type(error: BaseException) -> bool:
    """Return whether Redis refuses because a key holds another type of value.

    Any client with the right to write may cause that for one camera's keys; it says nothing about
    the others. Other replies may pass: READONLY, CLUSTERDOWN and UNBLOCKED come with every
    failover.
    """
    if error.__cause__:
        return is_wrong_type(error.__cause__)
    return type(error) is ResponseError and "WRONGTYPE" in str(error)


def delays(first_s: float = 0.1, cap_s: float = 2.0) -> Iterator[float]:
    """Yield delays in seconds without end, doubling from `first_s` to `cap_s`.

    Each is shortened at random by up to half ("equal jitter").
    """
    delay = first_s
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter needs no secrecy
        delay = min(delay * 2, cap_s)


def check_cancelled() -> None:
    """Raise CancelledError if this task's cancellation was swallowed.

    redis-py sends with asyncio.wait_for, which in Python 3.11 loses a cancellation that comes just
    as it completes (python/cpython#86296); elsewhere it turns one into an error of its own while it
    disconnects. A loop around Redis must ask, or it might never end.
    """
    if (task := asyncio.current_task()) and task.cancelling():
        raise asyncio.CancelledError


def create_task(
    group: asyncio.TaskGroup, coroutine: Coroutine[Any, Any, Result]
) -> "asyncio.Task[Result]":
    """`group.create_task`, for code that may go on while the group is ending.

    Such a group refuses new tasks. The coroutine is then closed, where it would be left behind and
    never awaited, and CancelledError raised: the caller belongs to the group, and only missed that
    it was cancelled (see check_cancelled).
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
    """Return the result of `step`, tried with backoff while Redis fails or cannot be reached.

    For steps that may safely be done twice. `on_failure` is called with each failure.
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
