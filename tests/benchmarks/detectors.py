"""Milliseconds per frame of each detector, by the size of the picture; one thread."""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np

from tests.benchmarks import options
from tests.benchmarks.material import CLIP, detector_file, images
from worker.inference.detect import Detector
from worker.inference.detect.choose import choose_detector

_SIZES: Final = ((320, 240), (640, 480), (1280, 720))


SHORT: Final = {"rounds": 5}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument(
        "--rounds", type=options.count, default=20, help="pictures per detector and size"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Detectors and sizes in turn, a picture each, for some rounds."""
    pictures = images(arguments.clip)
    detectors = {  # one per size, as where all cameras are alike
        size: [choose_detector(name, detector_file(name))() for name in ("yunet", "haar")]
        for size in _SIZES
    }
    spent: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for number in range(-1, arguments.rounds):  # the first warms up, and does not count
        picture = pictures[number * 7 % len(pictures)]
        for size in _SIZES:
            image = np.asarray(cv2.resize(picture, size), np.uint8)
            for detector in detectors[size]:
                key = detector.name, "x".join(map(str, size))
                spent.setdefault(key, []).append(_time(detector, image))
    table: dict[str, Any] = {name: {} for name in ("ms_per_frame", "cpu_ms_per_frame", "faces")}
    for (name, text), samples in spent.items():
        wall, cpu, faces = zip(*samples[1:], strict=True)
        table["ms_per_frame"].setdefault(name, {})[text] = round(1000 * median(wall), 1)
        table["cpu_ms_per_frame"].setdefault(name, {})[text] = round(1000 * median(cpu), 1)
        table["faces"].setdefault(name, {})[text] = round(sum(faces) / len(faces), 2)
    return {**table, "rounds": arguments.rounds}


def _time(detector: Detector, image: Any) -> tuple[float, float, int]:
    wall, cpu = time.perf_counter(), time.thread_time()
    faces = len(detector.detect(image))
    return time.perf_counter() - wall, time.thread_time() - cpu, faces
