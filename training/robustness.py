"""What a model scores on pictures as bad cameras, light and glasses make them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from training import metrics
from training.augment import bar_over_eyes, jpeg, low_resolution, relight, rotate
from training.crops import Crop
from training.datasets import NO_WINNER, Entry, UnreadablePictureError
from training.datasets.entry import at_source_size
from training.evaluate import classify
from worker.inference.crop import Image, prepare
from worker.inference.engines import Engine
from worker.model.card import ModelCard

DISTURBANCES: Final[dict[str, Callable[[Image], Image]]] = {
    "as it is": lambda picture: picture,
    "half resolution": lambda picture: low_resolution(picture, 0.5),
    "JPEG quality 30": lambda picture: jpeg(picture, 30),
    "30 % darker": lambda picture: relight(picture, 0.7),
    "30 % brighter": lambda picture: relight(picture, 1.3),
    "tilted by 15 degrees": lambda picture: rotate(picture, 15),
    "bar over the eyes": lambda picture: bar_over_eyes(picture, 0.38, 0),
}
"""Applied to the face crop at the training pictures' size."""


def robustness(engine: Engine, card: ModelCard, entries: Sequence[Entry]) -> dict[str, float]:
    """The accuracy on the faces that have a winner, by what was done to them."""
    faces: list[tuple[Entry, Image]] = []
    for entry in entries:
        if entry.winner == NO_WINNER:
            continue
        try:
            faces.append((entry, at_source_size(entry.face(entry.read()), card)))
        except UnreadablePictureError:
            continue
    scores = {}
    for name, disturb in DISTURBANCES.items():
        found = (Crop(entry, prepare(disturb(face), card)) for entry, face in faces)
        predictions = classify(engine, card, found, Counter())
        scores[name] = round(metrics.accuracy(predictions.matrix()), 4)
    return scores
