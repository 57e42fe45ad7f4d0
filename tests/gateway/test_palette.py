"""The eight colours of the page stay apart, also for eyes that do not tell all colours."""

import re
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from emotion_streams import EMOTIONS
from gateway.routes.page import STATIC

APART = 12.0
"""CIEDE2000; about 2 can be seen side by side, 10 at a glance."""

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
EYES = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip


def palette() -> dict[str, NDArray[np.float64]]:
    style = (STATIC / "style.css").read_text()
    found: dict[str, NDArray[np.float64]] = {}
    for emotion in EMOTIONS:
        match = re.search(rf"--{emotion}: #([0-9a-f]{{6}});", style)
        assert match, f"style.css gives {emotion} no colour"
        found[emotion] = np.frombuffer(bytes.fromhex(match[1]), np.uint8) / 255
    return found


def seen(color: NDArray[np.float64], eye: object) -> NDArray[np.float64]:
    """The colour in Lab, as the eye sees it."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    changed = np.clip(np.asarray(eye) @ linear, 0, 1)
    back = np.where(changed <= 0.0031308, changed * 12.92, 1.055 * changed ** (1 / 2.4) - 0.055)
    lab: NDArray[np.float64] = rgb2lab(back.reshape(1, 1, 3))[0, 0]
    return lab


@pytest.mark.parametrize("eye", EYES)
def test_every_two_colours_stay_apart(eye: str) -> None:
    colors = {emotion: seen(color, EYES[eye]) for emotion, color in palette().items()}
    distances = {
        pair: float(deltaE_ciede2000(*(colors[emotion] for emotion in pair)))  # type: ignore[no-untyped-call]
        for pair in combinations(colors, 2)
    }
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] > APART, f"{closest}: {distances[closest]:.1f}"
