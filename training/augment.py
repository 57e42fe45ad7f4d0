"""Augmentation of training pictures that imitates cameras: pose, light, focus and occlusion."""

import cv2
import numpy as np

from training.augmentation import Augmentation
from training.changes import (
    bar_over_eyes,
    colour_cast,
    grey,
    jpeg,
    low_light,
    low_resolution,
    motion_blur,
    partial,
    relight,
    turn_head,
    warp,
)
from worker.inference.crop import Image


def augment(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """Return a changed copy of a uint8 picture, (side, side) or (side, side, 3) BGR."""
    picture = _move(picture, rng, how)
    picture = _light(picture, rng, how)
    if rng.random() < how.p_blur:
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.0))
        picture = np.asarray(blurred, np.uint8)
    if rng.random() < how.p_low_resolution:
        picture = low_resolution(picture, rng.uniform(0.45, 0.9))
    if rng.random() < how.p_jpeg:
        picture = jpeg(picture, int(rng.integers(25, 70)))
    if rng.random() < how.p_bar:
        picture = bar_over_eyes(picture, rng.uniform(0.3, 0.44), int(rng.integers(0, 90)))
    if rng.random() < how.p_cutout:
        picture = _cutout(picture, rng)
    return _webcam(picture, rng, how)


def _webcam(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """Apply the changes that imitate webcams.

    A change that is off draws no random number, so that runs from before it can be repeated.
    """
    if how.p_head_turn and rng.random() < how.p_head_turn:
        picture = turn_head(picture, rng.uniform(-25, 25), rng.uniform(-12, 12))
    if how.p_partial and rng.random() < how.p_partial:
        picture = partial(picture, rng.uniform(0.1, 0.25), int(rng.integers(4)))
    if how.p_motion_blur and rng.random() < how.p_motion_blur:
        picture = motion_blur(picture, rng.uniform(0.04, 0.14), rng.uniform(0, 180))
    if how.p_low_light and rng.random() < how.p_low_light:
        picture = low_light(picture, rng.uniform(0.2, 0.6), rng)
    if picture.ndim == 3 and how.p_colour_cast and rng.random() < how.p_colour_cast:
        picture = colour_cast(picture, rng.uniform(-0.35, 0.35), rng.uniform(-0.15, 0.15))
        if rng.random() < 0.5:
            picture = grey(picture)
    return picture


def _move(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    degrees = rng.uniform(-how.rotation_degrees, how.rotation_degrees)
    scale = float(np.exp(rng.uniform(-how.scale, how.scale)))
    dx, dy = rng.uniform(-how.shift, how.shift, 2)
    if rng.random() < how.p_flip:
        picture = np.ascontiguousarray(picture[:, ::-1])
    changes = degrees or dx or dy or scale != 1
    return warp(picture, degrees, scale, dx, dy) if changes else picture


def _light(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """Change the brightness, and the contrast about the mean of the picture."""
    brightness = float(np.exp(rng.uniform(-how.gain, how.gain)))
    contrast = float(np.exp(rng.uniform(-how.gain, how.gain)))
    offset = rng.uniform(-how.offset, how.offset)
    mean = float(picture.mean()) / 255
    return relight(picture, brightness * contrast, mean * brightness * (1 - contrast) + offset)


def _cutout(picture: Image, rng: np.random.Generator) -> Image:
    """Cover up to a tenth of the picture with a rectangle of one brightness.

    Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout" (arXiv:1708.04552).
    """
    height, width = picture.shape[:2]
    h, w = (int(rng.uniform(0.12, 0.32) * side) for side in (height, width))
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    copy = picture.copy()
    copy[top : top + h, left : left + w] = int(rng.integers(0, 256))
    return copy
