"""A data set's faces, through each contender's own detection."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2

from emotion_streams.emotions import EMOTIONS
from tests.benchmarks.material import detector_file
from training.crops import place
from training.datasets import AMBIGUOUS, UnreadablePictureError, open_data
from training.evaluate import predict
from worker.inference.detect.choose import choose_detector
from worker.inference.engines.choose import build_engine
from worker.model import release

_SPLIT: Final = "valid"


@dataclass(frozen=True)
class Judged:
    """What a contender made of a data set's faces: by the name of each that it found, whether it
    named its emotion as the annotators did; and how many it did not find."""

    found: Mapping[str, bool]
    not_found: int


def faces_in_canvases(data: Path, folder: Path) -> dict[str, str]:
    """Write each face that has a label in the middle of a picture, EMOTION-NUMBER.png: what our
    detectors are given too. Returns the face's name by that of its file."""
    names = {}
    for number, entry in enumerate(open_data(data).entries(_SPLIT)):
        if entry.label == AMBIGUOUS:
            continue
        try:
            image = place(entry.read(), entry.box).image
        except UnreadablePictureError:
            continue
        file = f"{EMOTIONS[entry.label]}-{number}.png"
        cv2.imwrite(str(folder / file), image)
        names[file] = entry.name
    return names


def judge_ours(model: str, data: Path, detector: str) -> Judged:
    """One of our releases, behind one of our detectors."""
    loaded = release.load(model)
    predictions = predict(
        build_engine("mnn", loaded, 1),
        loaded.card,
        open_data(data).entries(_SPLIT),
        choose_detector(detector, detector_file(detector))(),
    )
    right = (predictions.predicted == predictions.truth).tolist()
    found = dict(zip(predictions.names, right, strict=True))
    return Judged(found, predictions.left_out.get("not detected", 0))


def compare(judged: Mapping[str, Judged]) -> dict[str, dict[str, Any]]:
    """Of each: `accuracy` over the `count` faces that it finds, and `accuracy_of_common` over the
    `common` ones that all of them find, which asks the same of each."""
    common = frozenset.intersection(*(frozenset(each.found) for each in judged.values()))
    return {
        name: {
            "accuracy": _share(each.found.values()),
            "count": len(each.found),
            "not_found": each.not_found,
            "accuracy_of_common": _share([each.found[face] for face in common]),
            "common": len(common),
        }
        for name, each in judged.items()
    }


def _share(right: Collection[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None
