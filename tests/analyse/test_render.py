"""What the annotated video and the key frames show of the people."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyse.draw import annotated, without_faces
from analyse.render import Rendering, render
from analyse.video import VideoFailedError, find_encoder
from emotion_streams import Box, EmotionEvent
from producer.source import Pixels
from tests import samples


@pytest.fixture
def people(shared: Path) -> Pixels:
    """A picture of three people, 480 by 270 pixels or so."""
    capture = cv2.VideoCapture(str(shared / "clips/face-demographics-walking-and-pause.avi"))
    read, picture = capture.read()
    capture.release()
    assert read
    return np.asarray(picture, np.uint8)


def event(pixels: Pixels, *boxes: Box, position_ms: int = 0, omitted: int = 0) -> EmotionEvent:
    valid = samples.event(frame_id=f"{position_ms}-1")
    height, width = pixels.shape[:2]
    return replace(
        valid,
        position_ms=position_ms,
        width=width,
        height=height,
        faces=tuple(replace(valid.faces[0], box=box) for box in boxes),
        faces_omitted=omitted,
        model=replace(valid.model, detector="yunet"),
        detect_side=max(width, height),
    )


def detail(pixels: Pixels) -> float:
    """The mean difference of neighbouring pixels: about 0 in a picture of a few flat blocks."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(float)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def video_of(picture: Pixels, frames: int, path: Path) -> Path:
    height, width = picture.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    for _ in range(frames):
        writer.write(picture)
    writer.release()
    return path


def rendered(path: Path, events: Sequence[EmotionEvent], *, blur: bool) -> list[Pixels]:
    """The frames of the annotated video."""
    try:
        find_encoder()
    except VideoFailedError as error:
        pytest.skip(str(error))
    made = path.with_name("annotated.mp4")
    render(path, iter(events), (), Rendering(made, blur=blur), lambda: None)
    capture, frames = cv2.VideoCapture(str(made)), []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    capture.release()
    return frames


def test_a_frame_that_was_not_analysed_shows_no_person_if_faces_are_blurred(
    people: Pixels, tmp_path: Path
) -> None:
    path = video_of(people, 3, tmp_path / "people.avi")
    events = [event(people, position_ms=0), event(people, position_ms=200)]
    first, failed, last = rendered(path, events, blur=True)
    assert detail(failed) < detail(people) / 4
    assert min(detail(first), detail(last)) > detail(people) / 2
    blocks = cv2.resize(people, (6, 4), interpolation=cv2.INTER_AREA).mean(axis=(0, 1))
    assert np.abs(failed.mean(axis=(0, 1)) - blocks).max() < 10, "its colours are kept"


def test_a_frame_that_was_not_analysed_is_shown_as_it_is_otherwise(
    people: Pixels, tmp_path: Path
) -> None:
    path = video_of(people, 2, tmp_path / "people.avi")
    _, failed = rendered(path, [event(people, position_ms=0)], blur=False)
    assert detail(failed) > detail(people) / 2


def test_faces_that_an_event_omits_are_shown_with_a_few_pixels_only(people: Pixels) -> None:
    side = 40
    smallest = Box(0, 0, side, side)
    shown = without_faces(people, event(people, smallest, omitted=3))
    assert shown.shape == people.shape
    # A face as large as the smallest one keeps 8 pixels: what is finer is gone.
    small = cv2.resize(people, None, fx=8 / side, fy=8 / side, interpolation=cv2.INTER_AREA)
    coarse = np.asarray(cv2.resize(small, (people.shape[1], people.shape[0])), np.uint8)
    elsewhere = np.s_[100:, 100:]
    assert detail(shown[elsewhere]) == pytest.approx(detail(coarse[elsewhere]), rel=0.2)
    assert detail(shown[elsewhere]) < detail(people[elsewhere]) / 2


def test_a_picture_whose_faces_are_all_omitted_is_pixelated_as_a_whole(people: Pixels) -> None:
    shown = without_faces(people, event(people, omitted=1))
    assert detail(shown) < detail(people) / 4
    colours = np.unique(shown.reshape(-1, 3), axis=0)
    assert len(colours) <= 6 * 6


def test_a_face_too_small_for_the_detector_has_no_more_pixels_than_the_detector_saw(
    people: Pixels,
) -> None:
    seen = replace(event(people), detect_side=max(people.shape) // 4)
    assert detail(without_faces(people, seen)) < detail(people) / 1.5


def test_a_found_face_is_a_few_flat_blocks_and_the_rest_stays(people: Pixels) -> None:
    box = Box(100, 60, 60, 60)
    before = people.copy()
    shown = annotated(people, event(people, box), blur=True)
    assert np.array_equal(people, before), "the picture itself is not changed"
    inside = without_faces(people, event(people, box))[60:120, 100:160]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 6 * 6
    assert np.array_equal(shown[180:, 250:], people[180:, 250:])
