"""`python -m tests.faults.chaos --seconds 600 --seed 1`: faults at random for as long as is said,
then a table of what came of it. Exit code 1 where an invariant was broken."""

import argparse
import itertools
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Final

import redis

from emotion_streams import Episode, keys
from emotion_streams.frames import Frame
from emotion_streams.ledger import Ledger, Outcome
from tests.episodes_audit import audit
from tests.faults.feed import malformed, picture
from tests.faults.processes import LEASE_MS, Running
from tests.faults.site import ALLOWED_S, PRODUCER_MB, WORKER_MB, Site, proxied
from tests.proxy import CuttingProxy
from tests.servers import RedisProcess, eventually, free_port

JUNK: Final = "junk"
_RECOVERY_S: Final = 60.0
_COMMANDS: Final = ("XADD", "XREADGROUP", "COMMIT", "CLAIM", "RENEW", "ACQUIRE", "HEARTBEAT")
_STATES: Final = (*map(str, Outcome), "trimmed", "pending", "queued")


class Chaos:
    """A site of two workers and seven cameras, the faults that may befall it, and the tally."""

    def __init__(self, site: Site, server: RedisProcess, proxy: CuttingProxy, seed: int) -> None:
        self.recovery_s: dict[str, list[float]] = {}
        self.gap_s: dict[str, float] = {}
        self.outcomes: Counter[str] = Counter()
        self.episodes = 0
        self.episodes_wrong: list[str] = []
        self.added = self.forgotten = self.unaccounted = self.unbalanced = 0
        self.worker_mb = self.producer_mb = self.redis_mb = 0.0
        self._site, self._server, self._proxy = site, server, proxy
        self._random = random.Random(seed)
        self._junk_seq = 0
        self._faults: dict[Callable[[], None], int] = {
            self.worker_killed: 8,
            self.worker_paused_past_its_lease: 3,
            self.worker_stopped: 2,
            self.producer_killed: 2,
            self.connections_cut: 5,
            self.redis_paused: 2,
            self.redis_killed_with_its_data: 2,
            self.redis_killed_and_empty: 1,
            self.everything_flushed: 1,
            self.redis_full: 2,
            self.malformed_frames: 2,
        }

    def run(self, seconds: float) -> None:
        self._site.await_events(_RECOVERY_S)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            (fault,) = self._random.choices(list(self._faults), list(self._faults.values()))
            self._site.watch.gap_s.clear()
            loses = fault in (self.redis_killed_and_empty, self.everything_flushed)
            recovery_s = self._lose_data(fault) if loses else self._befall(fault)
            name = fault.__name__.replace("_", " ")
            self.recovery_s.setdefault(name, []).append(recovery_s)
            self.gap_s[name] = max(self.gap_s.get(name, 0), *self._site.watch.gap_s.values())
            self._measure()
            self._back_to_strength()
            print(f"{end - time.monotonic():5.0f} s left: {name}: {recovery_s:.1f} s", flush=True)
            time.sleep(self._random.uniform(0.5, 3))  # the time between two faults is random too
        self._close_the_books()

    def worker_killed(self) -> None:
        self._a_worker().kill()
        self._start_worker()

    def worker_paused_past_its_lease(self) -> None:
        worker = self._a_worker()
        worker.pause()
        time.sleep(LEASE_MS / 1000 * self._random.uniform(1.2, 3))  # the fault itself
        worker.resume()

    def worker_stopped(self) -> None:
        worker = self._a_worker()
        worker.terminate()
        assert worker.wait() == 0, worker.logged()[-2000:]
        self._start_worker()

    def producer_killed(self) -> None:
        self._site.producers["demo"].kill()
        self._site.producer("demo", "--fps", "4")

    def connections_cut(self) -> None:
        self._proxy.cut(self._random.uniform(0.02, 0.3), *_COMMANDS)
        time.sleep(self._random.uniform(1, 5))
        self._proxy.cut(0)

    def redis_paused(self) -> None:
        self._server.pause()
        time.sleep(self._random.uniform(1, 10))
        self._server.resume()

    def redis_killed_with_its_data(self) -> None:
        self._server.kill()
        time.sleep(self._random.uniform(0, 3))
        self._server.restart()

    def redis_killed_and_empty(self) -> None:
        self._server.kill()
        shutil.rmtree(self._server.folder / "appendonlydir")
        self._server.restart()

    def everything_flushed(self) -> None:
        with self._client() as client:
            client.flushall()

    def redis_full(self) -> None:
        with self._client() as client:
            client.config_set("maxmemory", client.info("memory")["used_memory"])
            time.sleep(self._random.uniform(1, 4))
            client.config_set("maxmemory", 0)

    def malformed_frames(self) -> None:
        jpeg, width, height = picture(face=False)
        with self._client() as client:
            client.zadd(keys.CAMERAS, {JUNK: time.time() * 1000})
            for _ in range(200):
                self._junk_seq += 1
                good = Frame(int(time.time() * 1000), width, height, jpeg, "b", self._junk_seq)
                blob = good.pack() if self._junk_seq % 50 == 0 else malformed(self._random)
                client.xadd(keys.frames(JUNK), {"frame": blob}, maxlen=1_000)
            eventually(lambda: client.xlen(keys.frames(JUNK)) == 0, _RECOVERY_S)

    def table(self) -> str:
        """What came of it, as Markdown."""
        lines = ["| fault | times | recovery, median (s) | longest (s) | longest gap (s) |"]
        lines.append("| --- | ---: | ---: | ---: | ---: |")
        for name, all_s in sorted(self.recovery_s.items()):
            median = sorted(all_s)[len(all_s) // 2]
            lines.append(
                f"| {name} | {len(all_s)} | {median:.1f} | {max(all_s):.1f} "
                f"| {self.gap_s[name]:.1f} |"
            )
        cuts = sum(self._proxy.cuts.values())
        lost_replies = sum(n for (way, _), n in self._proxy.cuts.items() if way == "reply")
        rows = {
            "connections cut": f"{cuts}, {lost_replies} of them between command and reply",
            "frames produced": self.added + self.forgotten,
            **{state.replace("_", " "): self.outcomes[state] for state in _STATES},
            "forgotten by Redis with its data": self.forgotten,
            "events seen": self._site.watch.events,
            "events repeated where Redis had lost data": self._site.watch.repeated,
            "duplicates": self._site.watch.duplicates,
            "order violations": self._site.watch.violations,
            "unaccounted": self.unaccounted,
            "accounts that did not balance": self.unbalanced,
            "records of episodes checked": self.episodes,
            "starts without one end, and other faults in them": len(self.episodes_wrong),
            "longest recovery (s)": f"{self.longest_s:.1f}, at most {ALLOWED_S} here",
            "longest gap in events (s)": f"{max(self.gap_s.values()):.1f}",
            "largest worker (MB)": f"{self.worker_mb:.0f}",
            "largest producer (MB)": f"{self.producer_mb:.0f}",
            "Redis at most (MB)": f"{self.redis_mb:.1f}",
        }
        lines += ["", "| | |", "| --- | ---: |"]
        return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())])

    @property
    def longest_s(self) -> float:
        """The longest recovery."""
        return max(itertools.chain(*self.recovery_s.values()))

    @property
    def holds(self) -> bool:
        """Whether every invariant did, from the beginning to the end."""
        watch = self._site.watch
        broken = (
            watch.duplicates,
            watch.violations,
            self.unaccounted,
            self.unbalanced,
            len(self.episodes_wrong),
        )
        return (
            not any(broken)
            and self.longest_s <= ALLOWED_S
            and self.worker_mb < WORKER_MB
            and self.producer_mb < PRODUCER_MB
        )

    def _befall(self, fault: Callable[[], None]) -> float:
        """How long it takes until all processes are back, in seconds."""
        fault()
        return self._site.await_events(_RECOVERY_S)

    def _lose_data(self, fault: Callable[[], None]) -> float:
        """As _befall, with the books closed before Redis loses its data, and new ones opened."""
        self._close_the_books()
        stored = sum(feed.stored for feed in self._site.feeds)
        self._site.go_on()
        time.sleep(self._random.uniform(0.5, 2))  # it shall lose something
        with self._site.losing_data():
            recovery_s = self._befall(fault)
        self.forgotten += sum(self._site.stored_before.values()) - stored
        return recovery_s

    def _close_the_books(self) -> None:
        """Come to rest, hold the account against what was stored, and add it to the sum."""
        ledgers = self._site.settle()
        self._site.watch.catch_up()
        self.unaccounted += self._site.unaccounted(ledgers)
        self._audit_episodes([feed.camera for feed in self._site.feeds])
        for ledger in (*ledgers.values(), *self._site.ledgers(JUNK).values()):
            self._add(ledger)

    def _audit_episodes(self, cameras: Iterable[str]) -> None:
        """Wait until the silent cameras' tracks are closed, and check every stored record."""
        with self._client() as client:
            eventually(
                lambda: all(int(client.hget(keys.tracks(c), "people") or 0) == 0 for c in cameras),
                _RECOVERY_S,
            )
            for camera in cameras:
                entries: Any = client.xrange(keys.episodes(camera))
                records = [Episode.unpack(fields[b"episode"]) for _, fields in entries]
                wrong, left_open = audit(records)
                self.episodes += len(records)
                self.episodes_wrong += [*wrong, *(f"{track} never left" for track in left_open)]

    def _add(self, ledger: Ledger) -> None:
        self.unbalanced += not ledger.balanced
        self.added += ledger.added
        for state in _STATES:
            self.outcomes[state] += getattr(ledger, state)

    def _measure(self) -> None:
        self.worker_mb = max(self.worker_mb, self._site.largest_mb(self._site.workers))
        producers = self._site.producers.values()
        self.producer_mb = max(self.producer_mb, self._site.largest_mb(producers))
        with self._client() as client:
            used = client.info("memory")["used_memory"]
        self.redis_mb = max(self.redis_mb, used / (1 << 20))

    def _a_worker(self) -> Running:
        return self._random.choice([w for w in self._site.workers if not w.ended])

    def _start_worker(self) -> None:
        self._site.worker()

    def _back_to_strength(self) -> None:
        """Wait for workers that are still starting: the promise is to survive any single fault."""
        alive = [worker for worker in self._site.workers if not worker.ended]
        eventually(lambda: all("is warm" in worker.logged() for worker in alive), _RECOVERY_S)

    def _client(self) -> redis.Redis:
        return redis.Redis(port=self._server.port)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # failures of Redis are expected here
    with ExitStack() as ends:
        server = ends.enter_context(RedisProcess("--appendonly", "yes", port=free_port()))
        proxy = ends.enter_context(proxied(server.port, arguments.seed))
        site = ends.enter_context(Site(f"redis://127.0.0.1:{proxy.port}", server.url))
        site.worker()
        site.worker()
        for number in range(5):
            site.feed(f"live{number}", fps=3, face_every=1 + number)
        site.feed("file", policy="every", fps=3, face_every=1)
        site.producer("demo", "--fps", "4")
        chaos = Chaos(site, server, proxy, arguments.seed)
        chaos.run(arguments.seconds)
        print(f"\n{arguments.seconds:.0f} s with seed {arguments.seed}\n\n{chaos.table()}")
        return 0 if chaos.holds else 1


if __name__ == "__main__":
    sys.exit(main())
