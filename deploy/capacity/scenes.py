"""Pictures with a known number of moving faces, made from the demo's portrait and encoded ahead."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from deploy.capacity.layout import Place, height_of, places
from producer.opencv import cv2
from producer.picture import EncodedPicture, encode
from producer.settings import CameraOptions
from producer.source import Pixels
from producer.sources.demo import load_portrait

SCENES: Final = 4
"""Different pictures. Cameras beyond so many show one of them at another moment."""

_PERIOD_S: Final = 8.0
_MOMENTS: Final = (8, 60)
# Of the portrait, in pixels: the head with its hair and shoulders, and what is below it.
_HEAD: Final = (slice(0, 240), slice(108, 338))
_CLOTHES: Final = slice(250, 512)
_FEATHER: Final = 14
_NOISE: Final = 4.0
"""Standard deviation of a webcam's noise, without which a JPEG would be too small."""

_FACE_WIDTH: Final = 90
_SWAY: Final = 0.15
"""How far a face moves from its place, in widths of the face."""


def scene(number: int, width: int, faces: int, fps: float) -> list[EncodedPicture]:
    """Return a cycle of pictures, `width` pixels wide, for a camera of `fps` frames per second.

    Raises NoSuchSourceError if the portrait is not available.
    """
    portrait = load_portrait()
    lowest, highest = _MOMENTS
    moments = min(max(round(_PERIOD_S * fps), lowest), highest)
    heads = [_Head(portrait, place, number) for place in places(width, faces)]
    background = _background(portrait, width, number)
    quality = CameraOptions.model_validate({}).quality
    return [
        encode(_draw(background, heads, 2 * math.pi * moment / moments), quality)
        for moment in range(moments)
    ]


class _Head:
    """A head in its size, which moves around its place."""

    def __init__(self, portrait: Pixels, place: Place, scene: int) -> None:
        self._place = place
        self._phase = 2.4 * place.number + scene
        scale = place.width / _FACE_WIDTH
        head = portrait[_HEAD]
        if (place.number + scene) % 2:
            head = head[:, ::-1]
        shape = head.shape[:2]
        mask = np.zeros(shape, np.float32)
        mask[_FEATHER:-_FEATHER, _FEATHER:-_FEATHER] = 1
        mask = np.asarray(cv2.blur(mask, (2 * _FEATHER - 1, 2 * _FEATHER - 1)), np.float32)
        size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        light = 0.85 + 0.05 * ((place.number + 2 * scene) % 5)
        scaled = np.asarray(cv2.resize(np.ascontiguousarray(head), size, interpolation=method))
        self._pixels = np.clip(scaled * np.float32(light), 0, 255)
        self._mask = np.asarray(cv2.resize(mask, size, interpolation=method))[..., None]

    def draw(self, picture: Pixels, phase: float) -> None:
        """Draw it into the picture where it is in this phase of the cycle."""
        rows, columns = self._pixels.shape[:2]
        sway = _SWAY * self._place.width
        x = self._place.x + sway * math.sin(phase + self._phase) - columns / 2
        y = self._place.y + sway * math.sin(2 * phase + self._phase) - rows / 2
        left = min(max(round(x), 0), picture.shape[1] - columns)
        top = min(max(round(y), 0), picture.shape[0] - rows)
        under = picture[top : top + rows, left : left + columns]
        under[:] = (self._mask * self._pixels + (1 - self._mask) * under).astype(np.uint8)


def _background(portrait: Pixels, width: int, number: int) -> Pixels:
    clothes = portrait[_CLOTHES]
    turned = np.ascontiguousarray(clothes[:: -1 if number & 2 else 1, :: -1 if number & 1 else 1])
    size = (width, height_of(width))
    # Blurred, or some of it would pass for a face.
    blurred = cv2.GaussianBlur(turned, (0, 0), turned.shape[1] / 40)
    scaled = cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR)
    noise = np.random.default_rng(number).normal(0, _NOISE, scaled.shape)
    return np.asarray(np.clip(scaled + noise, 0, 255), np.uint8)


def _draw(background: Pixels, heads: Sequence[_Head], phase: float) -> Pixels:
    picture = background.copy()
    for head in heads:
        head.draw(picture, phase)
    return picture
