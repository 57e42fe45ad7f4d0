"""YuNet in Keras: the faces that OpenCV finds, in batches, for pictures of any sizes."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.inference.test_detect import boxed_faces
from tests.worker.inference.test_yunet_openvino import apart, landmarks_apart
from worker.inference.detect import Detection
from worker.inference.detect.choose import YUNET_FILE
from worker.inference.detect.yunet import DETECT_SIDE, YuNet
from worker.inference.detect.yunet_keras import YuNetKeras
from worker.inference.faces import MAX_FACES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def weights(shared: Path) -> bytes:
    return (shared / "models" / "yunet" / YUNET_FILE).read_bytes()


@pytest.fixture(scope="module")
def detector(weights: bytes) -> YuNetKeras:
    """With the buckets that it has compiled by the end: one picture, and four."""
    return YuNetKeras(weights, threads=2)


def found(detector: YuNetKeras, images: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
    """The faces of pictures in one batch."""
    prepared = [detector.prepare(image) for image in images]
    rows = detector.candidates([picture for picture, _ in prepared])
    return [detector.faces(row, scale) for row, (_, scale) in zip(rows, prepared, strict=True)]


def assert_same(found: list[Detection], expected: list[Detection], pixels: float = 0.01) -> None:
    assert len(found) == len(expected)
    for face in found:
        same = min(expected, key=lambda other: apart(face, other))
        assert apart(face, same) < pixels
        assert landmarks_apart(face, same) < 2 * pixels
        assert face.score == pytest.approx(same.score, abs=1e-3)


def test_the_faces_are_those_of_opencv_at_every_size_without_another_compilation(
    detector: YuNetKeras, weights: bytes, shared: Path
) -> None:
    opencv, faces = YuNet(weights), 0
    (_,) = found(detector, [np.zeros((48, 64, 3), np.uint8)])
    traces = detector.traces
    for image, _ in boxed_faces(shared):
        for factor in (1.0, 0.61, 1.7):  # as large as it is, smaller, and reduced for detection
            size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
            resized = np.asarray(cv2.resize(image, size), np.uint8)
            (faces_found,) = found(detector, [resized])
            assert_same(faces_found, opencv.detect(resized))
            faces += len(faces_found) if factor == 1.0 else 0
    assert faces == 43
    assert detector.traces == traces


def test_pictures_of_different_sizes_in_one_batch_have_the_faces_that_they_have_alone(
    detector: YuNetKeras, shared: Path
) -> None:
    images = [image for image, _ in boxed_faces(shared)][:3]
    images[1] = images[1][: images[1].shape[0] // 2]
    alone = [found(detector, [image])[0] for image in images]
    assert any(alone)
    for _ in range(2):  # the second time with what the first left in the input
        for faces, expected in zip(found(detector, images), alone, strict=True):
            assert_same(faces, expected)
        images.reverse()
        alone.reverse()


def test_two_threads_do_not_mix_batches_up(detector: YuNetKeras, shared: Path) -> None:
    images = [image for image, _ in boxed_faces(shared)][:4]
    alone = [found(detector, [image]) for image in images]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda image: found(detector, [image]), images * 4))
    assert together == alone * 4


def test_each_bucket_is_traced_once_while_it_warms_up_and_never_again(weights: bytes) -> None:
    detector = YuNetKeras(weights, side=160)
    detector.warm()
    assert detector.traces == len(detector.buckets) == 3
    for sizes in ([(720, 1280)], [(1280, 64), (3, 2000)], [(480, 640)] * 4, [(90, 160)] * 16):
        faces = found(detector, [np.full((*size, 3), 127, np.uint8) for size in sizes])
        assert faces == [[]] * len(sizes)
    assert detector.traces == 3


@pytest.mark.parametrize(
    ("side", "largest"), [(160, 16), (DETECT_SIDE, 16), (1280, 4), (1281, 1), (4096, 1)]
)
def test_larger_pictures_come_in_smaller_batches(side: int, largest: int, weights: bytes) -> None:
    assert YuNetKeras(weights, side=side).max_batch == largest


def test_a_crowd_has_the_faces_that_opencv_finds(
    detector: YuNetKeras, weights: bytes, shared: Path
) -> None:
    image, _ = next(boxed_faces(shared))
    crowd = np.tile(np.asarray(cv2.resize(image, (160, 120)), np.uint8), (4, 4, 1))
    (faces,) = found(detector, [crowd])
    expected = YuNet(weights).detect(crowd)
    assert len(expected) > MAX_FACES
    assert_same(faces, expected)


def replaced(weights: bytes, old: bytes, new: bytes, times: int) -> bytes:
    assert len(old) == len(new)
    assert weights.count(old) >= times
    return weights.replace(old, new, times)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _: b"not a model", "ONNX"),
        (lambda _: b"", "not YuNet's network: 0 convolutions instead of 53"),
        (lambda weights: weights[: len(weights) // 2], "cut off"),
        (
            lambda weights: replaced(weights, b'"\x04Conv', b'"\x04Cond', 1),
            "not YuNet's network: 52 convolutions instead of 53",
        ),
        (
            # The first pair of dimensions of a 1x1 convolution from 16 to 32 channels, swapped.
            lambda weights: replaced(weights, b"\x08\x20\x08\x10", b"\x08\x10\x08\x20", 1),
            r"convolution 5 has shape \(16, 32, 1, 1\) instead of \(32, 16, 1, 1\)",
        ),
        (
            lambda weights: replaced(weights, b"\x08\x10\x08\x10", b"\x08\x10\x08\x11", 1),
            "no float32 kernel and bias",
        ),
    ],
)
def test_a_file_of_another_network_is_refused_in_one_line(
    damage: Callable[[bytes], bytes], reason: str, weights: bytes
) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        YuNetKeras(damage(weights))
    assert "\n" not in str(refused.value)


def test_jax_finds_the_same_faces(detector: YuNetKeras, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="the JAX backend is not installed")
    image, _ = next(boxed_faces(shared))
    np.save(tmp_path / "image.npy", image)
    script = (
        "import sys, numpy as np; from pathlib import Path; "
        "from worker.inference.detect.yunet_keras import YuNetKeras; "
        "detector = YuNetKeras(Path(sys.argv[2]).read_bytes()); "
        "picture, _ = detector.prepare(np.load(sys.argv[1] + '/image.npy')); "
        "np.save(sys.argv[1] + '/rows.npy', detector.candidates([picture])); "
        "sys.exit(detector.traces != 1 or 'tensorflow' in sys.modules)"
    )
    file = shared / "models" / "yunet" / YUNET_FILE
    environ = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", script, str(tmp_path), str(file)]
    subprocess.run(command, check=True, cwd=ROOT, env=environ)
    (row,) = np.load(tmp_path / "rows.npy")
    (expected,) = found(detector, [image])
    assert_same(detector.faces(row, detector.prepare(image)[1]), expected)
