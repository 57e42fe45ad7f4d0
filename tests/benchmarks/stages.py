"""The stages of a frame measured alone: nothing else of ours running."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.material import Picture, detector_file
from worker.inference.crop import crop_face, preprocess
from worker.inference.decode import decode
from worker.inference.detect.choose import choose_detector
from worker.inference.engines import Engine
from worker.inference.engines.choose import build_engine
from worker.model.release import Release


@dataclass(frozen=True)
class Cost:
    """Seconds of a stage for one frame: on the clock, and of the CPU."""

    wall_s: float
    cpu_s: float


class Stages:
    """Decode, detect (crops included) and classify, as the worker does them for a lone frame: its
    faces shared out over the instances that the engine has with so many threads."""

    def __init__(self, detector: str, engine: str, release: Release, threads: int) -> None:
        self._detector = choose_detector(detector, detector_file(detector))()
        self._card = release.card
        self._geometry = release.card.crop_for(self._detector.name)
        self._engine: Engine = build_engine(engine, release, threads)
        self._engine.warm()
        self._instances = ThreadPoolExecutor(self._engine.instances)

    def once(self, picture: Picture) -> tuple[dict[str, Cost], int]:
        """Each stage's cost for one frame by itself, and how many faces it has."""
        marks = [_now()]
        image = decode(picture.jpeg)
        marks.append(_now())
        boxes = [detection.box for detection in self._detector.detect(image)]
        crops = [preprocess(crop_face(image, box, self._geometry), self._card) for box in boxes]
        marks.append(_now())
        if crops:
            parts = shared_out(np.stack(crops), self._engine)
            list(self._instances.map(self._engine.classify, parts))
        marks.append(_now())
        names = ("decode", "detect", "classify")
        pairs = zip(names, marks[:-1], marks[1:], strict=True)
        return {n: Cost(b[0] - a[0], b[1] - a[1]) for n, a, b in pairs}, len(boxes)

    def once_ms(self, picture: Picture) -> float:
        """What all stages of a frame take on the clock, in milliseconds."""
        return 1000 * sum(cost.wall_s for cost in self.once(picture)[0].values())

    def measure(self, pictures: Sequence[Picture]) -> dict[str, Cost]:
        """The mean cost of each stage over the pictures: some have more faces than others."""
        samples = [self.once(picture)[0] for picture in pictures]
        return {
            name: Cost(
                fmean(sample[name].wall_s for sample in samples),
                fmean(sample[name].cpu_s for sample in samples),
            )
            for name in samples[0]
        }


def shared_out(crops: NDArray[np.uint8], engine: Engine) -> list[NDArray[np.uint8]]:
    """One frame's crops as the batcher gives them to an engine that has nothing else to do."""
    full = -(-len(crops) // engine.max_batch)
    return np.array_split(crops, max(full, min(engine.instances, len(crops))))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
