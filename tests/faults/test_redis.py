"""What happens to the frames when Redis hangs, falls, forgets or is full, and when the network
loses what was said."""

import random
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator

import pytest
import redis

from emotion_streams import keys
from emotion_streams.frames import Frame
from tests.faults.feed import malformed, picture
from tests.faults.processes import Running
from tests.faults.site import Site, proxied
from tests.proxy import Cut, CuttingProxy
from tests.servers import RedisProcess, eventually, free_port

FROZEN_S = 10.0
MALFORMED = 2_000
OFF_MS = 10_000


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    """Keeps its data through a crash, so that both ways of coming back can be tried."""
    with RedisProcess("--appendonly", "yes", port=free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: RedisProcess) -> Iterator[CuttingProxy]:
    with proxied(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(server: RedisProcess, proxy: CuttingProxy) -> Iterator[Site]:
    """Two workers and four cameras, one fed by a real producer; all of them behind the proxy."""
    with Site(f"redis://127.0.0.1:{proxy.port}", server.url) as site:
        site.worker()
        site.worker()
        site.feed("live", fps=8)
        site.feed("file", policy="every", fps=8)
        # Stamped by a clock that is wrong: a producer of others, whose frames never expire.
        site.feed("ahead", fps=4, clock_off_ms=OFF_MS)
        site.producer("demo", "--fps", "4")
        site.await_events()
        yield site


def direct(server: RedisProcess) -> redis.Redis:
    return redis.Redis(port=server.port)


def metric(worker: Running, name: str) -> list[tuple[str, float]]:
    """A metric's series with a camera: (camera, value)."""
    found = re.search(r"metrics at (http://\S+/metrics)", worker.logged())
    assert found, worker.logged()
    with urllib.request.urlopen(found.group(1)) as reply:
        text = reply.read().decode()
    series = re.findall(rf'^{name}{{camera="(\w+)"}} (\S+)$', text, re.MULTILINE)
    return [(camera, float(value)) for camera, value in series]


def test_a_producers_wrong_clock_stops_no_camera_and_is_shown(site: Site) -> None:
    def skews() -> dict[str, float]:
        return {
            camera: round(seconds)
            for worker in site.workers
            for camera, seconds in metric(worker, "emotion_clock_skew_seconds")
        }

    eventually(lambda: skews() == {"live": 0, "file": 0, "demo": 0, "ahead": 10})
    before = site.ledgers()
    site.recovers()
    after = site.audit()
    assert all(after[camera].analysed > before[camera].analysed for camera in after)


@pytest.mark.parametrize("command", ["XADD", "XREADGROUP", "COMMIT"])
def test_connections_cut_before_and_after_a_command_lose_and_double_nothing(
    site: Site, proxy: CuttingProxy, command: str
) -> None:
    proxy.cut(0.2, command)
    try:
        eventually(lambda: all(proxy.cuts[cut, command] >= 5 for cut in Cut))
    finally:
        proxy.cut(0)
    site.recovers()
    site.audit()


def test_redis_that_hangs_is_waited_for(site: Site, server: RedisProcess) -> None:
    server.pause()
    try:
        time.sleep(FROZEN_S)  # the fault itself, not a wait for something
    finally:
        server.resume()
    site.recovers()
    site.audit()


def test_redis_killed_and_back_with_its_data_goes_on(site: Site, server: RedisProcess) -> None:
    before = site.ledgers()
    server.kill()
    server.restart()
    site.recovers()
    after = site.audit()
    assert all(after[camera].analysed > before[camera].analysed for camera in after)


def test_redis_killed_and_back_empty_goes_on(site: Site, server: RedisProcess) -> None:
    with site.losing_data():
        server.kill()
        shutil.rmtree(server.folder / "appendonlydir")
        server.restart()
        site.recovers()
    site.await_events()
    site.audit()


def test_flushall_is_survived(site: Site, server: RedisProcess) -> None:
    with direct(server) as client, site.losing_data():
        client.flushall()
        site.recovers()
    site.await_events()
    site.audit()


def test_redis_at_its_memory_limit_still_commits(site: Site, server: RedisProcess) -> None:
    with direct(server) as client:
        for worker in site.workers:
            worker.pause()
        eventually(lambda: client.xlen(keys.frames("file")) >= 20)
        before = client.info("memory")
        client.config_set("maxmemory", before["used_memory"])
        client.config_set("maxmemory-policy", "noeviction")
        try:
            for worker in site.workers:
                worker.resume()
            site.recovers()
            # Events and leases may go over it by what they need, which is little. Connections,
            # of which each takes some, are not counted.
            now = client.info("memory")
            assert now["used_memory_dataset"] < before["used_memory_dataset"] + (1 << 20)
        finally:
            client.config_set("maxmemory", 0)
    site.audit()


def test_malformed_frames_become_dead_letters_and_nothing_else(
    site: Site, server: RedisProcess
) -> None:
    rng, good = random.Random(1), 0
    with direct(server) as client:
        for number in range(MALFORMED):
            if number % 100 == 0:
                jpeg, width, height = picture(face=False)
                frame = Frame(int(time.time() * 1000), width, height, jpeg, "b", number)
                client.xadd(keys.frames("junk"), {"frame": frame.pack()})
                good += 1
            client.xadd(keys.frames("junk"), {"frame": malformed(rng)})
        client.xadd(keys.frames("junk"), {"something": b"else"})
        client.zadd(keys.CAMERAS, {"junk": time.time() * 1000})
        eventually(lambda: client.xlen(keys.frames("junk")) == 0)
        ledger = site.ledgers("junk")["junk"]
        assert ledger.balanced
        assert (ledger.dead, ledger.analysed, ledger.trimmed) == (MALFORMED + 1, good, 0)
        letters = client.xrange(keys.dead("junk"))
    assert 1_000 <= len(letters) <= 1_200
    assert {name for _, letter in letters for name in letter} == {
        b"frame", b"reason", b"size", b"deliveries",
    }  # fmt: skip
    site.recovers()
    site.audit()


def test_a_producer_killed_and_started_again_goes_on(site: Site) -> None:
    site.producers["demo"].kill()
    site.producer("demo", "--fps", "4")
    site.recovers()
    site.audit()


def test_nothing_grew(site: Site, server: RedisProcess) -> None:
    with direct(server) as client:
        for camera in site.cameras:
            assert client.xlen(keys.frames(camera)) <= 20
