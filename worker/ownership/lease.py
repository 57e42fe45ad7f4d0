"""Which cameras this worker owns: rendezvous says who should, the lease says who may."""

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from emotion_streams import keys
from emotion_streams.connection import Client
from worker.delivery.stream import Lease
from worker.redis_scripts import load_script

LEASE_MS: Final = 5_000
"""How long a camera stays with a worker that is not heard of any more, if nothing else is set."""

MAX_LEASE_MS: Final = 60_000
"""No lease is longer. What Redis says is to last longer was dated before its clock was set back."""

_TICKS_PER_LEASE: Final = 5
_MAX_TICK_S: Final = 1.0
"""New cameras are picked up within two seconds, however long a lease is."""

EVEN_UP_TO: Final = 4
"""Cameras of a worker that are spread as evenly as they can be: here one more is a lot."""

_SPARE: Final = 0.25
"""Room beyond that. When one of 50 workers with 20 cameras each is lost, 60 cameras move without,
37 with an eighth, 27 with a quarter, 20 with a half; the fullest have 20, 22, 24 and 28."""

_FRESH_TICKS: Final = 2.5
"""A worker that was not heard for longer may have fallen: no camera is handed over to it."""


@dataclass(frozen=True)
class Peer:
    """A live worker: its share of the cameras, and whether it was heard of just now."""

    weight: float
    fresh: bool


def assign(cameras: Collection[str], weights: Mapping[str, float]) -> dict[str, str]:
    """Which worker should own each camera. Every worker computes the same from the same names.

    Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): each pair of camera and worker
    scores -weight / ln(hash), and the greatest wins. Loads are bounded (Mirrokni, Thorup and
    Zadimoghaddam, 2016): a worker takes at most its share of the cameras, rounded up, and a quarter
    of what the share has beyond EVEN_UP_TO. So a few cameras spread evenly, and where there are
    many, a worker that comes or goes moves little more than its share: without room to spare, each
    camera that finds a full worker pushes on another.
    """
    # Asked every second with the same names, and a tenth of a second's work for a thousand cameras.
    return dict(_assign(frozenset(cameras), frozenset(weights.items())))


@lru_cache(maxsize=4)
def _assign(cameras: frozenset[str], weighted: frozenset[tuple[str, float]]) -> Mapping[str, str]:
    weights = dict(weighted)
    # Exactly rounded: a plain sum follows the order of a set, which each process has its own.
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
    """A pair's hash, evenly spread over the open interval from 0 to 1."""
    digest = hashlib.blake2b(f"{camera}\0{worker}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / (2**64 + 2)


def _weight(text: str) -> float | None:
    """A worker's weight; None where it is none, for anybody may write there, and it must stop
    nobody."""
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0 < weight < math.inf else None


class Leases:
    """The leases' scripts, and this worker's place among the workers."""

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
        """Say that this worker lives; returns all that do, itself included."""
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
        """The camera's lease, or None where another worker holds it."""
        epoch: int = await self._acquire(
            keys=keys.camera_keys(camera), args=[self.owner, self._lease_ms, MAX_LEASE_MS]
        )
        return Lease(camera, self.owner, epoch) if epoch else None

    async def is_free(self, camera: str, now_ms: float) -> bool:
        """Whether nobody owns the camera at `now_ms`, by the clock of Redis; acquire() has the last
        word."""
        owner, expires_ms = await self._client.hmget(keys.lease(camera), "owner", "expires_ms")
        expires = int(expires_ms) if (expires_ms or b"").isdigit() and len(expires_ms) < 20 else 0
        return not owner or not now_ms < expires <= now_ms + MAX_LEASE_MS

    async def renew(self, lease: Lease) -> bool:
        """Prolong the lease; False where it has moved on."""
        return bool(
            await self._renew(
                keys=keys.camera_keys(lease.camera), args=[lease.owner, lease.epoch, self._lease_ms]
            )
        )

    async def release(self, lease: Lease) -> None:
        """Give the lease up, so that another worker may have the camera at once."""
        await self._release(keys=keys.camera_keys(lease.camera), args=[lease.owner, lease.epoch])

    async def leave(self) -> None:
        """Take this worker out of the workers, so that its cameras go to others at once."""
        await self._client.zrem(keys.WORKERS, self._member)
