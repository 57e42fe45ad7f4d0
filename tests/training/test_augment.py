"""What is done to training pictures, and to those that robustness is measured on."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.training.generated import face
from tests.training.test_datasets import CARD
from training import changes
from training.augment import augment
from training.augmentation import Augmentation, InvalidConfigError
from training.robustness import COLOUR_CAST, CORRUPTIONS, corruptions
from worker.inference.crop import Image

PROBABILITIES = [field.name for field in fields(Augmentation) if field.name.startswith("p_")]
NOTHING = Augmentation(**{field.name: 0.0 for field in fields(Augmentation)})
BEFORE_WEBCAMS = {
    "p_flip": 0.5,
    "rotation_degrees": 15.0,
    "scale": 0.15,
    "shift": 0.07,
    "gain": 0.3,
    "offset": 0.15,
    "p_blur": 0.1,
    "p_low_resolution": 0.1,
    "p_jpeg": 0.05,
    "p_bar": 0.08,
    "p_cutout": 0.25,
}
"""As records of runs hold it that were begun before webcams were imitated."""


def colours() -> Image:
    """A face in BGR whose channels differ."""
    return np.stack([face(2, 0), face(3, 0), face(4, 0)], axis=2)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("picture", [face(2, 0), colours()])
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_each_change_keeps_shape_and_type_and_depends_on_the_seed_alone(
    probability: str, picture: Image
) -> None:
    how = replace(NOTHING, **{probability: 1.0})
    before = picture.copy()
    changed = augment(picture, rng(), how)
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(picture, before, err_msg="the data itself is not changed")
    np.testing.assert_array_equal(changed, augment(picture, rng(), how))
    unseen = probability == "p_colour_cast" and picture.ndim == 2
    assert np.array_equal(changed, picture) == unseen


def test_all_changes_at_once_keep_shape_and_type() -> None:
    how = Augmentation(**dict.fromkeys(PROBABILITIES, 1.0))
    for picture in (face(2, 0), colours()):
        changed = augment(picture, rng(), how)
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        assert np.abs(changed.astype(int) - picture).mean() > 5


def test_a_run_from_before_webcams_were_imitated_sees_the_same_pictures() -> None:
    numbers = rng()
    how = Augmentation.from_dict(BEFORE_WEBCAMS)
    for number in range(300):
        augment(face(2, number % 5), numbers, how)
    assert numbers.random() == 0.9543051771456794, "as many numbers were drawn as then"


def test_a_record_without_a_change_means_that_it_was_not_made() -> None:
    how = Augmentation.from_dict(BEFORE_WEBCAMS)
    assert {name: value for name, value in vars(how).items() if value} == BEFORE_WEBCAMS
    assert Augmentation.from_dict({"p_of_later": 0}) == NOTHING


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p_of_later": 0.5}, "p_of_later is unknown"),
        ({"p_blur": 1.5}, "p_blur is 1.5, not a probability"),
        ({"shift": -0.1}, "shift is -0.1, not a number not below 0"),
        ({"gain": float("nan")}, "gain is nan"),
        ({"p_blur": "often"}, "p_blur is 'often', not a number"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        Augmentation.from_dict(values)


def test_low_light_is_darker_and_noisier() -> None:
    even = np.full((64, 64), 200, np.uint8)
    for light in (0.2, 0.5):
        dark = changes.low_light(even, light, rng())
        assert dark.mean() == pytest.approx(200 * light, rel=0.05)
        assert dark.std() > 3
    assert changes.low_light(even, 0.2, rng()).std() < changes.low_light(even, 0.5, rng()).std()


def test_motion_blurs_along_its_direction_only() -> None:
    stripes = np.tile(np.arange(64, dtype=np.uint8) % 8 * 30, (64, 1))
    across = changes.motion_blur(stripes, 0.125, 0)
    along = changes.motion_blur(stripes, 0.125, 90)
    assert across.std() < 0.3 * stripes.std()
    np.testing.assert_allclose(along, stripes, atol=1)


@pytest.mark.parametrize("side", range(4))
def test_a_partial_face_lacks_a_share_at_one_side(side: int) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (40, 40), np.uint8)
    cut = np.rot90(changes.partial(picture, 0.25, side), side)  # the side that is cut on the left
    whole = np.rot90(picture, side)
    np.testing.assert_array_equal(cut[:, 10:], whole[:, 10:])
    np.testing.assert_array_equal(cut[:, :10], np.repeat(whole[:, 10:11], 10, axis=1))


def test_a_head_turned_is_narrower_and_nearer_at_one_side() -> None:
    columns = np.tile(np.linspace(0, 255, 65).astype(np.uint8), (65, 1))
    np.testing.assert_allclose(changes.turn_head(columns, 0, 0), columns, atol=2)
    square = np.zeros((65, 65), np.uint8)
    square[8:-8, 8:-8] = 255
    turned = changes.turn_head(square, 25, 0)
    left, right = (turned[:, column] > 127 for column in (14, 50))
    assert left.sum() > right.sum()
    assert (turned[32] > 127).sum() < 49


def test_a_warm_cast_gains_red_and_loses_blue() -> None:
    even = np.full((8, 8, 3), 100, np.uint8)
    blue, green, red = changes.colour_cast(even, 0.3, 0.0)[0, 0].tolist()
    assert blue < green == 100 < red
    assert len(set(changes.grey(even + np.array([0, 5, 9], np.uint8))[0, 0].tolist())) == 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_but_none_changes_a_picture_in_the_same_way_each_time(name: str) -> None:
    corrupt: Callable[[Image], Image] = CORRUPTIONS[name]
    picture = colours() if name == COLOUR_CAST else face(2, 0)
    changed = corrupt(picture)
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, picture) == (name == "as it is")
    np.testing.assert_array_equal(changed, corrupt(picture))


def test_a_grey_model_is_not_scored_under_coloured_light() -> None:
    assert COLOUR_CAST not in corruptions(CARD)
    assert list(corruptions(replace(CARD, colour="rgb"))) == list(CORRUPTIONS)
