"""Cameras for the tests of the gateway: what a producer and a worker would leave in Redis."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

import cv2
import numpy as np
import redis
from skimage import data

from emotion_streams import EMOTIONS, Box, Emotion, EmotionEvent, Face, Frame, Latency, Model, keys

FACE = Box(238.0, 64.0, 100.0, 124.0)
"""Of the portrait below, in its 640 x 480 pixels."""

Client = Any


@cache
def portrait() -> bytes:
    """A public-domain portrait (NASA's, from scikit-image) as a 640 x 480 JPEG."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    photo = data.astronaut()  # type: ignore[no-untyped-call]
    astronaut = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)[:480, :]
    picture[:, 64:576] = astronaut
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def face(emotion: Emotion = "happiness", confidence: float = 0.86, box: Box = FACE) -> Face:
    rest = (1 - confidence) / (len(EMOTIONS) - 1)
    probabilities = {name: confidence if name == emotion else rest for name in EMOTIONS}
    return Face(box, 0.98, emotion, confidence, probabilities)


def event(camera: str, ms: int, *faces: Face, number: int = 0) -> EmotionEvent:
    return EmotionEvent(
        camera=camera,
        frame_id=f"{ms}-{number}",
        captured_ms=ms,
        width=640,
        height=480,
        faces=faces,
        latency=Latency(12.0, 8.5, 1.6, 18.4, 24.0, 64.5),
        model=Model("simpnet-v2", "1", "yunet"),
    )


def frame(ms: int, jpeg: bytes, seq: int = 0) -> Frame:
    return Frame(ms, 640, 480, jpeg, "session_id", seq)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


CALM: Final[dict[str, Any]] = {"fps": 0.05, "lasting": True}
"""For a camera whose state does not change for most of a minute: no picture or heartbeat is due."""


def register(
    client: Client,
    camera: str,
    state: str = "up",
    error: str = "",
    title: str = "",
    group: str = "",
    fps: float = 10,
    lasting: bool = False,
) -> None:
    """What a producer says each second.

    `lasting`: the heartbeat is good for most of a minute, however slow the test is.
    """
    heartbeat_ms = now_ms() + 50_000 * lasting
    client.hset(
        keys.camera_info(camera),
        mapping={
            "state": state, "fps": str(fps), "width": "640", "height": "480", "error": error,
            "last_frame_ms": str(now_ms()), "title": title, "group": group,
        },
    )  # fmt: skip
    client.hset(keys.lease(camera), mapping={"owner": "w1", "expires_ms": str(now_ms() + 60_000)})
    client.zadd(keys.CAMERAS, {camera: heartbeat_ms})


def publish(client: Client, published: EmotionEvent) -> None:
    """What a worker commits."""
    client.xadd(keys.emotions(published.camera), {"event": published.pack()}, id=published.frame_id)


def store(client: Client, camera: str, ms: int, jpeg: bytes) -> None:
    """What a producer stores."""
    client.xadd(keys.frames(camera), {"frame": frame(ms, jpeg).pack()}, id=f"{ms}-0", maxlen=30)


@contextmanager
def again(action: Callable[[], object]) -> Iterator[list[float]]:
    """Producers that live: the action four times a second. In a thread: a slow browser must not
    hold it up. Yields when it was done (monotonic seconds)."""
    ended = threading.Event()
    done: list[float] = []

    def once() -> None:
        action()
        done.append(time.monotonic())

    def run() -> None:
        while not ended.wait(0.25):
            once()

    once()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


@dataclass
class Scene:
    """What a camera sees, and what a worker finds in it."""

    jpeg: bytes
    faces: tuple[Face, ...]


class Feeder:
    """A camera that runs, in a thread: a frame, a little later its event, and before the next one
    the frame is gone.

    It reports a low rate, so that on a busy machine it is not taken for a camera that falls behind.
    """

    def __init__(
        self,
        url: str,
        camera: str,
        fps: float = 10,
        emotions: tuple[Emotion, ...] = ("happiness", "neutral", "surprise"),
        scene: Callable[[], Scene] | None = None,
    ) -> None:
        self._client: Client = redis.Redis.from_url(url)
        self.camera = camera
        self._fps = fps
        self._emotions = emotions
        self._scene = scene
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ids: list[str] = []

    def _run(self) -> None:
        self._register()
        number = 0
        while not self._stop.is_set():
            ms = now_ms()
            scene = self._scene() if self._scene else Scene(portrait(), (self._face(number),))
            store(self._client, self.camera, ms, scene.jpeg)
            self._stop.wait(0.03)
            publish(self._client, event(self.camera, ms, *scene.faces))
            self.ids.append(f"{ms}-0")
            self._register()
            number += 1
            self._stop.wait(max(0.0, 1 / self._fps - 0.03))
            self._client.xdel(keys.frames(self.camera), f"{ms}-0")

    def _register(self) -> None:
        register(self._client, self.camera, fps=min(self._fps, 2))

    def _face(self, number: int) -> Face:
        chosen = random.Random(number // 20)
        return face(chosen.choice(self._emotions), 0.55 + 0.4 * chosen.random())

    def stop(self) -> None:
        """As a producer that is killed: it says nothing any more."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._client.close()
