"""The accuracy of a model on corrupted pictures: bad cameras, bad light, glasses."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from training import metrics
from training.changes import (
    bar_over_eyes,
    colour_cast,
    jpeg,
    low_light,
    low_resolution,
    motion_blur,
    partial,
    relight,
    rotate,
    turn_head,
)
from training.crops import Crop
from training.datasets import AMBIGUOUS, Entry, UnreadablePictureError
from training.datasets.entry import at_source_size
from training.evaluate import classify
from worker.inference.crop import Image, preprocess
from worker.inference.engines import Engine
from worker.model.card import ModelCard

COLOUR_CAST: Final = "warm light"

CORRUPTIONS: Final[dict[str, Callable[[Image], Image]]] = {
    "as it is": lambda picture: picture,
    "half resolution": lambda picture: low_resolution(picture, 0.5),
    "JPEG quality 30": lambda picture: jpeg(picture, 30),
    "30 % darker": lambda picture: relight(picture, 0.7),
    "30 % brighter": lambda picture: relight(picture, 1.3),
    "tilted by 15 degrees": lambda picture: rotate(picture, 15),
    "bar over the eyes": lambda picture: bar_over_eyes(picture, 0.38, 0),
    "low light with noise": lambda picture: low_light(picture, 0.3, np.random.default_rng(0)),
    "motion blur": lambda picture: motion_blur(picture, 0.1, 20),
    "a fifth cut off at the left": lambda picture: partial(picture, 0.2, 0),
    "a fifth cut off at the bottom": lambda picture: partial(picture, 0.2, 3),
    "head turned by 20 degrees": lambda picture: turn_head(picture, 20, 0),
    COLOUR_CAST: lambda picture: colour_cast(picture, 0.3, 0),
}
"""Applied to the face crop at the training pictures' size. Each has the same effect every time."""


def corruptions(card: ModelCard) -> dict[str, Callable[[Image], Image]]:
    """Return the corruptions for a model; only a colour model has a colour cast."""
    return {
        name: corrupt
        for name, corrupt in CORRUPTIONS.items()
        if card.colour == "rgb" or name != COLOUR_CAST
    }


def robustness(
    engine: Engine, card: ModelCard, entries: Sequence[Entry], say: Callable[[str], None]
) -> dict[str, float]:
    """Return the accuracy on the faces that are not ambiguous, by corruption."""
    faces: list[tuple[Entry, Image]] = []
    for entry in entries:
        if entry.label == AMBIGUOUS:
            continue
        try:
            faces.append((entry, at_source_size(entry.face(entry.read()), card)))
        except UnreadablePictureError:
            continue
    scores = {}
    for name, corrupt in corruptions(card).items():
        say(f"scoring corrupted pictures: {name} ...")
        found = (Crop(entry, preprocess(corrupt(face), card)) for entry, face in faces)
        predictions = classify(engine, card, found, Counter())
        scores[name] = round(metrics.accuracy(predictions.matrix()), 4)
    return scores
