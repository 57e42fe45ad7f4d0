"""A process in the environment of the package `trackers`: scenes in, ids out, one JSON line each.

A question is {"tracker": NAME, "options": {...}, "fps": F, "frames": [[seconds, [[x0, y0, x1, y1],
...]], ...]}; an answer is {"ids": [[id or null, ...], ...], "seconds": S}.
"""

import json
import sys
import time

import numpy as np
import supervision  # type: ignore[import-not-found]  # in its own environment alone
import trackers  # type: ignore[import-not-found]


def main() -> None:
    """Answer each question."""
    for line in sys.stdin:
        question = json.loads(line)
        kind = getattr(trackers, question["tracker"])
        options = question["options"]
        if "iou" in options:
            options["iou"] = getattr(trackers, options["iou"])()
        tracker = kind(frame_rate=question["fps"], **options)
        ids = []
        spent = 0.0
        for seconds, boxes in question["frames"]:
            corners = np.asarray(boxes, float).reshape(-1, 4)
            detections = supervision.Detections(
                xyxy=corners,
                confidence=np.full(len(boxes), 0.9),
                class_id=np.zeros(len(boxes), int),
                data={"number": np.arange(len(boxes))},
            )
            start = time.perf_counter()
            found = tracker.update(detections, timestamp=seconds)
            spent += time.perf_counter() - start
            row: list[int | None] = [None] * len(boxes)
            for number, name in zip(found.data.get("number", ()), found.tracker_id, strict=True):
                row[int(number)] = int(name) if name >= 0 else None
            ids.append(row)
        print(json.dumps({"ids": ids, "seconds": spent}), flush=True)


if __name__ == "__main__":
    main()
