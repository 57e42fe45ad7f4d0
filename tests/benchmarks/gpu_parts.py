"""What the parts of a worker do on a GPU by themselves, and what its matrix units can do."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import machine
from tests.benchmarks.material import YUNET, images
from worker.inference.detect.yunet_keras import YuNetKeras
from worker.inference.engines.keras import KerasEngine
from worker.inference.keras_backend import open_backend
from worker.model.architecture import SIMPNET_V2
from worker.model.release import Release

_PICTURE: Final = (640, 480)
_MATRIX_CHAIN: Final = 16
"""Products in one call, so that neither the transfer nor the call counts."""


def measure(release: Release, clip: Path, threads: int, rounds: int, matrix: int) -> dict[str, Any]:
    """Classification, its share of the matrix rate, and detection."""
    flops_per_s = matrix_rate(matrix, rounds)
    engine = KerasEngine(release, threads)
    engine.warm()
    side = release.card.input_size
    faces = by_batch(
        lambda batch: lambda: engine.classify(np.zeros((batch, side, side, 3), np.uint8)),
        engine.buckets,
        engine.instances,
        rounds,
    )
    share = max(faces.values()) * flops_per_face(side) / flops_per_s
    return {
        "backend": keras.backend.backend(),
        "matrix_tflops_per_s": round(flops_per_s / 1e12, 3),
        "faces_per_s": faces,
        "matrix_share": round(share, 3),
        "picture": "x".join(map(str, _PICTURE)),
        "pictures_per_s": _pictures_per_s(clip, threads, rounds),
    }


def flops_per_face(side: int) -> int:
    """Operations of SimpNet V2's convolutions for one face, two per product and sum."""
    total, channels = 0, 3
    for block in SIMPNET_V2:
        side -= 2 if block.padding == "valid" else 0
        total += 2 * side * side * 9 * channels * block.filters
        channels = block.filters
        side //= 1 if block.pool == "none" else 2
    return total


def matrix_rate(side: int, rounds: int) -> float:
    """Operations a second in products of float16 matrices: the best of the rounds."""
    backend = open_backend(machine.cores())

    def products(seed: Any) -> Any:
        ops = keras.ops
        # Scaled, so that the products neither overflow nor vanish.
        matrix = ops.cast(ops.ones((side, side)) / side, "float16") + ops.cast(seed, "float16")
        product = matrix
        for _ in range(_MATRIX_CHAIN):
            product = ops.matmul(product, matrix)
        return ops.cast(ops.sum(product[:1], axis=1), "float32")

    compiled = backend.compile(products, np.zeros(1, np.float32))
    compiled(np.zeros(1, np.float32))
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        compiled(np.zeros(1, np.float32))
        spent.append(time.perf_counter() - began)
    return float(_MATRIX_CHAIN * 2 * side**3 / min(spent))


def by_batch(
    call: Callable[[int], Callable[[], object]],
    batches: Sequence[int],
    instances: int,
    rounds: int,
) -> dict[int, float]:
    """Items a second for each batch size, as many calls at a time as there are instances."""
    rates = {}
    with ThreadPoolExecutor(instances) as threads:
        for batch in batches:
            work, calls = call(batch), 8 * instances
            list(threads.map(lambda run: run(), repeat(work, instances)))
            spent = []
            for _ in range(rounds):
                began = time.perf_counter()
                list(threads.map(lambda run: run(), repeat(work, calls)))
                spent.append(time.perf_counter() - began)
            rates[batch] = round(calls * batch / median(spent), 1)
    return rates


def _pictures_per_s(clip: Path, threads: int, rounds: int) -> dict[int, float]:
    """Detection alone: the batch, and its candidates' faces on the host."""
    detector = YuNetKeras(YUNET.read_bytes(), threads=threads)
    detector.warm()
    image = np.asarray(cv2.resize(images(clip)[0], _PICTURE), np.uint8)

    def call(batch: int) -> Callable[[], object]:
        picture, scale = detector.prepare(image)
        group: list[NDArray[np.uint8]] = [picture] * batch
        return lambda: [detector.faces(row, scale) for row in detector.candidates(group)]

    return by_batch(call, detector.buckets, detector.instances, rounds)
