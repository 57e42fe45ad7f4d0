"""Crops faces for the model. Training, evaluation and serving share this preprocessing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.faces import Box
from worker.model.card import CropGeometry, ModelCard

Image = NDArray[np.uint8]


def crop_face(image: Image, box: Box, geometry: CropGeometry) -> Image:
    """Return the square around a face that the model was trained on: uint8 (side, side, 3).

    `image` is uint8 BGR (height, width, 3), `box` is in its pixels. The result is a view of `image`
    if the square is inside it. Otherwise the area outside repeats the edge of the picture. Works
    for any box: `side` is at least 1 and at most three times the picture's longer side.
    """
    height, width = image.shape[:2]
    wanted = geometry.scale * (box.width + box.height) / 2
    side = round(min(max(wanted, 1.0), 3.0 * max(height, width)))
    left = round(box.x + box.width / 2 + geometry.shift_x * wanted - side / 2)
    top = round(box.y + box.height / 2 + geometry.shift_y * wanted - side / 2)
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    square: Image = image[rows[:, np.newaxis], columns]
    return square


def preprocess(crop: Image, card: ModelCard) -> Image:
    """Return a face crop as model input: uint8 (input_size, input_size, 3), RGB or replicated grey.

    `crop` is uint8 BGR (any, any, 3) or grey (any, any). It is first resized to the size of the
    training pictures (`card.source_size`): a 300 pixel face must not show the model detail that no
    training picture had.
    """
    if crop.ndim == 2:
        picture = crop
    elif card.colour == "grey":
        picture = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    else:
        picture = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.uint8)
    picture = _resize(picture, card.source_size)
    picture = _resize(picture, card.input_size)
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    return picture


def _resize(picture: Image, side: int) -> Image:
    if picture.shape[:2] == (side, side):
        return picture
    shrinks = side < max(picture.shape[:2])
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.uint8)
