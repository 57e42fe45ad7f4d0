"""Frames under way, committed in the order in which they were started."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from worker.delivery.types import Completion

Work: TypeAlias = "asyncio.Future[list[Completion]]"
"""Frames that end together: an analysed frame, and the skipped frames before it."""

_SHARE_S: Final = 0.01
"""How long a commit waits for further frames of a camera that has more of them queued: frames that
share a commit also share its cost, the stored tracking state."""

_COMMIT_AT_ONCE: Final = 32
MAX_UNCOMMITTED: Final = 64
"""Steps of work whose completions may wait for Redis. At this number the camera stops reading."""


class CommitQueue:
    """Commits work in its order, all finished work in one call.

    `commit` commits completions. `has_more` returns whether further frames of the camera wait to be
    started.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Completion]], Awaitable[None]],
        has_more: Callable[[], bool],
    ) -> None:
        self._commit = commit
        self._has_more = has_more
        self._works: asyncio.Queue[Work] = asyncio.Queue()
        self._budget = asyncio.Semaphore(MAX_UNCOMMITTED)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits behind the commit under way."""
        return self._works.empty()

    async def wait_for_room(self) -> None:
        """Take the place of one step of work; add() or add_done() must follow."""
        await self._budget.acquire()

    def add(self, work: Work) -> None:
        """Queue work whose completions are known when it is done."""
        self._works.put_nowait(work)

    def add_done(self, completions: list[Completion]) -> None:
        """Queue completions that are known already."""
        work: Work = asyncio.get_running_loop().create_future()
        work.set_result(completions)
        self.add(work)

    async def join(self) -> None:
        """Wait until everything in the queue is committed."""
        await self._works.join()

    async def run(self) -> None:
        """Commit until cancelled. Raises FencedError if the lease has moved on."""
        work = await self._works.get()
        while True:
            completions, works, following = [*await work], 1, None
            await asyncio.sleep(_SHARE_S if self._has_more() else 0)
            while len(completions) < _COMMIT_AT_ONCE and not self._works.empty():
                following = self._works.get_nowait()
                if not following.done():
                    break
                completions += following.result()
                works, following = works + 1, None
            await self._commit(completions)
            for _ in range(works):
                self._works.task_done()
                self._budget.release()
            work = following or await self._works.get()
