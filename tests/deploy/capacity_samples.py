"""A try as a machine that is not busy gives it, and searches made of such tries."""

from collections.abc import Callable
from dataclasses import replace

from deploy.capacity.options import parse
from deploy.capacity.report import Report
from deploy.capacity.search import Found, search
from deploy.capacity.tries import Try, Usage

IDLE = Usage(
    machine=0.4,
    worker_cores=1,
    server_cores=0.1,
    other_cores=0,
    loop=0.2,
    threads=0.3,
    engine=0.4,
    detector=0.0,
)
HELD = Try(
    cameras=1,
    owned=True,
    limit_ms=1000,
    seconds=10,
    stored=100,
    ended=100,
    frames_per_s=5,
    p50_ms=40,
    p99_ms=80,
    expired_share=0,
    stored_share=1,
    faces_found=2,
    reused_share=0,
    usage=IDLE,
)


async def found_where(holds: Callable[[int], bool], start: int = 1, most: int = 1000) -> Found:
    """The result on a machine that holds so many cameras as `holds` says."""

    async def measure(cameras: int) -> Try:
        return replace(HELD, cameras=cameras, p99_ms=80 if holds(cameras) else 2000)

    return await search(measure, start, most)


def reported(found: Found, *options: str) -> str:
    """What the command prints of a search with one worker."""
    return "\n".join(Report(parse(list(options), None), found, "mnn", None, 1, 2, 0.0).lines())
