"""Read every event of every camera once, also across restarts of this program.

`python examples/resume.py POSITIONS.json [REDIS_URL]`: the file holds the id of the last event of
each camera that was dealt with. Redis keeps the newest 10,000 events of a camera (`--keep-events`
of the worker): a pause may last as long.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from emotion_streams import START, Client


def main(positions: Path, url: str = "redis://localhost:6379") -> None:
    last = json.loads(positions.read_text()) if positions.exists() else {}
    with Client(url) as client:
        # A camera that the file does not name begins with its oldest event.
        for event in client.subscribe(after=last or START):
            print(event.camera, event.frame_id, len(event.faces), flush=True)
            # After the work, never before it: a crash repeats one event and loses none.
            last[event.camera] = event.frame_id
            save(positions, last)


def save(positions: Path, last: dict[str, str]) -> None:
    """Replace the file in one step: a crash leaves the old or the new one, never half of it."""
    new = positions.with_suffix(".new")
    new.write_text(json.dumps(last))
    new.replace(positions)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), *sys.argv[2:])
