"""Changes to pictures that imitate cameras, each with a fixed strength.

Pictures are uint8, (height, width) grey or (height, width, 3) BGR. Results are copies of the same
shape.
"""

import math
from typing import Final

import cv2
import numpy as np

from worker.inference.crop import Image

CAMERA_DISTANCE: Final = 2.5
"""Distance of the camera from a turned head, in face sides. A smaller one distorts more."""


def low_resolution(picture: Image, factor: float) -> Image:
    """Reduce the picture by `factor` and enlarge it again, like a more distant camera."""
    height, width = picture.shape[:2]
    small = (max(round(width * factor), 1), max(round(height * factor), 1))
    reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.uint8)


def jpeg(picture: Image, quality: int) -> Image:
    """Compress the picture as JPEG at this quality, 1 to 100, and decode it."""
    _, blob = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_GRAYSCALE if picture.ndim == 2 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(blob, flag), np.uint8)


def bar_over_eyes(picture: Image, centre: float, value: int) -> Image:
    """Draw a bar of one brightness at the position of glasses.

    The bar is a tenth of the side high and three quarters wide. `centre` is its position, in sides
    from the top; `value` is its brightness, 0 to 255.
    """
    height, width = picture.shape[:2]
    copy = picture.copy()
    top = round((centre - 0.05) * height)
    copy[top : top + round(0.1 * height), round(width / 8) : round(width * 7 / 8)] = value
    return copy


def relight(picture: Image, gain: float, offset: float = 0.0) -> Image:
    """Multiply the brightness by `gain` and add `offset`, in parts of the full range."""
    table = np.clip(np.arange(256) * gain + 255 * offset, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), np.uint8)


def rotate(picture: Image, degrees: float) -> Image:
    """Rotate the picture about its centre. Missing pixels repeat the edge."""
    return warp(picture, degrees, 1.0, 0.0, 0.0)


def turn_head(picture: Image, yaw: float, pitch: float) -> Image:
    """Turn the picture as a flat face, seen in perspective. Missing pixels repeat the edge.

    `yaw` turns to the side and `pitch` up, in degrees.
    """
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
    """Cut off a share of the face, as the edge of the frame does. Missing pixels repeat the edge.

    `side` 0 to 3 is left, top, right, bottom.
    """
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
    """Smear the picture along a line; `length` is in sides, `degrees` is its direction."""
    half = max(length * picture.shape[1] / 2, 0.5)
    radius = math.ceil(half)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = np.abs(x * cos + y * sin), np.abs(x * sin - y * cos)
    kernel = np.clip(half + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    blurred = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def low_light(picture: Image, light: float, rng: np.random.Generator) -> Image:
    """Darken the picture to this share of its light, with the noise of a small sensor.

    The noise is shot noise, which grows with the square root of the light, and read noise,
    independent in every channel.
    """
    seen = picture.astype(np.float32) * np.float32(light / 255)
    noise = rng.standard_normal(picture.shape, np.float32)
    noisy = seen + noise * np.sqrt(np.float32(0.004) * seen + np.float32(0.0002))
    return np.asarray(np.clip(noisy * 255 + 0.5, 0, 255), np.uint8)


def colour_cast(picture: Image, warmth: float, tint: float) -> Image:
    """Change the colour of the light of a BGR picture.

    Red gains `warmth` and blue loses it, green gains `tint`; both are logarithms of factors.
    """
    gains = np.exp(np.array((-warmth, tint, warmth), np.float32))
    return np.asarray(np.clip(picture * gains + 0.5, 0, 255), np.uint8)


def grey(picture: Image) -> Image:
    """Remove the colours of a BGR picture. The result has three equal channels."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8
    )


def warp(picture: Image, degrees: float, scale: float, dx: float, dy: float) -> Image:
    """Rotate, scale, and shift by parts of the sides. Missing pixels repeat the edge."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += (dx * width, dy * height)
    warped = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
