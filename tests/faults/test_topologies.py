"""The same promises on a cluster, behind sentinels, and with TLS and a password."""

import itertools
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis
from redis.exceptions import AuthenticationError, ConnectionError  # noqa: A004 - redis-py's names

from emotion_streams import START, CameraStatus, Client, keys, subscribe
from emotion_streams.connection import connect
from tests.deploy.valkey import Valkey, password
from tests.faults.processes import start_producer, start_worker
from tests.faults.site import SCHEDULING_S, Site
from tests.servers import Stopwatch, eventually, free_port
from tests.topologies import Cluster, SentinelPair, tls_front


def ids(url: str, camera: str, count: int) -> list[tuple[int, ...]]:
    """The first events' ids, as a subscriber sees them."""
    with closing(subscribe(url, camera, START)) as events:
        first = itertools.islice(events, count)
        return [tuple(map(int, event.frame_id.split("-"))) for event in first]


def cameras(url: str) -> list[CameraStatus]:
    """What a cluster's cameras look like at this moment."""
    with Client(url) as streams:
        return streams.cameras()


def test_workers_wait_for_servers_that_are_not_there_yet_and_can_be_stopped(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with (
        start_worker(tmp_path, f"redis+cluster://{nowhere}") as one,
        start_worker(tmp_path, f"redis+sentinel://{nowhere}/cameras") as other,
    ):
        for worker in (one, other):
            # The same warning is not repeated at each try, so once is all there is to see.
            eventually(lambda: "trying again" in worker.logged())  # noqa: B023 - called here
            worker.terminate()
        assert (one.wait(), other.wait()) == (0, 0)


def test_a_cluster_survives_the_loss_of_a_node() -> None:
    with Cluster() as cluster, Site(cluster.url) as site:
        site.worker()
        site.worker()
        stricken = site.feed(cluster.camera_on(0, "live"), fps=4).camera
        site.feed(cluster.camera_on(1, "live"), fps=4)
        site.feed(cluster.camera_on(2, "file"), policy="every", fps=4)
        site.await_events()
        site.audit()
        listed = cameras(cluster.url)
        assert [camera.camera for camera in listed] == sorted(site.cameras)
        # a camera on its way from one worker to the other has no owner for a moment
        eventually(lambda: all(c.owner for c in cameras(cluster.url)))
        eventually(
            lambda: all(c.backlog is not None and c.backlog < 20 for c in cameras(cluster.url))
        )

        with site.losing_data(stricken):  # what had not reached the replica
            cluster.kill_first()
            eventually(cluster.first_slots_are_served)
            site.recovers()
        site.await_events()
        ledgers = site.audit()
        seen = ids(cluster.url, stricken, ledgers[stricken].analysed)
        assert seen == sorted(set(seen))


def test_a_shard_that_hangs_costs_no_other_camera_its_owner(tmp_path: Path) -> None:
    hung, lease_ms = 1, 5_000
    with (
        # Nothing takes over in this time: the shard hangs, and then it is back.
        Cluster() as cluster,
        start_worker(tmp_path, cluster.url, "--lease-ms", str(lease_ms)) as worker,
        ExitStack() as ends,
    ):
        clients = [ends.enter_context(redis.Redis(port=node.port)) for node in cluster.nodes[:3]]
        shards = {f"cam{n}": cluster.shard(f"cam{n}") for n in range(240)}
        shards = {c: s for n, (c, s) in enumerate(shards.items()) if s == hung or n % 8 == 0}
        registry, workers = (clients[cluster.shard(key)] for key in (keys.CAMERAS, keys.WORKERS))
        assert clients[hung] not in (registry, workers)
        assert list(shards.values()).count(hung) > 60  # far more than have their turn at once
        registry.zadd(keys.CAMERAS, dict.fromkeys(shards, time.time() * 1000))
        eventually(lambda: worker.logged().count("lease acquired") == len(shards))
        owned = [(clients[s], keys.lease(c)) for c, s in shards.items() if s != hung]

        watch = Stopwatch()
        cluster.nodes[hung].pause()
        until = time.monotonic() + 2 * lease_ms / 1000
        while time.monotonic() < until:  # the fault itself
            now_ms = (time.time() - SCHEDULING_S - watch.waited_s()) * 1000
            expiries = [int(client.hget(key, "expires_ms") or 0) for client, key in owned]
            assert min(expiries) > now_ms
            assert workers.zrange(keys.WORKERS, 0, -1, withscores=True)[0][1] > now_ms
        cluster.nodes[hung].resume()
        assert worker.logged().count("lease acquired") == len(shards)


def test_sentinels_bring_all_processes_to_the_new_primary() -> None:
    with SentinelPair() as pair, Site(pair.url) as site:
        site.worker()
        site.worker()
        site.feed("live", fps=4)
        site.feed("file", policy="every", fps=4)
        site.await_events()
        site.audit()

        with site.losing_data():
            pair.kill_primary()
            eventually(pair.replica_is_primary)
            site.recovers()
        site.await_events()
        ledgers = site.audit()
        seen = ids(pair.url, "live", ledgers["live"].analysed)
        assert seen == sorted(set(seen))


def test_the_processes_run_with_tls_and_users_of_few_rights_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = free_port()
    with (
        Valkey("--port", str(backend), "--bind", "127.0.0.1"),
        tls_front(backend, tmp_path) as (port, certificate),
    ):
        encrypted = f"rediss://127.0.0.1:{port}"
        url = f"{encrypted}?ssl_ca_certs={certificate}"
        with (
            start_worker(tmp_path, url, environ=_secrets("worker")),
            start_producer(tmp_path, url, "lobby", environ=_secrets("producer")),
        ):
            for name, value in _secrets("subscriber").items():
                monkeypatch.setenv(name, value)
            seen = ids(url, "lobby", 5)
            assert seen == sorted(set(seen))
            monkeypatch.setenv("EMOTION_REDIS_PASSWORD", "wrong")
            with connect(url) as client, pytest.raises(AuthenticationError):
                client.ping()
            with connect(encrypted) as client, pytest.raises(ConnectionError):
                client.ping()  # a certificate of an unknown authority


def _secrets(role: str) -> dict[str, str]:
    return {"EMOTION_REDIS_USERNAME": role, "EMOTION_REDIS_PASSWORD": password(role)}
