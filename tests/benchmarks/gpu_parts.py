"""What the parts of a worker do on a GPU by themselves, and what its matrix units can do.

`python -m tests.benchmarks.gpu_parts` prints it as JSON. It is a process of its own because Keras'
backend keeps the GPU's memory until its process ends.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import machine
from tests.benchmarks.material import YUNET, encoded, fitted, images
from training.commands.evaluate import stdout_to_stderr
from worker.inference.decode import decode
from worker.inference.detect.yunet_keras import YuNetKeras
from worker.inference.engines.keras import KerasEngine
from worker.inference.keras_backend import open_backend
from worker.model import release as releases
from worker.model.architecture import Blocks
from worker.model.release import Release

_FURTHER: Final = (2, 4)
"""Multiples of the largest batch of a worker that are measured, too: whether more would help."""

_DECODED: Final = 32
"""Pictures that a thread decodes in one call."""

_MATRIX_CHAIN: Final = 16
"""Products in one call, so that neither the transfer nor the call counts."""


def measure(
    release: Release, image: NDArray[np.uint8], threads: int, rounds: int, matrix: int
) -> dict[str, Any]:
    """Classification, its share of the matrix rate, decoding and detection."""
    flops_per_s = matrix_rate(matrix, rounds)
    largest, faces = _faces_per_s(release, threads, rounds)
    per_face = flops_per_face(release.card.input_size, release.card.blocks)
    shares = {batch: round(rate * per_face / flops_per_s, 3) for batch, rate in faces.items()}
    return {
        "backend": keras.backend.backend(),
        "matrix_tflops_per_s": round(flops_per_s / 1e12, 3),
        "worker_max_batch": largest,
        "faces_per_s": faces,
        "matrix_share": max(share for batch, share in shares.items() if batch <= largest),
        "matrix_share_by_batch": shares,
        "picture": f"{image.shape[1]}x{image.shape[0]}",
        "decoded_per_s": _decoded_per_s(image, threads, rounds),
        "pictures_per_s": _pictures_per_s(image, threads, rounds),
    }


def flops_per_face(side: int, blocks: Blocks) -> int:
    """Operations of a network's convolutions for one face, two per product and sum."""
    total, channels = 0, 3
    for block in blocks:
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


def _faces_per_s(release: Release, threads: int, rounds: int) -> tuple[int, dict[int, float]]:
    """The worker's largest batch, and classification alone, also in larger batches."""
    engine = KerasEngine(release, threads)
    engine.warm()
    side = release.card.input_size
    further = [factor * engine.max_batch for factor in _FURTHER]

    def call(batch: int) -> Callable[[], object]:
        crops = np.zeros((batch, side, side, 3), np.uint8)
        engine.classify(crops)  # compiles what is larger than a worker's batches
        return lambda: engine.classify(crops)

    rates = by_batch(call, [*engine.buckets, *further], engine.instances, rounds)
    return engine.max_batch, rates


def _decoded_per_s(image: NDArray[np.uint8], threads: int, rounds: int) -> dict[int, float]:
    """JPEGs of the picture that one thread decodes, and all of them together, by threads."""
    jpeg = encoded(image).jpeg

    def call(batch: int) -> Callable[[], object]:
        return lambda: [decode(jpeg) for _ in range(batch)]

    # Many in one call, so that handing them to threads does not count.
    return {
        count: by_batch(call, [_DECODED], count, rounds)[_DECODED] for count in sorted({1, threads})
    }


def _pictures_per_s(image: NDArray[np.uint8], threads: int, rounds: int) -> dict[int, float]:
    """Detection alone: the batch, and its candidates' faces on the host."""
    detector = YuNetKeras(YUNET.read_bytes(), threads=threads)
    detector.warm()

    def call(batch: int) -> Callable[[], object]:
        picture, scale = detector.prepare(image)
        group: list[NDArray[np.uint8]] = [picture] * batch
        return lambda: [detector.faces(row, scale) for row in detector.candidates(group)]

    return by_batch(call, detector.buckets, detector.instances, rounds)


def main() -> int:
    """Measure a release and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--clip", type=Path, required=True)
    for name in ("width", "height", "threads", "rounds", "matrix"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    with stdout_to_stderr():
        image = fitted(images(options.clip)[0], options.width, options.height)
        figures = measure(
            releases.load(options.model), image, options.threads, options.rounds, options.matrix
        )
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
