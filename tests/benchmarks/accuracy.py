"""A data set's faces, through each contender's own detection."""

from pathlib import Path
from typing import Any, Final

import cv2

from emotion_streams.emotions import EMOTIONS
from tests.benchmarks.material import detector_file
from training.crops import place
from training.datasets import NO_WINNER, UnreadablePicture, open_data
from training.evaluate import predict, report
from worker.detect.choose import choose_detector
from worker.engines.choose import build_engine
from worker.model import release

_SPLIT: Final = "valid"


def faces_in_canvases(data: Path, folder: Path) -> None:
    """Write each face that has a winner in the middle of a picture, EMOTION-NUMBER.png: what our
    detectors are given too."""
    for number, entry in enumerate(open_data(data).entries(_SPLIT)):
        if entry.winner == NO_WINNER:
            continue
        try:
            image = place(entry.read(), entry.box).image
        except UnreadablePicture:
            continue
        cv2.imwrite(str(folder / f"{EMOTIONS[entry.winner]}-{number}.png"), image)


def our_accuracy(model: str, data: Path, detector: str) -> dict[str, Any]:
    """Of the faces that the detector finds, how many are named as their annotators did."""
    loaded = release.load(model)
    found = predict(
        build_engine("mnn", loaded, 1),
        loaded.card,
        open_data(data).entries(_SPLIT),
        choose_detector(detector, detector_file(detector))(),
    )
    scores = report(found, loaded.card.temperature)
    return {
        "accuracy": scores["accuracy"],
        "count": scores["count"],
        "not_found": found.left_out.get("not detected", 0),
    }
