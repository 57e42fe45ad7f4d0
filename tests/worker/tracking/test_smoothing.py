"""The steady label: quick to follow a true change, slow to follow noise."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS, Emotion
from tests.worker.tracking.walk import Walk, rows, sighting
from worker.tracking import Sighting
from worker.tracking.constants import MIN_SIDE


def noisy(chance: random.Random, emotion: Emotion, noise: float = 1.2) -> NDArray[np.float32]:
    """Probabilities with noise of this many logits: more than that of the clips' worst face."""
    logits = np.log(rows([emotion], 0.7)) + np.array([[chance.gauss(0, noise) for _ in EMOTIONS]])
    shares: NDArray[np.float32] = np.exp(logits) / np.exp(logits).sum()
    return shares.astype(np.float32)


def labels(walk: Walk, frames: Iterator[tuple[int, NDArray[np.float32]]]) -> list[str | None]:
    found: list[str | None] = []
    for ms, shares in frames:
        walk.see(ms, [sighting(0.0)], shares)
        found.append(walk.faces[0].label)
    return found


def flips(found: Sequence[str | None]) -> int:
    return sum(a != b for a, b in pairwise(found))


@pytest.mark.parametrize("every_ms", [40, 80, 200, 500])
def test_a_change_shows_within_half_a_second_or_a_frame(every_ms: int) -> None:
    walk = Walk()
    first = labels(walk, ((ms, rows(["anger"])) for ms in range(0, 3_000, every_ms)))
    assert first[-1] == "anger"
    times = range(3_000, 6_000, every_ms)
    found = labels(walk, ((ms, rows(["sadness"])) for ms in times))
    assert times[found.index("sadness")] - 3_000 <= 500
    assert set(found) == {"anger", "sadness"}


@pytest.mark.parametrize("every_ms", [40, 80, 200])
def test_noise_flips_the_label_a_tenth_as_often_as_the_most_likely_emotion(every_ms: int) -> None:
    chance, walk = random.Random(5), Walk()
    shares = [noisy(chance, "neutral") for _ in range(0, 120_000, every_ms)]
    raw = flips([EMOTIONS[int(row.argmax())] for row in shares])
    found = labels(walk, ((every_ms * n, row) for n, row in enumerate(shares)))
    assert raw > 50
    assert flips(found[found.index("neutral") :]) <= raw / 10


def test_one_odd_frame_does_not_change_the_label() -> None:
    walk = Walk()
    shares = [rows(["happiness"])] * 20
    shares[12] = rows(["anger"], 0.99)
    found = labels(walk, ((80 * n, row) for n, row in enumerate(shares)))
    assert set(found[6:]) == {"happiness"}


def test_a_face_that_shows_nothing_clear_becomes_uncertain() -> None:
    walk = Walk()
    labels(walk, ((ms, rows(["happiness"])) for ms in range(0, 2_000, 100)))
    found = labels(walk, ((ms, rows([None])) for ms in range(2_000, 5_000, 100)))
    assert found[0] == "happiness"
    assert 600 <= 100 * found.index("uncertain") <= 1_200


@pytest.mark.parametrize(
    "unclear",
    [
        sighting(0.0, MIN_SIDE - 1.0),
        sighting(0.0, turn=60.0, sharpness=30.0),
        sighting(0.0, turn=-60.0),
        sighting(0.0, turn=0.0, sharpness=4.0),
    ],
)
def test_a_face_that_is_too_small_turned_or_blurred_becomes_uncertain(unclear: Sighting) -> None:
    walk = Walk()
    clear = sighting(0.0, unclear.box.width + 2, turn=30.0, sharpness=20.0)
    for ms in range(0, 2_000, 100):
        walk.see(ms, [clear], rows(["happiness"]))
    assert [face.label for face in walk.faces] == ["happiness"]
    for ms in range(2_000, 3_000, 100):
        walk.see(ms, [unclear], rows(["anger"]))
    assert [face.label for face in walk.faces] == ["uncertain"]
    assert walk.faces[0].smoothed
    assert walk.faces[0].smoothed["happiness"] > 0.5, "it decides little about the average"


def test_a_large_sure_face_weighs_more_than_a_small_unsure_one() -> None:
    shares = {}
    for size in (20.0, 60.0):
        walk = Walk()
        for n in range(30):
            small = n % 2 == 0
            face = sighting(0.0, size if small else 60.0)
            walk.see(40 * n, [face], rows(["anger" if small else "happiness"]))
        assert walk.faces[0].smoothed
        shares[size] = walk.faces[0].smoothed["anger"]
    assert shares[20.0] < shares[60.0]
