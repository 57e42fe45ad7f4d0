"""What happens to the frames when workers fall, hang, come and go."""

import signal
from collections.abc import Iterator

import pytest

from emotion_streams import keys
from emotion_streams.connection import connect
from tests.faults.site import RECOVERY_S, SCHEDULING_S, Site
from tests.servers import RedisProcess, eventually


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    with RedisProcess() as server:
        yield server


@pytest.fixture(scope="module")
def site(server: RedisProcess) -> Iterator[Site]:
    """Two workers and eight cameras; one of them is a file of which every frame counts."""
    with Site(server.url) as site:
        site.worker()
        site.worker()
        for number in range(7):
            site.feed(f"cam{number}", fps=3)
        site.feed("file", policy="every", fps=3)
        site.await_events()
        yield site


def owners(site: Site) -> dict[str, str]:
    with connect(site.direct_url) as client:
        return {c: (client.hget(keys.lease(c), "owner") or b"").decode() for c in site.cameras}


def is_even(site: Site) -> bool:
    names = list(owners(site).values())
    return sorted(names.count(name) for name in set(names)) == [4, 4]


def test_two_workers_share_eight_cameras_evenly(site: Site) -> None:
    eventually(lambda: is_even(site))
    site.audit()


def test_a_worker_killed_in_mid_batch_is_replaced(site: Site) -> None:
    victim = next(site.running())
    victim.pause()  # so that it dies with frames in its hands
    eventually(lambda: any(ledger.pending for ledger in site.ledgers().values()))
    victim.kill()
    site.recovers()
    site.worker()
    eventually(lambda: is_even(site))
    site.audit()


def test_a_worker_that_was_paused_past_its_lease_is_refused(site: Site) -> None:
    *_, zombie = site.running()
    eventually(lambda: is_even(site))
    zombie.pause()
    try:
        site.recovers()
    finally:
        zombie.resume()
    eventually(lambda: "moved on" in zombie.logged() or "fenced" in zombie.logged())
    eventually(lambda: is_even(site))
    site.audit()


def test_a_worker_that_is_asked_to_stop_finishes_and_hands_over(site: Site) -> None:
    *_, leaving = site.running()
    before = site.settle()
    site.go_on()
    leaving.terminate()
    assert leaving.wait() == 0
    took = site.await_events()
    # Leases are given up, not left to run out.
    assert "lease released" in leaving.logged()
    assert "not finished" not in leaving.logged()
    after = site.audit()
    lost = sum(after[camera].lost - before[camera].lost for camera in after)
    assert lost == 0
    assert took < RECOVERY_S + SCHEDULING_S
    site.worker()
    eventually(lambda: is_even(site))


def test_workers_killed_one_after_another_lose_nothing(site: Site) -> None:
    for _ in range(3):
        victim = next(site.running())
        replacement = site.worker()
        eventually(lambda: "lease acquired" in replacement.logged())  # noqa: B023 - called here
        victim.kill()
        site.recovers()
    site.audit()


def test_a_second_signal_ends_a_worker_at_once(site: Site, server: RedisProcess) -> None:
    worker = next(site.running())

    def ended() -> bool:
        worker.terminate()
        return worker.ended

    server.pause()  # so that it could not finish
    try:
        eventually(ended)
    finally:
        server.resume()
    assert worker.wait() == 128 + signal.SIGTERM
    site.worker()
    site.recovers()
    site.audit()
