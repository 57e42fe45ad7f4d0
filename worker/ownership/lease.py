"""Decides which cameras this worker owns: rendezvous hashing assigns them, a lease grants each."""

import hashlib
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from emotion_streams import keys
from emotion_streams.camera_report import MAX_REPORT_BYTES
from emotion_streams.connection import Client
from worker.delivery.types import Lease
from worker.redis_scripts import load_script

LEASE_MS: Final = 5_000
"""Default lease: how long a camera stays with a worker that does not renew its lease."""

MAX_LEASE_MS: Final = 60_000
"""Maximum lease. A stored expiry further ahead was written before Redis' clock moved back and
counts as expired."""

_TICKS_PER_LEASE: Final = 5
_MAX_TICK_S: Final = 1.0
"""Longest tick, so that new cameras are acquired within two seconds for any lease duration."""

EVEN_UP_TO: Final = 4
"""Up to this many cameras per worker are spread as evenly as possible: one more is much here."""

_SPARE: Final = 0.25
"""Spare room, as a fraction of a worker's share beyond EVEN_UP_TO. If one of 50 workers with 20
cameras each is lost, 60 cameras move without spare room, 37 with an eighth, 27 with a quarter and
20 with a half. The fullest workers then have 20, 22, 24 and 28 cameras."""

_FRESH_TICKS: Final = 2.5
"""A worker without a heartbeat for longer may have crashed. No camera is released in its favour."""

_REPORT_DELETED: Final = 2
"""What renew.lua returns then."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peer:
    """A live worker: its share of the cameras, and whether its heartbeat is recent."""

    weight: float
    fresh: bool


def assign(cameras: Collection[str], weights: Mapping[str, float]) -> dict[str, str]:
    """Return which worker should own each camera. All workers compute the same.

    Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): each pair of camera and worker
    has the score -weight / ln(hash), and the greatest score wins. Loads are bounded (Mirrokni,
    Thorup and Zadimoghaddam, 2016): a worker's limit is its share of the cameras plus a quarter of
    the part of that share beyond EVEN_UP_TO, rounded up. A few cameras are therefore spread evenly.
    If there are many cameras, a worker that joins or leaves moves little more than its share:
    without spare room, each camera that is assigned to a full worker displaces another camera.
    """
    # The result is cached: this is called every second with the same names, and computing takes
    # 0.1 s for a thousand cameras.
    return dict(_assign(frozenset(cameras), frozenset(weights.items())))


@lru_cache(maxsize=4)
def _assign(cameras: frozenset[str], weighted: frozenset[tuple[str, float]]) -> Mapping[str, str]:
    weights = dict(weighted)
    # fsum rounds exactly: a plain sum depends on the order of the set, which differs between
    # processes.
    total = math.fsum(weights.values())
    shares = {worker: len(cameras) * weight / total for worker, weight in weights.items()}
    room = {worker: math.ceil(share + _spare(share)) for worker, share in shares.items()}
    pairs = sorted(
        (
            (-weight / math.log(_share(camera, worker)), camera, worker)
            for camera in cameras
            for worker, weight in weights.items()
        ),
        reverse=True,
    )
    owners: dict[str, str] = {}
    for _, camera, worker in pairs:
        if camera not in owners and room[worker]:
            owners[camera] = worker
            room[worker] -= 1
    return owners


def _spare(share: float) -> float:
    return max(0.0, share - EVEN_UP_TO) * _SPARE


def _share(camera: str, worker: str) -> float:
    """Return a pair's hash, uniform over the open interval from 0 to 1."""
    digest = hashlib.blake2b(f"{camera}\0{worker}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / (2**64 + 2)


def _weight(text: str) -> float | None:
    """Return a worker's weight; None if it is invalid: a bad entry must not break readers."""
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0 < weight < math.inf else None


class Leases:
    """Acquires, renews and releases leases, and keeps up this worker's membership."""

    def __init__(
        self, client: Client, owner: str, weight: float = 1.0, lease_ms: int = LEASE_MS
    ) -> None:
        self.owner = owner
        self.lease_s = lease_ms / 1000
        self.tick_s = min(_MAX_TICK_S, self.lease_s / _TICKS_PER_LEASE)
        self._client = client
        self._lease_ms = lease_ms
        self._member = f"{weight:g}@{owner}"
        self._heartbeat = load_script(client, __file__, "heartbeat")
        self._acquire = load_script(client, __file__, "acquire")
        self._renew = load_script(client, __file__, "renew")
        self._release = load_script(client, __file__, "release")

    async def heartbeat(self) -> dict[str, Peer]:
        """Renew this worker's membership; return all live workers, itself included."""
        reply = await self._heartbeat(
            keys=[keys.WORKERS], args=[self._member, self._lease_ms, MAX_LEASE_MS]
        )
        oldest_ms = self._lease_ms - _FRESH_TICKS * self.tick_s * 1000
        peers = {}
        for member, left_ms in zip(reply[::2], reply[1::2], strict=True):
            weight, _, worker = member.decode(errors="replace").partition("@")
            if worker and (share := _weight(weight)):
                peers[worker] = Peer(share, fresh=left_ms >= oldest_ms)
        return peers

    async def acquire(self, camera: str) -> Lease | None:
        """Acquire the camera's lease; return None if another worker holds it."""
        epoch: int = await self._acquire(
            keys=keys.camera_keys(camera), args=[self.owner, self._lease_ms, MAX_LEASE_MS]
        )
        return Lease(camera, self.owner, epoch) if epoch else None

    async def is_free(self, camera: str, now_ms: float) -> bool:
        """Return whether the camera has no owner at `now_ms`, by the clock of Redis.

        The result is a hint; acquire() decides.
        """
        owner, expires_ms = await self._client.hmget(keys.lease(camera), "owner", "expires_ms")
        expires = int(expires_ms) if (expires_ms or b"").isdigit() and len(expires_ms) < 20 else 0
        return not owner or not now_ms < expires <= now_ms + MAX_LEASE_MS

    async def renew(self, lease: Lease) -> bool:
        """Renew the lease; return False if it has moved on.

        A report of its producer that is too large for readers is deleted.
        """
        result: int = await self._renew(
            keys=keys.camera_keys(lease.camera),
            args=[lease.owner, lease.epoch, self._lease_ms, MAX_REPORT_BYTES],
        )
        if result == _REPORT_DELETED:
            log.warning(
                "deleted the report of its producer: larger than %d bytes",
                MAX_REPORT_BYTES,
                extra={"camera": lease.camera},
            )
        return result > 0

    async def release(self, lease: Lease) -> None:
        """Release the lease, so that another worker can acquire the camera at once."""
        await self._release(keys=keys.camera_keys(lease.camera), args=[lease.owner, lease.epoch])

    async def leave(self) -> None:
        """End this worker's membership, so that its cameras are assigned to others at once."""
        await self._client.zrem(keys.WORKERS, self._member)
