"""`mask:` polygons are black in what is sent: nothing behind the producer sees what was there."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from producer.config import load, read_cameras
from producer.filters import MotionFilter
from producer.mask import Mask
from producer.picture import FrameTransform, decode, encode
from producer.polygons import Polygon, parse_polygons
from producer.source import Picture, Pixels
from service.settings_file import InvalidSettingsError
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg, with_orientation
from tests.peers.producer import ROOT, Producer, within
from tests.servers import PATIENCE_S

SQUARE: Polygon = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
LEFT: Polygon = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))


def white(width: int = 64, height: int = 48) -> Pixels:
    return np.full((height, width, 3), 255, np.uint8)


def white_jpeg(width: int = 64, height: int = 48) -> bytes:
    return cv2.imencode(".jpg", white(width, height))[1].tobytes()


def sent(picture: Picture, *, width: int = 640, rotate: int = 0, mask: str) -> Pixels:
    """The picture as a worker decodes it."""
    transform = FrameTransform(width, rotate, None, parse_polygons(mask))
    return decode(encode(transform(picture), 95).jpeg)


def test_every_pixel_that_a_polygon_touches_is_black_and_others_are_unchanged() -> None:
    result = Mask([SQUARE])(white())
    assert not result[12:36, 16:48].any()
    assert (result[:11] == 255).all()
    assert (result[:, :15] == 255).all()
    assert (result[38:] == 255).all()
    assert (result[:, 50:] == 255).all()


def test_edges_of_a_mask_are_hard() -> None:
    slanted: Polygon = ((0.1, 0.2), (0.93, 0.41), (0.37, 0.87))
    result = Mask([slanted])(white(321, 243))
    assert set(np.unique(result)) == {0, 255}
    inside = np.zeros((243 * 8, 321 * 8), np.uint8)
    corners = [(round(x * 321 * 8), round(y * 243 * 8)) for x, y in slanted]
    cv2.fillPoly(inside, [np.array(corners, np.int32)], (255,))
    touched = inside.reshape(243, 8, 321, 8).any(axis=(1, 3))
    assert not result[touched].any()
    assert (
        result[~cv2.dilate(np.asarray(touched, np.uint8), np.ones((7, 7), np.uint8)).astype(bool)]
        == 255
    ).all()


def test_polygon_as_large_as_the_picture_leaves_nothing() -> None:
    assert not Mask([((0, 0), (1, 0), (1, 1), (0, 1))])(white(63, 47)).any()


@pytest.mark.parametrize(
    "corners",
    [
        # A thin corner along the lower edge of the picture, and one along the right edge.
        "0.9,1 0.3,1 0.8,0.9 0.3,0.1 0.5,0.1",
        "0.9,0.7 1,0 0.9,0.4",
        # Thin corners whose points are far from the middles of pixels.
        "0.126,0.709 0.745,0.069 0.977,0.363 0.555,0.804 0.507,0.581",
        "0.257,0.655 0.595,0.39 0.035,0.864",
    ],
)
@pytest.mark.parametrize(("width", "height"), [(60, 44), (37, 53)])
def test_every_pixel_that_a_thin_corner_touches_is_black(
    corners: str, width: int, height: int
) -> None:
    (polygon,) = parse_polygons(corners)
    result = Mask([polygon])(white(width, height))
    assert not result[touched(polygon, width, height)].any()


def touched(polygon: Polygon, width: int, height: int, parts: int = 16) -> NDArray[np.bool_]:
    """The pixels of which one of `parts` times `parts` points is in the polygon."""
    x, y = np.meshgrid(
        (np.arange(width * parts) + 0.5) / (width * parts),
        (np.arange(height * parts) + 0.5) / (height * parts),
    )
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return np.asarray(inside.reshape(height, parts, width, parts).any(axis=(1, 3)))


def test_masking_does_not_change_the_pixels_of_the_source() -> None:
    pixels = white()
    Mask([SQUARE])(pixels)
    assert (pixels == 255).all()


def test_mask_follows_a_picture_whose_size_changes() -> None:
    mask = Mask([LEFT])
    for width, height in ((64, 48), (32, 24), (640, 480)):
        result = mask(white(width, height))
        assert not result[:, : width // 2].any()
        assert (result[:, width // 2 + 2 :] == 255).all()


def test_camera_jpeg_does_not_pass_through_a_mask() -> None:
    content = white_jpeg()
    assert FrameTransform(640, 0, None, [SQUARE])(content) is not content
    result = sent(content, mask="0.25,0.25 0.75,0.25 0.75,0.75 0.25,0.75")
    assert result[14:34, 18:46].max() < 10
    assert result[:8].min() > 245


def test_large_camera_jpeg_is_scaled_before_it_is_masked() -> None:
    result = sent(white_jpeg(1920, 1080), mask="0,0 0.5,0 0.5,1 0,1")
    assert result.shape == (360, 640, 3)
    assert result[:, :320].max() < 10
    assert result[:, 330:].min() > 245


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_mask_is_in_the_coordinates_of_the_rotated_picture(rotate: int) -> None:
    result = sent(white(), rotate=rotate, mask="0,0 1,0 1,0.5 0,0.5")
    rows = result.shape[0]
    assert result[: rows // 2].max() < 10
    assert result[rows // 2 + 8 :].min() > 245


def test_mask_is_in_the_coordinates_of_the_region_of_interest() -> None:
    transform = FrameTransform(640, 0, (0.5, 0.5, 0.5, 0.5), [LEFT])
    result = transform(white())
    assert not isinstance(result, bytes)
    assert result.shape == (24, 32, 3)
    assert not result[:, :16].any()
    assert (result[:, 18:] == 255).all()


def test_mask_is_applied_after_the_orientation_of_exif() -> None:
    result = sent(with_orientation(white_jpeg(), 6), mask="0,0 1,0 1,0.5 0,0.5")
    assert result.shape == (64, 48, 3)
    assert result[:32].max() < 10
    assert result[40:].min() > 245


def test_movement_behind_a_mask_is_not_motion() -> None:
    transform = FrameTransform(640, 0, None, [LEFT])
    motion = MotionFilter(0.01)
    still, moved = white(), white()
    moved[10:40, 2:30] = 0
    assert motion.allows(transform(still), 0.0)
    assert not motion.allows(transform(moved), 0.1)
    moved[10:40, 40:60] = 0
    assert motion.allows(transform(moved), 0.2)


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        ("[[[0, 0], [1, 1]]]", "polygon 1 has 2 points, must have 3 to 100"),
        ("[[[0, 0], [1, 0], [1, 1.01]]]", "polygon 1, point 3 must be shares .* from 0 to 1"),
        ("[[[0, 0], [1, 0], [-0.1, 1]]]", "polygon 1, point 3 must be shares"),
        ("[[[0, 0], [1, 0], [.nan, 1]]]", "polygon 1, point 3 must be shares"),
        ("[[[0, 0], [nan, 0], [1, 1]]]", "polygon 1, point 2 must be shares"),
        ("[[[0, 0], [inf, 0], [1, 1]]]", "polygon 1, point 2 must be shares"),
        ("[[[0, 0], [left, 0], [1, 1]]]", "polygon 1, point 2 must be shares"),
        ("[[[0, 0], [1, 0, 0], [1, 1]]]", r"polygon 1, point 2 must be \[x, y\]"),
        ("[[[0, 0], 1, [1, 1]]]", r"polygon 1, point 2 must be \[x, y\]"),
        ("[[[0, 0], [0.5, 0.5], [1, 1]]]", "polygon 1 has no area"),
        ("[[[0, 0], [0, 0], [0, 0]]]", "polygon 1 has no area"),
        # Four corners in the wrong order, a star, and one whose edges meet in a corner.
        (
            "[[[0, 0], [1, 1], [1, 0], [0, 1]]]",
            "polygon 1: edges 1 and 3 cross or touch; list the points in order around the area",
        ),
        ("'0,0 .1,0 0,.1; .5,0 .8,1 0,.4 1,.4 .2,1'", "polygon 2: edges 1 and 3 cross"),
        ("'0,0 .5,.5 1,0 1,1 .5,.5 0,1'", "polygon 1: edges 1 and 4 cross"),
        # The edge between points 1 and 2 has no length, and the others keep their numbers.
        ("'0,0 0,0 1,1 1,0 0,1 0,0'", "polygon 1: edges 2 and 4 cross"),
        # Edge 2 leads back over edge 1.
        ("'0,0 1,0 .5,0 .5,1'", "polygon 1: edges 1 and 3 cross or touch"),
        ("[[0, 0], [1, 0], [1, 1]]", r"polygon 1 has 2 points"),
        ("[0, 0, 1]", r"polygon 1 must be a list of points"),
        ("{a: 1}", "must be a list of polygons"),
        ("3", "polygon 1 has 1 points"),
        ("'0,0 1,0 1,1; 0,0 1,1'", "polygon 2 has 2 points"),
        (str([[[0, 0], [1, 0], [1, 1]]] * 300), "has 300 polygons, the limit is 32"),
        (str([[[0, 0], [1, 0], [1, 1]] * 300]), "polygon 1 has 900 points"),
    ],
)
def test_invalid_mask_is_one_line(tmp_path: Path, mask: str, complaint: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(f"cameras: {{door: {{source: demo, mask: {mask}}}}}")
    with pytest.raises(
        InvalidSettingsError, match=rf"cameras\.yaml: cameras\.door\.mask: .*{complaint}"
    ) as caught:
        read_cameras(path, {})
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_crossing_mask_on_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(["--camera", "door", "--source", "demo", "--mask", "0,0 1,1 1,0 0,1"])
    assert "polygon 1: edges 1 and 3 cross or touch" in capsys.readouterr().err


@pytest.mark.parametrize(
    "points",
    [
        "0,0 1,0 1,1 0,1 0,0",  # a closed ring
        "0,0 1,0 1,0 1,1 0,1",
        "0,0 .1,0 .3,0 1,0 1,1 0,1",  # points on one edge
        "0,0 1,0 1,1 .5,.2 0,1",  # a dent
        ".1,.1 .2,.2 .3,.3 .4,.4 .7,.7 .1,.7",  # points on a slanted edge
    ],
)
def test_polygon_whose_edges_meet_only_as_neighbours_is_accepted(points: str) -> None:
    (polygon,) = parse_polygons(points)
    assert len(polygon) == len(points.split())


def test_closed_ring_masks_what_the_open_one_does() -> None:
    assert (Mask([(*SQUARE, SQUARE[0])])(white()) == Mask([SQUARE])(white())).all()


def test_mask_on_the_command_line_is_the_same_as_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(
        "cameras: {door: {source: demo, "
        "mask: [[[0, 0], [1, 0], [1, 1]], [[0, 0], [0, 1], [.5, 1]]]}}"
    )
    (camera,) = read_cameras(path, {}).values()
    arguments = ["--camera", "door", "--source", "demo", "--mask", "0,0 1,0 1,1; 0,0 0,1 .5,1"]
    assert load(arguments).cameras["door"] == camera


def test_probe_shows_the_picture_as_it_is_published(tmp_path: Path) -> None:
    shown, path = tmp_path / "out.jpg", tmp_path / "cameras.yaml"
    cv2.imwrite(str(tmp_path / "0.png"), white())
    settings = f"source: '{tmp_path}', rotate: 90, roi: [0, 0, 1, 0.5], mask: '0,0 1,0 1,.5 0,.5'"
    path.write_text(f"cameras: {{door: {{{settings}}}}}")
    done = subprocess.run(
        [
            sys.executable, "-m", "producer", "probe", "door", "--config", str(path),
            "--picture", str(shown), "--seconds", "0.1",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"picture      {shown}" in done.stdout
    result = decode(shown.read_bytes())
    assert result.shape == (32, 48, 3)
    assert result[:16].max() < 10
    assert result[24:].min() > 245


Frames = Callable[[], list[Frame]]


@pytest.fixture
def frames(client: Client) -> Frames:
    return lambda: [
        Frame.unpack(fields[b"frame"]) for _, fields in client.xrange(keys.frames("door"))
    ]


def test_frames_of_an_mjpeg_camera_are_masked_and_a_bad_mask_is_refused_on_reload(
    tmp_path: Path, redis_url: str, frames: Frames
) -> None:
    path = tmp_path / "cameras.yaml"

    def write(mask: str, title: str = "") -> None:
        path.write_text(
            f"cameras: {{door: {{source: '{server.url}', mask: {mask}, title: '{title}'}}}}"
        )

    with MjpegServer([white_jpeg()], fps=20) as server:
        write("[[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]")
        with Producer(redis_url, "--config", str(path)) as producer:
            within(lambda: len(frames()) > 3)
            write("[[[0, 0], [0.5, 0]]]", "changed")
            within(lambda: producer.entries("polygon 1 has 2 points"))
            last = frames()[-1].seq
            within(lambda: frames()[-1].seq > last + 3)
            assert "emotion_producer_config_valid 0.0" in producer.get("/metrics")[1]
            received = [decode(frame.jpeg) for frame in frames()]
    assert all(picture[:, :30].max() < 10 for picture in received)
    assert all(picture[:, 42:].min() > 245 for picture in received)


def test_unmasked_camera_still_passes_its_jpeg_through() -> None:
    content = jpeg(64, 48)
    assert FrameTransform(640, 0, None, [])(content) is content
