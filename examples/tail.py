"""Print the faces of one camera as they come: `python examples/tail.py CAMERA [REDIS_URL]`."""

import sys
from contextlib import suppress

from emotion_streams import Client


def main(camera: str, url: str = "redis://localhost:6379") -> None:
    with Client(url) as client:
        if camera not in [status.camera for status in client.cameras()]:
            print(f"no camera {camera} yet; waiting for it", file=sys.stderr)
        for event in client.subscribe(camera):
            for face in event.faces:
                # A face that was seen once has no track and no steady label yet.
                emotion = face.label or face.emotion
                print(event.camera, event.frame_id, face.track or "-", emotion)
            sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
