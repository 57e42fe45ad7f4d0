"""Cameras fed from threads of the test, through the producer's own publisher."""

import random
import threading
import time
from functools import cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import skimage
from redis.exceptions import RedisClusterException, RedisError

from emotion_streams import keys
from emotion_streams.connection import connect
from emotion_streams.frames import Frame
from producer.messages import Counts
from producer.picture import EncodedPicture
from producer.publish import Publisher
from tests.faults.processes import MAX_AGE_MS
from tests.servers import PATIENCE_S

MAX_QUEUED: Final = 20


@cache
def picture(*, face: bool) -> EncodedPicture:
    """A small picture, with a face or without."""
    if face:
        path = Path(skimage.__file__).parent / "data" / "astronaut.png"
        image = np.asarray(cv2.imread(str(path)))[0:200, 120:320].copy()
    else:
        image = np.full((96, 128, 3), 90, np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    return EncodedPicture(jpeg, image.shape[1], image.shape[0])


class Feed:
    """A camera that stores `fps` frames a second, one in `face_every` with a face.

    `clock_off_ms` is how far its clock is ahead; `stored` counts what Redis said it stored.
    """

    def __init__(
        self,
        url: str,
        camera: str,
        *,
        fps: float = 5.0,
        policy: Literal["newest", "every"] = "newest",
        max_age_ms: int = MAX_AGE_MS,
        face_every: int = 5,
        clock_off_ms: int = 0,
    ) -> None:
        self.camera = camera
        self.policy = policy
        self._url = url
        self._fps = fps
        self._face_every = face_every
        self.clock_off_ms = clock_off_ms
        self._counts = Counts()
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._idle = threading.Event()
        self._client = None
        age = max_age_ms if policy == "newest" else None
        self._publisher = Publisher(url, camera, MAX_QUEUED, age, self._counts, self._stop)
        self._threads = [threading.Thread(target=run) for run in (self._run, self._register)]
        for thread in self._threads:
            thread.start()

    @property
    def stored(self) -> int:
        return self._counts.published

    def pause(self) -> None:
        """Returns when nothing is on its way any more."""
        self._paused.set()
        assert self._idle.wait(PATIENCE_S), f"{self.camera} does not come to rest"

    def resume(self) -> None:
        self._paused.clear()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._publisher.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(1 / self._fps):
            if self._paused.is_set():
                self._idle.set()
                continue
            self._idle.clear()
            if self.policy == "every" and not self._publisher.wait_for_room():
                return
            captured_ms = int(time.time() * 1000) + self.clock_off_ms
            self._publisher.store(picture(face=number % self._face_every == 0), captured_ms)
            number += 1

    def _register(self) -> None:
        """Speak up each second, as a producer does."""
        client = None
        while not self._stop.wait(0 if client is None else 1.0):
            try:
                client = client or connect(self._url)
                client.zadd(keys.CAMERAS, {self.camera: int(client.time()[0]) * 1000})
            except (RedisError, RedisClusterException, OSError):
                self._stop.wait(0.2)
        if client:
            client.close()


def malformed(rng: random.Random) -> bytes:
    """A message of a kind that breaks careless readers."""
    jpeg = picture(face=False).jpeg
    whole = Frame(
        captured_ms=int(time.time() * 1000), width=9, height=9, jpeg=jpeg, session_id="b", seq=0
    )
    kinds = (
        lambda: rng.randbytes(rng.randrange(200)),
        lambda: whole.pack()[: rng.randrange(1, 40)],
        lambda: b"\x91" * 2000,
        lambda: Frame(**{**vars(whole), "jpeg": b"no picture"}).pack(),
        lambda: Frame(**{**vars(whole), "jpeg": jpeg[: len(jpeg) // 2]}).pack(),
        lambda: Frame(**{**vars(whole), "jpeg": _claims_32000(jpeg)}).pack(),
        lambda: whole.pack().replace(b"captured_ms", b"captured_xx"),
        lambda: b"",
    )
    return rng.choice(kinds)()


def _claims_32000(jpeg: bytes) -> bytes:
    """A few bytes that would decode to gigabytes."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + (32_000).to_bytes(2) * 2 + jpeg[at + 4 :]
