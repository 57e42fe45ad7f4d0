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


SEEN = 3.0
"""Contrast that WCAG asks of graphics against what is around them."""


def colors(scheme: str = "light") -> dict[str, NDArray[np.float64]]:
    """Every colour of the style sheet by name, as it holds in the scheme."""
    style = (STATIC / "style.css").read_text()
    light, dark = re.findall(r":root {(.*?)\n *}", style, re.DOTALL)
    text = light + dark if scheme == "dark" else light
    return {
        name: np.frombuffer(bytes.fromhex(value), np.uint8) / 255
        for name, value in re.findall(r"--([a-z-]+): #([0-9a-f]{6});", text)
    }


def palette(scheme: str = "light") -> dict[str, NDArray[np.float64]]:
    return {emotion: colors(scheme)[emotion] for emotion in EMOTIONS}


def linear(color: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def contrast(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """WCAG's, from 1 to 21."""
    dark, light = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


def seen(color: NDArray[np.float64], eye: object) -> NDArray[np.float64]:
    """The colour in Lab, as the eye sees it."""
    changed = np.clip(np.asarray(eye) @ linear(color), 0, 1)
    back = np.where(changed <= 0.0031308, changed * 12.92, 1.055 * changed ** (1 / 2.4) - 0.055)
    lab: NDArray[np.float64] = rgb2lab(back.reshape(1, 1, 3))[0, 0]
    return lab


@pytest.mark.parametrize("eye", EYES)
def test_every_two_colours_stay_apart(eye: str) -> None:
    shown = {emotion: seen(color, EYES[eye]) for emotion, color in palette().items()}
    distances = {
        pair: float(deltaE_ciede2000(*(shown[emotion] for emotion in pair)))  # type: ignore[no-untyped-call]
        for pair in combinations(shown, 2)
    }
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] > APART, f"{closest}: {distances[closest]:.1f}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_seen_where_it_is_drawn(scheme: str) -> None:
    """In ribbons by itself; bars and charts are outlined."""
    own = colors(scheme)
    faint = {name: contrast(color, own["lane"]) for name, color in palette(scheme).items()}
    assert min(faint.values()) >= SEEN, faint
    for around in ("track", "card"):
        assert contrast(own["soft"], own[around]) >= SEEN


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("around", ["ground", "card"])
def test_words_and_states_can_be_read_on_their_backgrounds(scheme: str, around: str) -> None:
    own = colors(scheme)
    faint = {name: contrast(own[name], own[around]) for name in ("ink", "soft", "good", "bad")}
    assert min(faint.values()) >= 4.5, faint
