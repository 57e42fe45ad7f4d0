"""A producer of your own: the JPEG files of a folder as frames of a camera, five a second.

`python examples/folder_producer.py CAMERA FOLDER [REDIS_URL]`. Workers find the camera themselves.
"""

import secrets
import sys
import time
from pathlib import Path

import redis

from emotion_streams import Frame, keys
from emotion_streams.jpeg import read_header


def main(camera: str, folder: str, url: str = "redis://localhost:6379") -> None:
    session_id = secrets.token_hex(8)  # of this start: `seq` counts from 0 again
    with redis.Redis.from_url(url) as client:
        for seq, path in enumerate(sorted(Path(folder).glob("*.jpg"))):
            jpeg = path.read_bytes()
            header = read_header(jpeg)  # refuses what a worker would refuse
            seconds, microseconds = client.time()
            now_ms = seconds * 1000 + microseconds // 1000
            frame = Frame(now_ms, header.width, header.height, jpeg, session_id, seq)
            # The newest 20 frames wait at most: without a worker, memory stays bounded.
            client.xadd(keys.frames(camera), {"frame": frame.pack()}, maxlen=20, approximate=False)
            report = {"state": "up", "fps": 5, "width": header.width, "height": header.height}
            client.hset(keys.camera_info(camera), mapping={**report, "last_frame_ms": now_ms})
            # The heartbeat: without one for 2.5 seconds the camera counts as gone.
            client.zadd(keys.CAMERAS, {keys.check_camera(camera): now_ms})
            time.sleep(0.2)
        client.hset(keys.camera_info(camera), "state", "ended")


if __name__ == "__main__":
    main(*sys.argv[1:])
