"""Milliseconds per frame of each detector, by the size of the picture; one thread. `yunet` is what
the worker runs here, `yunet in OpenCV` what it runs where OpenVINO is not."""

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
from worker.inference.detect.haar import Haar
from worker.inference.detect.yunet import YuNet
from worker.inference.detect.yunet_openvino import YuNetOpenVino

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
    # One per size, as where all cameras are alike.
    detectors = {size: _detectors(size) for size in _SIZES}
    spent: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for number in range(-1, arguments.rounds):  # the first warms up, and does not count
        picture = pictures[number * 7 % len(pictures)]
        for size in _SIZES:
            image = np.asarray(cv2.resize(picture, size), np.uint8)
            for name, detector in detectors[size].items():
                key = name, "x".join(map(str, size))
                spent.setdefault(key, []).append(_time(detector, image))
    table: dict[str, Any] = {name: {} for name in ("ms_per_frame", "cpu_ms_per_frame", "faces")}
    for (name, text), samples in spent.items():
        wall, cpu, faces = zip(*samples[1:], strict=True)
        table["ms_per_frame"].setdefault(name, {})[text] = round(1000 * median(wall), 1)
        table["cpu_ms_per_frame"].setdefault(name, {})[text] = round(1000 * median(cpu), 1)
        table["faces"].setdefault(name, {})[text] = round(sum(faces) / len(faces), 2)
    return {**table, "rounds": arguments.rounds}


def _detectors(size: tuple[int, int]) -> dict[str, Detector]:
    file = detector_file("yunet")
    assert file is not None
    yunet = choose_detector("yunet", file, threads=1)()
    if isinstance(yunet, YuNetOpenVino):
        yunet.detect(np.zeros((*size[::-1], 3), np.uint8))
        yunet.networks.wait()  # until the size has a network of its own
    return {"yunet": yunet, "yunet in OpenCV": YuNet(file.read_bytes()), "haar": Haar()}


def _time(detector: Detector, image: Any) -> tuple[float, float, int]:
    # The whole process: OpenVINO computes in threads of its own.
    wall, cpu = time.perf_counter(), time.process_time()
    faces = len(detector.detect(image))
    return time.perf_counter() - wall, time.process_time() - cpu, faces
