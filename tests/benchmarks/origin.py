"""The origin's way on the same clip: Haar on the full frame, Keras predict face by face."""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import keras
import numpy as np

from tests.benchmarks import machine, options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import pictures, released
from tests.benchmarks.system import System
from worker.inference.decode import decode
from worker.model import simpnet
from worker.model.keras_weights import import_weights
from worker.model.release import Release

SHORT: Final = {"rounds": 2, "seconds": 6.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--cameras", type=options.count, default=8)
    parser.add_argument("--rounds", type=options.count, default=4)
    parser.add_argument(
        "--seconds", type=options.at_least(1.0), default=15.0, help="of each, per round"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate: the origin's loop, then ours, each with the whole machine."""
    frames = pictures(arguments.clip, arguments.width)
    clip = [decode(frame.jpeg) for frame in frames]
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    ours, theirs = [], []
    with released(arguments.model, arguments.input_size) as (name, release):
        origin = Origin(release)
        origin.faces(clip[0])
        # What the origin does not spare itself: OpenCV with all the threads that it likes.
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            for _ in range(arguments.rounds):
                cv2.setNumThreads(machine.cores())
                theirs.append(_rate(origin, clip, arguments.seconds))
                cv2.setNumThreads(1)
                with Feed(system, frames):
                    system.await_owners()
                    system.await_frames(arguments.cameras)
                    ours.append(system.watch(arguments.seconds).faces_per_s)
                system.settle()
            other = others.cores()
    return {
        "over_origin": round(median(a / b for a, b in zip(ours, theirs, strict=True)), 1),
        "faces_per_s": round(median(ours), 1),
        "origin_faces_per_s": round(median(theirs), 1),
        "input_size": release.card.input_size,
        "rounds": arguments.rounds,
        "clip": Path(arguments.clip).name,
        "other_load_cores": other,
    }


class Origin:
    """One frame after the other, one face after the other."""

    def __init__(self, release: Release) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self._cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))
        self._side = release.card.input_size
        self._model: keras.Model = simpnet.build(len(release.card.labels), self._side)
        import_weights(self._model, release.weights)

    def faces(self, image: Any) -> int:
        """Find and classify a frame's faces; returns how many."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        boxes = self._cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5)
        for x, y, width, height in boxes:
            face = cv2.resize(image[y : y + height, x : x + width], (self._side, self._side))
            self._model.predict(face[np.newaxis] / np.float32(255), verbose=0)
        return len(boxes)


def _rate(origin: Origin, clip: list[Any], seconds: float) -> float:
    faces, began, number = 0, time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        faces += origin.faces(clip[number % len(clip)])
        number += 1
    return faces / elapsed
