"""Identities on generated paths: people cross, stop, leave, and are hidden for a second."""

from statistics import mean

import pytest

from emotion_streams.faces import Box
from tests.worker.tracking.scenes import Quality, SceneFrame, quality, scene, tracked


@pytest.mark.parametrize(
    ("fps", "idf1", "switches"), [(2, 0.6, 35), (5, 0.8, 18), (10, 0.85, 10), (25, 0.85, 10)]
)
def test_people_keep_their_ids(fps: float, idf1: float, switches: float) -> None:
    """docs/tracking.md has the measurements; these bounds leave room for other seeds."""
    found: list[Quality] = []
    for seed in range(100, 104):
        frames = scene(seed, fps)
        found.append(quality(frames, tracked(frames)))
    assert mean(each.idf1 for each in found) >= idf1
    assert mean(each.switches for each in found) <= switches


def test_quality_is_perfect_for_the_true_ids_and_counts_what_differs() -> None:
    frames = [SceneFrame(n, (Box(0, 0, 1, 1), Box(9, 0, 1, 1)), (1, 2)) for n in range(10)]
    assert quality(frames, [(7, 8)] * 10) == Quality(0, 1.0, 1.0, 1.0, 2, 2)
    swapped = quality(frames, [(7, 8)] * 6 + [(8, 7)] * 4)
    assert (swapped.switches, swapped.idf1, swapped.mota) == (2, 0.6, 1 - 2 / 20)
    half = quality(frames, [(7, None)] * 10)
    assert (half.switches, half.named, half.idf1, half.mota) == (0, 0.5, 2 * 10 / 30, 0.5)
    false = [SceneFrame(n, (Box(0, 0, 1, 1), Box(9, 0, 1, 1)), (1, None)) for n in range(10)]
    assert quality(false, [(7, 8)] * 10).mota == 0, "each false box with an id costs a true one"
