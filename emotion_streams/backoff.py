"""Retries with capped exponential backoff and jitter, and the classification of Redis' errors."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

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

from emotion_streams.cancellation import check_cancelled

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


class Retries:
    """Attempts at a step, with growing delays between them, until one succeeds.

    In a task::

        async for attempt in Retries(REDIS_ERRORS):
            with attempt:
                return await step()

    In a thread, the loop also ends when `wait` returns True; `wait` waits for some seconds::

        for attempt in Retries(REDIS_ERRORS, wait=stop.wait):
            with attempt:
                return step()

    An attempt that raises one of `errors` has failed, and is followed by the next one. Any other
    error is raised. `on_failure` is called with each failure; it may raise an error to give up.
    """

    def __init__(
        self,
        errors: type[Exception] | tuple[type[Exception], ...],
        on_failure: Callable[[Any], None] = lambda _: None,
        delays: Callable[[], Iterator[float]] = delays,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._errors = errors
        self._on_failure = on_failure
        self._make_delays = delays
        self._delays = delays()
        self._wait = wait
        self._started = False
        self._succeeded = False

    def reset(self) -> None:
        """Continue with the shortest delay, because the step worked for a while."""
        self._delays = self._make_delays()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Self:
        assert self._wait is not None
        if self._succeeded or self._wait(self._next_delay()):
            raise StopIteration
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Self:
        if self._succeeded:
            raise StopAsyncIteration
        if self._started:
            await asyncio.sleep(self._next_delay())
        self._started = True
        return self

    def _next_delay(self) -> float:
        started, self._started = self._started, True
        return next(self._delays) if started else 0.0

    def __enter__(self) -> None:
        """Start an attempt."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """End an attempt. In a task, raises CancelledError if its cancellation was lost."""
        if error is not None and not isinstance(error, self._errors):
            return False
        if self._wait is None:
            check_cancelled()
        if error is None:
            self._succeeded = True
            return False
        self._on_failure(error)
        return True


async def retry_forever(
    step: Callable[[], Awaitable[Result]],
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> Result:
    """Return the result of `step`; retry it with backoff while Redis fails or is unreachable.

    The step must be safe to repeat. `on_failure` is called with each failure, and may raise it.
    """
    async for attempt in Retries(REDIS_ERRORS, on_failure):
        with attempt:
            return await step()
    raise AssertionError("the attempts are endless")
