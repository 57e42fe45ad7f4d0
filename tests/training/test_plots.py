from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_streams import EMOTIONS
from training import curves, metrics, plots


def draw_confusion(folder: Path, count: int) -> Path:
    matrix = np.diag([count] * len(EMOTIONS))
    plots.confusion(matrix, EMOTIONS, folder / "confusion.png")
    return folder / "confusion.png"


def draw_reliability(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(EMOTIONS), count)
    bins = metrics.reliability(rng.dirichlet(np.ones(len(EMOTIONS)), count), truth) if count else []
    plots.reliability(bins, bins, folder / "reliability.png")
    return folder / "reliability.png"


def draw_curves(folder: Path, count: int) -> Path:
    with curves.Curves(folder, done=0) as written:
        for step in range(1, count + 1):
            accuracy = 0.5 if step % 2 == 0 else None
            written.add(curves.Row(step, 28 if step < 5 else 32, 0.01, 2.0, step, accuracy))
    return curves.plot(folder)


@pytest.mark.parametrize("count", [0, 1, 10])
@pytest.mark.parametrize("draw", [draw_confusion, draw_reliability, draw_curves])
def test_any_amount_of_data_is_drawn(
    tmp_path: Path, draw: Callable[[Path, int], Path], count: int
) -> None:
    picture = cv2.imread(str(draw(tmp_path, count)))
    assert picture is not None
    assert min(picture.shape[:2]) > 500
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
