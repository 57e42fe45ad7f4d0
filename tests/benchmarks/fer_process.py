"""Runs inside the environment of the package `fer`, with nothing of ours. Arguments: the clip, and
the width that it is resized to, 0 to leave it.

Reads questions from standard input, a line of tabs each, and answers each with three numbers:
`clip MODE SECONDS` with faces, frames and seconds; `faces MODE FOLDER`, of pictures EMOTION-*.png
with a face in the middle, with those named rightly, those found and all, and it writes to
named.json in the folder, by file, whether each that it found was named rightly.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
from fer.fer import FER  # type: ignore[import-not-found]  # in its own environment alone

MODES = {
    "tflite": {"use_tflite": True},
    "keras": {"use_tflite": False},
    "mtcnn": {"use_tflite": True, "mtcnn": True},
}
EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}


def main() -> None:
    video, width, frames = cv2.VideoCapture(sys.argv[1]), int(sys.argv[2]), []
    while True:
        more, image = video.read()
        if not more:
            break
        if width:
            size = (width, round(image.shape[0] * width / image.shape[1]))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        frames.append(image)
    built: dict[str, Any] = {}
    print("ready", version("fer"), version("tensorflow"), flush=True)
    for line in sys.stdin:
        question, mode, argument = line.rstrip("\n").split("\t")
        if mode not in built:
            built[mode] = FER(**MODES[mode])
            built[mode].detect_emotions(frames[0])
        if question == "clip":
            print(*over_the_clip(built[mode], frames, float(argument)), flush=True)
        else:
            folder = Path(argument)
            named, count = named_rightly(built[mode], folder)
            (folder / "named.json").write_text(json.dumps(named))
            print(sum(named.values()), len(named), count, flush=True)


def over_the_clip(fer: Any, frames: list[Any], seconds: float) -> tuple[int, int, float]:
    faces, number, began = 0, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        faces += len(fer.detect_emotions(frames[number % len(frames)]))
        number += 1
    return faces, number, elapsed


def named_rightly(fer: Any, folder: Path) -> tuple[dict[str, bool], int]:
    named, files = {}, sorted(folder.glob("*.png"))
    for file in files:
        image = cv2.imread(str(file))
        assert image is not None
        height, width = image.shape[:2]
        for face in fer.detect_emotions(image):
            x, y, w, h = face["box"]
            if abs(x + w / 2 - width / 2) < width / 4 and abs(y + h / 2 - height / 2) < height / 4:
                said = max(face["emotions"], key=face["emotions"].get)
                named[file.name] = EMOTIONS[said] == file.name.partition("-")[0]
                break
    return named, len(files)


if __name__ == "__main__":
    main()
