"""The one preprocessing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams import Box
from worker.inference.crop import crop_face, preprocess
from worker.model.card import CropGeometry, ModelCard
from worker.model.release import load

IMAGE = np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return replace(load().card, input_size=32, source_size=48, colour="grey")


def test_a_box_inside_is_cut_as_it_lies() -> None:
    square = crop_face(IMAGE, Box(10, 5, 20, 20), CropGeometry(1.0))
    assert np.array_equal(square, IMAGE[5:25, 10:30])


def test_a_tall_box_becomes_a_square_around_its_centre() -> None:
    square = crop_face(IMAGE, Box(20, 10, 10, 20), CropGeometry(1.0))
    assert np.array_equal(square, IMAGE[12:27, 18:33])


def test_scale_and_shift_move_the_square() -> None:
    square = crop_face(IMAGE, Box(20, 10, 10, 10), CropGeometry(2.0, shift_x=0.1, shift_y=-0.1))
    assert np.array_equal(square, IMAGE[3:23, 17:37])


def test_pixels_outside_the_picture_repeat_its_edge() -> None:
    square = crop_face(IMAGE, Box(-10, -10, 20, 20), CropGeometry(1.0))
    assert (square[:10, :10] == IMAGE[0, 0]).all()
    assert np.array_equal(square[10:, 10:], IMAGE[:10, :10])


@given(
    x=st.floats(-500, 500), y=st.floats(-500, 500),
    width=st.floats(0, 500), height=st.floats(0, 500), scale=st.floats(0.2, 5),
)  # fmt: skip
def test_any_box_gives_a_square_of_the_models_size(
    x: float, y: float, width: float, height: float, scale: float, card: ModelCard
) -> None:
    square = crop_face(IMAGE, Box(x, y, width, height), CropGeometry(scale))
    assert square.shape[0] == square.shape[1] >= 1
    prepared = preprocess(square, card)
    assert prepared.shape == (32, 32, 3)
    assert prepared.dtype == np.uint8


def test_a_grey_model_sees_three_equal_channels(card: ModelCard) -> None:
    prepared = preprocess(IMAGE[:40, :40], card)
    assert np.array_equal(prepared[..., 0], prepared[..., 1])
    assert np.array_equal(prepared[..., 0], prepared[..., 2])


def test_a_colour_model_sees_rgb_not_bgr(card: ModelCard) -> None:
    blue = np.zeros((48, 48, 3), np.uint8)
    blue[..., 0] = 255
    prepared = preprocess(blue, replace(card, colour="rgb"))
    assert prepared[0, 0].tolist() == [0, 0, 255]


def test_no_detail_finer_than_the_training_pictures_reaches_the_model(card: ModelCard) -> None:
    checkers = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    prepared = preprocess(checkers, replace(card, input_size=64))
    assert np.ptp(prepared) <= 2  # at 48 pixels the pattern has become even grey


def test_a_grey_picture_and_its_bgr_copy_are_prepared_alike(card: ModelCard) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    colour = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    difference = preprocess(grey, card).astype(int) - preprocess(colour, card)
    assert np.abs(difference).max() <= 1
