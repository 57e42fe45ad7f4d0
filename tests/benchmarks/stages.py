"""The stages of a frame measured alone: one thread, nothing else of ours running."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tests.benchmarks.material import Picture, detector_file
from worker.crop import cut, prepare
from worker.decode import decode
from worker.detect.choose import choose_detector
from worker.engines import Engine
from worker.engines.choose import build_engine
from worker.model.release import Release


@dataclass(frozen=True)
class Cost:
    """Seconds of a stage for one frame: on the clock, and of the CPU."""

    wall_s: float
    cpu_s: float


class Stages:
    """Decode, detect (crops included) and classify, as the worker does them."""

    def __init__(self, detector: str, engine: str, release: Release) -> None:
        self._detector = choose_detector(detector, detector_file(detector))()
        self._card = release.card
        self._geometry = release.card.crop_for(self._detector.name)
        self.engine: Engine = build_engine(engine, release, threads=1)
        self.engine.warm()

    def once(self, picture: Picture) -> tuple[dict[str, Cost], int]:
        """Each stage's cost for one frame by itself, and how many faces it has."""
        marks = [_now()]
        image = decode(picture.jpeg)
        marks.append(_now())
        boxes = [detection.box for detection in self._detector.detect(image)]
        crops = [prepare(cut(image, box, self._geometry), self._card) for box in boxes]
        marks.append(_now())
        for start in range(0, len(crops), self.engine.max_batch):
            self.engine.classify(np.stack(crops[start : start + self.engine.max_batch]))
        marks.append(_now())
        names = ("decode", "detect", "classify")
        pairs = zip(names, marks[:-1], marks[1:], strict=True)
        return {n: Cost(b[0] - a[0], b[1] - a[1]) for n, a, b in pairs}, len(boxes)

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


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
