from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emotion_streams.faces import Box
from tests.training import generated
from tests.training.test_datasets import CARD
from training.crops import crops, detect_labelled, place
from training.datasets import Entry, InvalidDataError, open_data
from training.geometry import measure
from worker.inference.crop import crop_face
from worker.inference.detect import Detection


class Offset:
    """A detector that knows where place() puts a 48 pixel face, and says a box 0.8 times as wide,
    a tenth of the face lower."""

    name = "haar"

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        side = image.shape[0] / 2
        centre_x, centre_y = image.shape[1] / 2, image.shape[0] / 2 + 0.1 * side
        box = Box(centre_x - 0.4 * side, centre_y - 0.4 * side, 0.8 * side, 0.8 * side)
        return [Detection(Box(0, 0, 10, 10), 0.99), Detection(box, 0.9)]


class Blind:
    name = "haar"

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        return []


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    return open_data(generated.ferplus(tmp_path, per_emotion=1)).entries("valid")


def test_the_measured_geometry_leads_back_to_the_labelled_face(entries: list[Entry]) -> None:
    found = measure(entries, Offset())
    assert found.detected == found.pictures == 8
    assert found.geometry.scale == pytest.approx(1.25)
    assert found.geometry.shift_y == pytest.approx(-0.1)
    placed = place(entries[0].read(), None)
    box = detect_labelled(placed, Offset())
    assert box is not None
    crop = crop_face(placed.image, box, found.geometry)
    face = placed.face
    whole = placed.image[int(face.y) : int(face.y) + 192, int(face.x) : int(face.x) + 192]
    np.testing.assert_array_equal(crop, whole)


def test_a_large_photograph_is_left_as_it_is() -> None:
    photograph = np.zeros((200, 300, 3), np.uint8)
    placed = place(photograph, Box(5, 6, 70, 80))
    assert placed.image is photograph
    assert placed.face == Box(5, 6, 70, 80)


def test_undetected_and_unreadable_faces_are_counted_and_left_out(
    entries: list[Entry], tmp_path: Path
) -> None:
    (tmp_path / "FER2013Valid" / "valid000.png").write_bytes(b"?")
    reasons: list[str] = []
    found = list(crops(entries, CARD, Blind(), lambda reason, _: reasons.append(reason)))
    assert found == []
    assert sorted(reasons) == ["not detected"] * 7 + ["unreadable"]


def test_a_detector_that_finds_nothing_has_no_geometry(entries: list[Entry]) -> None:
    with pytest.raises(InvalidDataError, match="haar finds none of 8 faces"):
        measure(entries, Blind())
