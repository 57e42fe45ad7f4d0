"""Training pictures varied as cameras vary them: pose, light, focus, distance, occlusion."""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.inference.crop import Image


@dataclass(frozen=True)
class Augmentation:
    """How far a picture may be changed; each change is drawn anew for every picture and step.

    Shifts are fractions of the side, `gain` and `offset` of the grey range; `p_` are probabilities.
    """

    p_flip: float = 0.5
    rotation_degrees: float = 15.0
    scale: float = 0.15
    shift: float = 0.07
    gain: float = 0.3
    offset: float = 0.15
    p_blur: float = 0.1
    p_low_resolution: float = 0.1
    p_jpeg: float = 0.05
    p_bar: float = 0.08
    p_cutout: float = 0.25


def augment(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """A changed copy of a uint8 picture (side, side) or (side, side, 3), of the same shape."""
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
    return picture


def low_resolution(picture: Image, factor: float) -> Image:
    """The picture as a camera further away sees it: reduced by `factor`, and enlarged again."""
    height, width = picture.shape[:2]
    small = (max(round(width * factor), 1), max(round(height * factor), 1))
    reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.uint8)


def jpeg(picture: Image, quality: int) -> Image:
    """The picture after JPEG compression at this quality, 1 to 100."""
    _, blob = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_GRAYSCALE if picture.ndim == 2 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(blob, flag), np.uint8)


def bar_over_eyes(picture: Image, centre: float, value: int) -> Image:
    """The picture with a bar of one brightness where glasses sit: a tenth of the side high, three
    quarters wide, its centre this fraction of the side from the top."""
    height, width = picture.shape[:2]
    copy = picture.copy()
    top = round((centre - 0.05) * height)
    copy[top : top + round(0.1 * height), round(width / 8) : round(width * 7 / 8)] = value
    return copy


def relight(picture: Image, gain: float, offset: float = 0.0) -> Image:
    """The picture `gain` times as bright, plus `offset` of the full range."""
    table = np.clip(np.arange(256) * gain + 255 * offset, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), np.uint8)


def rotate(picture: Image, degrees: float) -> Image:
    """The picture turned about its centre; its edge is repeated where it has nothing."""
    return _warp(picture, degrees, 1.0, 0.0, 0.0)


def _move(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    degrees = rng.uniform(-how.rotation_degrees, how.rotation_degrees)
    scale = float(np.exp(rng.uniform(-how.scale, how.scale)))
    dx, dy = rng.uniform(-how.shift, how.shift, 2)
    if rng.random() < how.p_flip:
        picture = np.ascontiguousarray(picture[:, ::-1])
    changes = degrees or dx or dy or scale != 1
    return _warp(picture, degrees, scale, dx, dy) if changes else picture


def _warp(picture: Image, degrees: float, scale: float, dx: float, dy: float) -> Image:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += (dx * width, dy * height)
    warped = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _light(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """Brightness about 0, contrast about the picture's own mean."""
    brightness = float(np.exp(rng.uniform(-how.gain, how.gain)))
    contrast = float(np.exp(rng.uniform(-how.gain, how.gain)))
    offset = rng.uniform(-how.offset, how.offset)
    mean = float(picture.mean()) / 255
    return relight(picture, brightness * contrast, mean * brightness * (1 - contrast) + offset)


def _cutout(picture: Image, rng: np.random.Generator) -> Image:
    """A rectangle of one brightness over up to a tenth (DeVries and Taylor, arXiv:1708.04552)."""
    height, width = picture.shape[:2]
    h, w = (int(rng.uniform(0.12, 0.32) * side) for side in (height, width))
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    copy = picture.copy()
    copy[top : top + h, left : left + w] = int(rng.integers(0, 256))
    return copy
