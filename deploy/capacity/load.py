"""The load: stores generated frames as the producers of that many cameras would.

A process of its own, so that it takes no time from what measures. It is controlled by a key of the
private server: `CAMERAS` holds how many cameras store frames. It is set to 0 when the pictures are
prepared.
"""

import argparse
import math
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from deploy.capacity.control import CAMERAS, SKIPPED, camera_name
from deploy.capacity.scenes import SCENES, scene
from emotion_streams import keys
from emotion_streams.connection import connect
from emotion_streams.frames import Frame
from producer.picture import EncodedPicture
from producer.settings import CameraOptions
from producer.source import NoSuchSourceError
from service.parser import exit_with_error

_TICK_S: Final = 0.01
_REGISTER_EVERY_S: Final = 1.0
_MAX_LATE_S: Final = 1.0
"""Frames that are due for longer are not stored; a producer, too, keeps only the newest."""


@dataclass(frozen=True)
class Due:
    """A frame that is due: its camera's number, how many that camera had before, and since when."""

    camera: int
    turn: int
    since_s: float


class Schedule:
    """When each of the cameras has a frame; their turns are spread evenly over 1 / fps."""

    def __init__(self, cameras: int, fps: float, began_s: float) -> None:
        self.cameras = cameras
        self._rate = cameras * fps
        self._began_s = began_s
        self._next = 0
        self.skipped = 0
        """Frames that were due and too late."""

    def due(self, now_s: float) -> Iterator[Due]:
        """Yield the frames that became due since the last call, without those that are too late."""
        if not self.cameras:
            return
        elapsed_s = now_s - self._began_s
        first, self._next = self._next, math.floor(elapsed_s * self._rate) + 1
        oldest = max(first, math.ceil((elapsed_s - _MAX_LATE_S) * self._rate))
        self.skipped += oldest - first
        for number in range(oldest, self._next):
            turn, camera = divmod(number, self.cameras)
            yield Due(camera, turn, self._began_s + number / self._rate)


class Load:
    """Stores the frames that are due, with the time at which they were due as capture time."""

    def __init__(
        self, client: Any, scenes: Sequence[Sequence[EncodedPicture]], fps: float, max_age_ms: int
    ) -> None:
        self._client = client
        self._scenes = scenes
        self._fps = fps
        self._max_age_ms = max_age_ms
        self._max_queued = CameraOptions.model_validate({}).max_queued
        self._session_id = secrets.token_hex(8)
        self._stored: Counter[int] = Counter()
        self._register_at = 0.0

    def run(self) -> NoReturn:
        """Store frames until the process is ended. Raises RedisError."""
        self._client.set(CAMERAS, 0)
        skipped, schedule = 0, Schedule(0, self._fps, time.time())
        with self._client.pipeline(transaction=False) as pipe:
            while True:
                time.sleep(_TICK_S)
                pipe.get(CAMERAS)
                now_s = time.time()
                self._register(pipe, schedule.cameras, now_s)
                for due in schedule.due(now_s):
                    self._store(pipe, due)
                pipe.set(SKIPPED, skipped + schedule.skipped)
                wanted = int(pipe.execute()[0])
                if wanted != schedule.cameras:
                    skipped += schedule.skipped
                    schedule = Schedule(wanted, self._fps, time.time())
                    self._register_at = 0.0

    def _register(self, pipe: Any, cameras: int, now_s: float) -> None:
        """Send the cameras' heartbeats, as producers do."""
        if cameras and now_s >= self._register_at:
            self._register_at = now_s + _REGISTER_EVERY_S
            names = map(camera_name, range(cameras))
            pipe.zadd(keys.CAMERAS, dict.fromkeys(names, now_s * 1000))

    def _store(self, pipe: Any, due: Due) -> None:
        pictures = self._scenes[due.camera % len(self._scenes)]
        # Cameras that share a scene show it at different moments.
        picture = pictures[(due.turn + 7 * due.camera) % len(pictures)]
        # The server is on this machine, so its clock is this one.
        captured_ms = int(due.since_s * 1000)
        seq = self._stored[due.camera]
        frame = Frame(
            captured_ms=captured_ms,
            width=picture.width,
            height=picture.height,
            jpeg=picture.jpeg,
            session_id=self._session_id,
            seq=seq,
            max_age_ms=self._max_age_ms,
        )
        pipe.xadd(
            keys.frames(camera_name(due.camera)),
            {"frame": frame.pack()},
            id=f"{captured_ms}-{seq}",
            maxlen=self._max_queued,
            approximate=False,
        )
        self._stored[due.camera] += 1


def main() -> NoReturn:
    """Prepare the pictures and store frames at the server EMOTION_REDIS until ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--faces", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--fps", type=float, required=True)
    parser.add_argument("--p99-ms", type=float, required=True)
    options = parser.parse_args()
    try:
        scenes = [
            scene(number, options.width, options.faces, options.fps) for number in range(SCENES)
        ]
    except NoSuchSourceError as error:
        exit_with_error("load", str(error))
    # Who allows events to come later lets frames live longer as well.
    max_age_ms = max(CameraOptions.model_validate({}).max_age_ms, round(options.p99_ms))
    Load(connect(os.environ["EMOTION_REDIS"]), scenes, options.fps, max_age_ms).run()


if __name__ == "__main__":
    sys.exit(main())
