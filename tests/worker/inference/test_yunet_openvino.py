"""YuNet in OpenVINO: the faces that OpenCV finds, in networks of few sizes without waiting."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from openvino import opset13 as ops

from tests.servers import PATIENCE_S
from tests.worker.inference.test_detect import boxed_faces
from worker.inference.detect import Detection, yunet_compiler, yunet_openvino
from worker.inference.detect.choose import YUNET_FILE, choose_detector
from worker.inference.detect.yunet import DETECT_SIDE, NMS_THRESHOLD, SCORE_THRESHOLD, YuNet
from worker.inference.detect.yunet_compiler import Network, NetworkCompiler, Size
from worker.inference.detect.yunet_decode import suppress
from worker.inference.detect.yunet_openvino import (
    EXACT_SHAPES,
    SIZES_KEPT,
    Networks,
    YuNetOpenVino,
)
from worker.inference.openvino_core import OpenVinoUnavailableError

LARGEST = (DETECT_SIDE, DETECT_SIDE)


@pytest.fixture(scope="module")
def yunet_file(shared: Path) -> Path:
    return shared / "models" / "yunet" / YUNET_FILE


@pytest.fixture
def networks(yunet_file: Path) -> Networks:
    return Networks(NetworkCompiler(yunet_file.read_bytes(), threads=2))


class Recording:
    """A compiler that records the sizes of its networks, and raises `error` if there is one."""

    def __init__(self, yunet_file: Path) -> None:
        self.sizes: list[Size] = []
        self.error: Exception | None = None
        self._compile = NetworkCompiler(yunet_file.read_bytes(), threads=1)

    def __call__(self, size: Size) -> Network:
        self.sizes.append(size)
        if self.error:
            raise self.error
        return self._compile(size)


def blank(width: int, height: int) -> NDArray[np.uint8]:
    return np.zeros((height, width, 3), np.uint8)


def apart(one: Detection, other: Detection) -> float:
    """The largest difference of a side, in pixels."""
    sides = zip(vars(one.box).values(), vars(other.box).values(), strict=True)
    return max(abs(float(a) - float(b)) for a, b in sides)


def landmarks_apart(one: Detection, other: Detection) -> float:
    assert one.landmarks
    assert other.landmarks
    return float(np.abs(np.subtract(one.landmarks, other.landmarks)).max())


@pytest.mark.parametrize(("bfloat16", "pixels"), [(False, 0.01), (True, 1.0)])
def test_the_faces_are_those_of_opencv_within_a_pixel(
    bfloat16: bool, pixels: float, yunet_file: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yunet_compiler, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(yunet_openvino, "UNUSED_AFTER", 0)
    networks, opencv = (
        Networks(NetworkCompiler(yunet_file.read_bytes(), threads=1)),
        YuNet(yunet_file.read_bytes()),
    )
    detector, faces = YuNetOpenVino(networks), 0
    for image, _ in boxed_faces(shared):
        detector.detect(image)
        networks.wait()  # until there is a network of the picture's own size
        expected, found = opencv.detect(image), detector.detect(image)
        faces += len(found)
        assert len(found) == len(expected)
        for face in found:
            same = min(expected, key=lambda other: apart(face, other))
            assert apart(face, same) < pixels
            assert landmarks_apart(face, same) < 2 * pixels
    assert faces == 43


class Compiling:
    """Compiles networks, the first at once. The sizes after it it counts, and holds or refuses."""

    def __init__(self, yunet_file: Path, *, held: bool = False, refused: bool = False) -> None:
        self.sizes: list[Size] = []
        self.go_on = threading.Event()
        self._compile = NetworkCompiler(yunet_file.read_bytes(), threads=2)
        self._is_first = True
        self._is_refused = refused
        if not held:
            self.go_on.set()

    def __call__(self, size: Size) -> Network:
        if self._is_first:
            self._is_first = False
            return self._compile(size)
        self.sizes.append(size)
        if self._is_refused:
            raise OpenVinoUnavailableError("OpenVINO's device CPU refuses the model: no memory")
        assert self.go_on.wait(PATIENCE_S)
        return self._compile(size)


def test_a_picture_in_a_larger_network_has_the_same_faces_within_three_pixels(
    yunet_file: Path, shared: Path
) -> None:
    networks = Networks(Compiling(yunet_file, refused=True))
    detector, opencv = YuNetOpenVino(networks), YuNet(yunet_file.read_bytes())
    for image, _ in boxed_faces(shared):
        expected, found = opencv.detect(image), detector.detect(image)
        assert len(found) == len(expected)
        assert all(min(apart(face, other) for other in expected) < 3 for face in found)
    assert networks.sizes == {LARGEST}


def test_no_picture_waits_for_a_network_to_be_compiled(yunet_file: Path) -> None:
    compiling = Compiling(yunet_file, held=True)
    networks = Networks(compiling)
    detector = YuNetOpenVino(networks)
    for _ in range(3):
        for width, height in ((320, 240), (640, 360), (100, 300)):
            assert detector.detect(blank(width, height)) == []
    assert compiling.sizes == [(320, 256)]  # which still is being compiled
    assert networks.sizes == {LARGEST}
    compiling.go_on.set()
    networks.wait()
    assert networks.sizes == {LARGEST, (320, 256)}


def test_exact_pictures_of_any_sizes_compile_few_networks_once_each(yunet_file: Path) -> None:
    networks = Networks(compiling := Recording(yunet_file))
    detector = YuNetOpenVino(networks)
    sizes = [(width, height) for width in range(64, 641, 96) for height in range(64, 641, 96)]
    for _ in range(2):
        for size in sizes:
            assert detector.detect(blank(*size), exact=True) == []
    assert len(compiling.sizes) == len(set(compiling.sizes)) <= len(EXACT_SHAPES)


def test_the_network_of_an_exact_picture_follows_from_its_size_alone(
    yunet_file: Path, shared: Path
) -> None:
    image, _ = next(boxed_faces(shared))
    fresh, used = (Networks(NetworkCompiler(yunet_file.read_bytes(), threads=1)) for _ in range(2))
    YuNetOpenVino(used).detect(image)
    used.wait()  # there is a network of the picture's own size, which live pictures use
    expected = YuNetOpenVino(fresh).detect(image, exact=True)
    assert YuNetOpenVino(used).detect(image, exact=True) == expected


@pytest.mark.parametrize("error", [MemoryError(), KeyError("x")])
def test_no_error_of_the_compiler_keeps_exact_pictures_waiting(
    error: Exception, yunet_file: Path
) -> None:
    compiling = Recording(yunet_file)
    networks = Networks(compiling)
    compiling.error = error
    assert YuNetOpenVino(networks).detect(blank(640, 480), exact=True) == []
    compiling.error = None
    assert YuNetOpenVino(networks).detect(blank(640, 360), exact=True) == []
    assert networks.sizes == {LARGEST, (640, 384)}


def test_a_patient_detector_finds_the_same_whenever_a_picture_comes(
    yunet_file: Path, shared: Path
) -> None:
    networks = Networks(NetworkCompiler(yunet_file.read_bytes(), threads=1), patient=True)
    image, _ = next(boxed_faces(shared))
    first = YuNetOpenVino(networks).detect(image)
    assert len(networks.sizes) == 2
    assert YuNetOpenVino(networks).detect(image) == first


def test_sizes_in_turn_are_compiled_once_each_as_long_as_there_is_room(yunet_file: Path) -> None:
    compiling = Compiling(yunet_file)
    networks = Networks(compiling)
    detector = YuNetOpenVino(networks)
    sizes = [(64 + 32 * number, 96) for number in range(SIZES_KEPT + 3)]
    for _ in range(4):
        for size in sizes:
            assert detector.detect(blank(*size)) == []
            networks.wait()
    assert compiling.sizes == sizes[:SIZES_KEPT]
    assert networks.sizes == {LARGEST, *sizes[:SIZES_KEPT]}


def test_a_size_that_no_camera_has_any_more_gives_way(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yunet_openvino, "UNUSED_AFTER", 3 * SIZES_KEPT)
    detector = YuNetOpenVino(networks)
    sizes = [(64 + 32 * number, 96) for number in range(SIZES_KEPT + 1)]
    gone, *there = sizes
    for _ in range(4):
        for size in sizes if gone in sizes else there:
            detector.detect(blank(*size))
            networks.wait()
        sizes = there
    assert networks.sizes == {LARGEST, *there}


def test_a_size_that_cannot_be_compiled_goes_on_in_a_larger_network(
    yunet_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiling = Compiling(yunet_file, refused=True)
    networks = Networks(compiling)
    for _ in range(3):
        assert YuNetOpenVino(networks).detect(blank(320, 240)) == []
        networks.wait()
    assert compiling.sizes == [(320, 256)]
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("YuNet goes on with larger inputs than 320x256")


def test_threads_share_the_networks_and_do_not_mix_pictures_up(
    networks: Networks, shared: Path
) -> None:
    pictures = [image for image, _ in boxed_faces(shared)][:3]
    for picture in pictures:
        YuNetOpenVino(networks).detect(picture)
        networks.wait()
    alone = [YuNetOpenVino(networks).detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        found = list(
            threads.map(lambda picture: YuNetOpenVino(networks).detect(picture), pictures * 8)
        )
    assert found == alone * 8


def test_overlaps_are_suppressed_as_opencv_does_it() -> None:
    noise = np.random.default_rng(0)
    for count in (0, 1, 2, 50, 700):
        corners, sides = noise.uniform(-20, 200, (count, 2)), noise.uniform(2, 90, (count, 2))
        scores = noise.permutation(np.linspace(SCORE_THRESHOLD + 0.01, 1, count))
        faces = np.column_stack([corners, sides, scores]).astype(np.float32)
        boxes = np.trunc(faces[:, :4]).astype(int).tolist()
        kept = cv2.dnn.NMSBoxes(boxes, faces[:, 4].tolist(), 0.5, NMS_THRESHOLD, top_k=5000)
        assert np.array_equal(suppress(faces), faces[np.asarray(kept, int).ravel()])


def other_network(**shapes: tuple[int, ...]) -> openvino.Model:
    picture = ops.parameter([1, 3, 640, 640], np.float32, name="input")
    mean = ops.reduce_mean(picture, np.array([0, 1, 2, 3]), keep_dims=False)
    outputs = []
    for name, shape in shapes.items():
        output = ops.result(ops.broadcast(mean, np.array(shape)))
        output.output(0).get_tensor().set_names({name})
        outputs.append(output)
    return openvino.Model(outputs, [picture], "other")


EIGHT = {f"{kind}_{n}": (1, (640 // n) ** 2, 1) for n in (8, 16, 32) for kind in ("cls", "obj")}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: other_network(cls_8=(1, 6400, 1)), "not YuNet's network"),
        (
            lambda: other_network(
                **EIGHT,
                **{f"bbox_{n}": (1, 7, 4) for n in (8, 16, 32)},
                **{f"kps_{n}": (1, (640 // n) ** 2, 10) for n in (8, 16, 32)},
            ),
            r"not YuNet's network: bbox_8 has shape \(1, 7, 4\)",
        ),
    ],
)
def test_a_network_of_other_shapes_is_refused_in_one_line(
    model: Callable[[], openvino.Model],
    reason: str,
    yunet_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openvino.Core, "read_model", lambda *_: model())
    with pytest.raises(ValueError, match=reason) as refused:
        Networks(NetworkCompiler(yunet_file.read_bytes(), threads=1))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="not YuNet's network") as refused:
        Networks(NetworkCompiler((tmp_path / "model.onnx").read_bytes(), threads=1))
    assert "\n" not in str(refused.value)


def test_yunet_runs_on_opencv_if_openvino_is_unavailable_or_the_cpu_unsuitable(
    yunet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(choose_detector("yunet", yunet_file, threads=1)(), YuNetOpenVino)
    with monkeypatch.context() as patch:
        patch.setattr("openvino.__version__", "2024.6.0")
        assert isinstance(choose_detector("yunet", yunet_file, threads=1)(), YuNet)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "openvino", None)
        assert isinstance(choose_detector("yunet", yunet_file, threads=1)(), YuNet)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert isinstance(choose_detector("yunet", yunet_file, threads=1)(), YuNet)
