"""One suite for every detector, on photographs with boxed faces."""

import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import worker.inference.detect
from emotion_streams import Box
from producer.sources.demo import DemoSource
from worker.inference.detect import BatchDetector, Detection, Detector, choose
from worker.inference.detect.choose import (
    YUNET_FILE,
    DetectorUnavailableError,
    choose_detector,
    fetch_yunet,
)
from worker.inference.detect.haar import Haar
from worker.inference.detect.yunet import SIZES_KEPT, YuNet
from worker.inference.detect.yunet_compiler import NetworkCompiler
from worker.inference.detect.yunet_keras import YuNetKeras
from worker.inference.detect.yunet_openvino import Networks, YuNetOpenVino

DETECTORS = ("yunet", "yunet_openvino", "yunet_keras", "haar")


@pytest.fixture(scope="module")
def yunet_file(shared: Path) -> Path:
    return shared / "models" / "yunet" / YUNET_FILE


class OneByOne:
    """A detector of batches as one of single pictures."""

    def __init__(self, batched: BatchDetector) -> None:
        self.name = batched.name
        self._batched = batched

    def detect(self, image: NDArray[np.uint8], *, exact: bool = False) -> list[Detection]:
        picture, scale = self._batched.prepare(image)
        (row,) = self._batched.candidates([picture])
        return self._batched.faces(row, scale)


@pytest.fixture(scope="module")
def yunet_keras(yunet_file: Path) -> YuNetKeras:
    return YuNetKeras(yunet_file.read_bytes())


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Detector:
    if request.param == "haar":
        return Haar()
    if request.param == "yunet_keras":  # compiled once for all tests
        return OneByOne(request.getfixturevalue("yunet_keras"))
    yunet_file = request.getfixturevalue("yunet_file")
    if request.param == "yunet":
        return YuNet(yunet_file.read_bytes())
    return YuNetOpenVino(Networks(NetworkCompiler(yunet_file.read_bytes(), threads=1)))


def boxed_faces(shared: Path) -> Iterator[tuple[NDArray[np.uint8], list[Box]]]:
    seen = set()
    for listing in ("training.xml", "testing.xml"):
        for entry in ET.parse(shared / "faces" / listing).iter("image"):
            name = entry.attrib["file"]
            if name in seen:
                continue
            seen.add(name)
            image = cv2.imread(str(shared / "faces" / name))
            assert image is not None
            boxes = [
                Box(*(float(box.attrib[side]) for side in ("left", "top", "width", "height")))
                for box in entry.iter("box")
            ]
            yield np.asarray(image, np.uint8), boxes


def centre_lies_in(found: Box, face: Box) -> bool:
    x, y = found.x + found.width / 2, found.y + found.height / 2
    return face.x <= x <= face.x + face.width and face.y <= y <= face.y + face.height


def test_no_detector_is_left_out() -> None:
    folder = Path(worker.inference.detect.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "choose"}
    parts = {"yunet_compiler", "yunet_decode", "yunet_fastest", "yunet_network", "onnx_weights"}
    modules -= parts
    assert modules == set(DETECTORS)


def test_faces_are_found_where_people_boxed_them(detector: Detector, shared: Path) -> None:
    found = faces = false = 0
    for image, boxes in boxed_faces(shared):
        detections = detector.detect(image)
        hits = [any(centre_lies_in(d.box, face) for d in detections) for face in boxes]
        found, faces = found + sum(hits), faces + len(boxes)
        false += sum(not any(centre_lies_in(d.box, face) for face in boxes) for d in detections)
    assert faces == 43
    # The cascade's window is wider than these boxes are.
    least, most_false = {"yunet": (43, 0), "haar": (32, 0)}[detector.name]
    assert found >= least
    assert false <= most_false


def test_landmarks_lie_in_the_face_with_the_eyes_above_the_mouth(
    detector: Detector, shared: Path
) -> None:
    for image, _ in boxed_faces(shared):
        for face in detector.detect(image):
            if detector.name == "haar":
                assert face.landmarks is None
                continue
            assert face.landmarks
            right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
            assert right_eye[0] < left_eye[0], "the person's right is the picture's left"
            assert max(right_eye[1], left_eye[1]) < min(right_mouth[1], left_mouth[1])
            assert centre_lies_in(Box(*nose, 0, 0), face.box)


def test_haar_detects_one_face_in_every_frame_of_the_demo() -> None:
    demo, detector = DemoSource(), Haar()
    demo.open()
    faces = []
    for number in range(360):  # its 12 seconds
        demo.grab()
        if number % 4 == 0:
            faces.append(len(detector.detect(demo.retrieve())))
    assert set(faces) == {1}


def test_detections_come_surest_first_with_scores_from_0_to_1(
    detector: Detector, shared: Path
) -> None:
    image = cv2.imread(str(shared / "faces" / "2007_007763.jpg"))
    scores = [detection.score for detection in detector.detect(np.asarray(image, np.uint8))]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_a_large_picture_yields_boxes_in_its_own_pixels(detector: Detector, shared: Path) -> None:
    image = cv2.imread(str(shared / "faces" / "2007_007763.jpg"))
    assert image is not None
    large = np.asarray(cv2.resize(image, None, fx=3, fy=3), np.uint8)
    (small_face, *_), large_faces = (
        detector.detect(np.asarray(image, np.uint8)),
        detector.detect(large),
    )
    tripled = Box(*(3 * side for side in vars(small_face.box).values()))
    assert any(centre_lies_in(face.box, tripled) for face in large_faces)


SIZES = ((480, 270), (640, 480), (320, 240), (1280, 720), (500, 500), (640, 200))


def test_pictures_of_several_sizes_in_turn_change_nothing(yunet_file: Path, shared: Path) -> None:
    photograph = cv2.imread(str(shared / "faces" / "2007_007763.jpg"))
    assert photograph is not None
    pictures = [np.asarray(cv2.resize(photograph, size), np.uint8) for size in SIZES]
    alone = [YuNet(yunet_file.read_bytes()).detect(picture) for picture in pictures]
    assert all(alone)
    for sizes in (2, len(SIZES)):  # as many as are kept, and more
        detector = YuNet(yunet_file.read_bytes())
        for _ in range(2):
            assert [detector.detect(picture) for picture in pictures[:sizes]] == alone[:sizes]


@dataclass
class Net:
    """A network that counts how often it was laid out for another size."""

    size: tuple[int, int]
    laid_out: tuple[tuple[int, int], ...] = ()

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 - OpenCV's name
        self.size = size

    def detect(self, image: NDArray[np.uint8]) -> tuple[int, None]:
        assert self.size == image.shape[1::-1]
        if self.laid_out[-1:] != (self.size,):
            self.laid_out += (self.size,)
        return 0, None


def test_cameras_of_different_sizes_do_not_lay_the_network_out_for_each_frame(
    yunet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Net] = []

    def create(*arguments: Any) -> Net:
        made.append(Net(arguments[3]))
        return made[-1]

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", create)
    detector = YuNet(yunet_file.read_bytes())
    for _ in range(5):
        for size in SIZES[:SIZES_KEPT]:
            detector.detect(np.zeros((*size[::-1], 3), np.uint8))
    assert sum(len(net.laid_out) for net in made) == SIZES_KEPT
    for size in SIZES:
        detector.detect(np.zeros((*size[::-1], 3), np.uint8))
    assert len(made) == SIZES_KEPT


@pytest.mark.parametrize("size", [(48, 64), (1, 1), (3, 2000), (2000, 3), (17, 31), (33, 640)])
def test_a_picture_without_a_face_has_none(detector: Detector, size: tuple[int, int]) -> None:
    # Several times: uninitialised memory holds a face only now and then.
    assert [detector.detect(np.full((*size, 3), 127, np.uint8)) for _ in range(8)] == [[]] * 8


def test_auto_chooses_the_cascade_if_yunet_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("worker.inference.detect.choose.YUNET_URL", "http://127.0.0.1:1/yunet.onnx")
    assert isinstance(choose_detector("auto", None)(), Haar)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "misses about one face in four" in warning
    with pytest.raises(DetectorUnavailableError, match="--detector-model"):
        choose_detector("yunet", None)


def test_a_user_without_a_home_folder_gets_the_cascade(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_entry(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    assert isinstance(choose_detector("auto", None)(), Haar)
    (warning,) = caplog.records
    assert "set XDG_CACHE_HOME" in vars(warning)["reason"]
    with pytest.raises(DetectorUnavailableError, match="set XDG_CACHE_HOME"):
        choose_detector("yunet", None)


def test_the_file_that_was_checked_is_the_one_that_runs(yunet_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "yunet.onnx"
    copy.write_bytes(yunet_file.read_bytes())
    new_detector = choose_detector("yunet", copy)
    copy.write_bytes(b"replaced")
    assert new_detector().detect(np.full((64, 64, 3), 127, np.uint8)) == []


def test_a_larger_detect_side_finds_small_faces_of_a_crowd(yunet_file: Path, shared: Path) -> None:
    photograph = cv2.imread(str(shared / "faces" / "2007_007763.jpg"))
    assert photograph is not None
    faces = len(choose_detector("yunet", yunet_file)().detect(np.asarray(photograph, np.uint8)))
    small = cv2.resize(photograph, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    crowd = np.full((2160, 3840, 3), 127, np.uint8)
    for row, column in np.ndindex(6, 12):
        y, x = row * 340 + 40, column * 310 + 40
        crowd[y : y + small.shape[0], x : x + small.shape[1]] = small
    by_side = {
        side: len(choose_detector("yunet", yunet_file, side=side)().detect(crowd))
        for side in (640, 3840)
    }
    assert by_side[3840] > 0.8 * 72 * faces
    assert by_side[640] < 0.2 * by_side[3840]


def test_a_file_that_is_not_yunet_is_refused_even_by_auto(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a model")
    for name in ("auto", "yunet"):
        with pytest.raises(DetectorUnavailableError, match="sha256"):
            choose_detector(name, wrong)
    with pytest.raises(DetectorUnavailableError, match="No such file"):
        choose_detector("yunet", tmp_path / "missing.onnx")


@pytest.fixture
def zoo(yunet_file: Path) -> Iterator[str]:
    """A server on loopback that gives YuNet's file at /right, something else at /wrong."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(yunet_file.read_bytes() if self.path == "/right" else b"<html>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_yunet_is_downloaded_once_and_then_taken_from_the_cache(zoo: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    weights = fetch_yunet(folder, f"{zoo}/right")
    assert fetch_yunet(folder, "http://127.0.0.1:1/") == weights
    assert [entry.name for entry in folder.iterdir()] == [YUNET_FILE]


def test_the_user_of_the_worker_can_read_files_that_root_downloads_for_an_image(
    zoo: str, tmp_path: Path
) -> None:
    fetch_yunet(tmp_path, f"{zoo}/right")
    assert (tmp_path / YUNET_FILE).stat().st_mode & 0o777 == 0o644


def test_a_download_that_is_another_file_is_not_kept(zoo: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        fetch_yunet(tmp_path, f"{zoo}/wrong")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def answering(*parts: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """The URL of a server that answers one request with these bytes."""
    done = threading.Event()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            for part in parts:
                connection.sendall(part)
                done.wait(pause_s)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/yunet"
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HELLO\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
        b"HTTP/1.1 302 DetectedFaces\r\nLocation: http://[bad/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
    ],
)
def test_a_network_that_answers_with_no_http_is_one_that_cannot_be_reached(
    reply: bytes, tmp_path: Path
) -> None:
    with answering(reply) as url, pytest.raises(OSError):  # noqa: PT011 - in any words
        fetch_yunet(tmp_path, url)


def test_a_download_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choose, "_DOWNLOAD_WITHIN_S", 0.2)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 232589\r\n\r\n"
    with (
        answering(head, *[b"x"] * 100, pause_s=0.1) as url,
        pytest.raises(TimeoutError, match="not downloaded within"),
    ):
        fetch_yunet(tmp_path, url)
