"""Runs inside the environment of the package `fer`, with nothing of ours: reads a mode and seconds
from standard input, line by line, and answers with faces and seconds. Arguments: the clip."""

import sys
import time

import cv2
from fer.fer import FER  # type: ignore[import-not-found]  # in its own environment alone

MODES = {
    "tflite": {"use_tflite": True},
    "keras": {"use_tflite": False},
    "mtcnn": {"use_tflite": True, "mtcnn": True},
}


def main() -> None:
    video, frames = cv2.VideoCapture(sys.argv[1]), []
    while True:
        more, image = video.read()
        if not more:
            break
        frames.append(image)
    built: dict[str, FER] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        mode, seconds = line.split()
        if mode not in built:
            built[mode] = FER(**MODES[mode])
            built[mode].detect_emotions(frames[0])
        faces, number, began = 0, 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < float(seconds):
            faces += len(built[mode].detect_emotions(frames[number % len(frames)]))
            number += 1
        print(faces, number, elapsed, flush=True)


if __name__ == "__main__":
    main()
