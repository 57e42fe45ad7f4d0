"""Training pictures varied as cameras vary them: pose, light, focus, distance, occlusion."""

import math
from typing import Final

import cv2
import numpy as np

from training.augmentation import Augmentation
from worker.inference.crop import Image

CAMERA_DISTANCE: Final = 2.5
"""Of a head that turns, in face sides: nearer cameras distort more."""


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
    return _webcam(picture, rng, how)


def _webcam(picture: Image, rng: np.random.Generator, how: Augmentation) -> Image:
    """What webcams add. A change that is off draws no number: runs from before it stay the same."""
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


def turn_head(picture: Image, yaw: float, pitch: float) -> Image:
    """The picture as a flat face turned by these degrees to the side and up, seen in perspective;
    its edge is repeated where it has nothing."""
    height, width = picture.shape[:2]
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64) / 2
    a, b = math.radians(yaw), math.radians(pitch)
    x, y = corners.T
    depth = x * math.sin(a) + y * math.cos(a) * math.sin(b)
    seen = np.stack([x * math.cos(a), y * math.cos(b) - x * math.sin(a) * math.sin(b)], axis=1)
    seen *= (CAMERA_DISTANCE / (CAMERA_DISTANCE + depth))[:, np.newaxis]
    size = np.array((width, height))
    matrix = cv2.getPerspectiveTransform(
        ((corners + 0.5) * size).astype(np.float32), ((seen + 0.5) * size).astype(np.float32)
    )
    turned = cv2.warpPerspective(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def partial(picture: Image, share: float, side: int) -> Image:
    """The picture of a face that this share is cut off of by the frame's edge, which is repeated:
    side 0 to 3 is left, top, right, bottom."""
    height, width = picture.shape[:2]
    copy = picture.copy()
    columns, rows = max(round(share * width), 1), max(round(share * height), 1)
    if side == 0:
        copy[:, :columns] = picture[:, columns : columns + 1]
    elif side == 1:
        copy[:rows] = picture[rows : rows + 1]
    elif side == 2:
        copy[:, -columns:] = picture[:, -columns - 1 : -columns]
    else:
        copy[-rows:] = picture[-rows - 1 : -rows]
    return copy


def motion_blur(picture: Image, length: float, degrees: float) -> Image:
    """The picture smeared along a line of this length, a fraction of the side."""
    half = max(length * picture.shape[1] / 2, 0.5)
    radius = math.ceil(half)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = np.abs(x * cos + y * sin), np.abs(x * sin - y * cos)
    kernel = np.clip(half + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    blurred = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def low_light(picture: Image, light: float, rng: np.random.Generator) -> Image:
    """The picture in this share of the light, with the noise of a small sensor: of photons, which
    grows as the square root of the light, and of reading out, on every channel for itself."""
    seen = picture.astype(np.float32) * np.float32(light / 255)
    noise = rng.standard_normal(picture.shape, np.float32)
    noisy = seen + noise * np.sqrt(np.float32(0.004) * seen + np.float32(0.0002))
    return np.asarray(np.clip(noisy * 255 + 0.5, 0, 255), np.uint8)


def colour_cast(picture: Image, warmth: float, tint: float) -> Image:
    """A BGR picture in light of another colour: red gains `warmth` and blue loses it, green gains
    `tint`, as factors' logarithms."""
    gains = np.exp(np.array((-warmth, tint, warmth), np.float32))
    return np.asarray(np.clip(picture * gains + 0.5, 0, 255), np.uint8)


def grey(picture: Image) -> Image:
    """A BGR picture without its colours, in three equal channels."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8
    )


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
