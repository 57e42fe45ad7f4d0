"""Which cameras this worker owns: rendezvous says who should, the lease says who may."""

import hashlib
import math
from collections.abc import Mapping
from typing import Final

from emotion_streams import keys
from emotion_streams.connection import Client
from worker.stream import Lease, load_script

LEASE_MS: Final = 5_000
"""How long a camera stays with a worker that is not heard of any more."""

TICK_S: Final = 1.0
"""How often a worker says that it lives and looks for cameras: five chances within a lease."""


def rendezvous(camera: str, workers: Mapping[str, float]) -> str | None:
    """The worker that should own the camera, of those with a weight; None where there is none.

    Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): each pair gets
    -weight / ln(hash), and the greatest wins; a worker that comes or goes moves only its share.
    """

    def score(worker: str) -> float:
        digest = hashlib.blake2b(f"{camera}\0{worker}".encode(), digest_size=8).digest()
        share = (int.from_bytes(digest) + 1) / (2**64 + 2)
        return -workers[worker] / math.log(share)

    return max(workers, key=score, default=None)


class Leases:
    """The leases' scripts, and this worker's place among the workers."""

    def __init__(self, client: Client, owner: str, weight: float = 1.0) -> None:
        self.owner = owner
        self._client = client
        self._member = f"{weight:g}@{owner}"
        self._heartbeat = load_script(client, "heartbeat")
        self._acquire = load_script(client, "acquire")
        self._renew = load_script(client, "renew")
        self._release = load_script(client, "release")

    async def heartbeat(self) -> dict[str, float]:
        """Say that this worker lives; returns the weights of all that do, itself included."""
        members: list[bytes] = await self._heartbeat(
            keys=[keys.WORKERS], args=[self._member, LEASE_MS]
        )
        pairs = (member.decode().split("@", 1) for member in members)
        return {worker: float(weight) for weight, worker in pairs}

    async def acquire(self, camera: str) -> Lease | None:
        """The camera's lease, or None where another worker holds it."""
        epoch: int = await self._acquire(keys=[keys.lease(camera)], args=[self.owner, LEASE_MS])
        return Lease(camera, self.owner, epoch) if epoch else None

    async def renew(self, lease: Lease) -> bool:
        """Prolong the lease; False where it has moved on."""
        return bool(
            await self._renew(
                keys=[keys.lease(lease.camera)], args=[lease.owner, lease.epoch, LEASE_MS]
            )
        )

    async def release(self, lease: Lease) -> None:
        """Give the lease up, so that another worker may have the camera at once."""
        await self._release(keys=[keys.lease(lease.camera)], args=[lease.owner, lease.epoch])

    async def leave(self) -> None:
        """Take this worker out of the workers, so that its cameras go to others at once."""
        await self._client.zrem(keys.WORKERS, self._member)
