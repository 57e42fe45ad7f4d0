"""Faces per second of each engine and batch size, against Keras predict called face by face."""

import argparse
import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, Final, TypeAlias

import MNN
import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from tests.benchmarks import machine, options
from tests.benchmarks.material import released
from worker.inference.batcher import Batcher
from worker.inference.engines import Engine
from worker.inference.engines.keras import KerasEngine
from worker.inference.engines.mnn import MnnEngine, open_sessions
from worker.inference.engines.openvino import OpenVinoEngine
from worker.model.release import Release

_BATCHES: Final = (1, 2, 4, 8, 16)
_CAMERAS: Final = 8
Crops: TypeAlias = NDArray[np.uint8]


SHORT: Final = {"rounds": 3, "faces": 16, "compare": 100}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_model(parser)
    parser.add_argument("--threads", type=options.count, default=machine.cores())
    parser.add_argument(
        "--rounds", type=options.count, default=5, help="each runs every contender once"
    )
    parser.add_argument("--faces", type=options.count, default=48, help="per contender and round")
    parser.add_argument(
        "--compare", type=options.count, default=1000, help="crops to compare results on"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every contender once a round, for some rounds; the medians of the rounds' rates."""
    with released(arguments.model, arguments.input_size) as (_, release):
        mnn = MnnEngine(release, arguments.threads)
        openvino = OpenVinoEngine(release, arguments.threads)
        keras = KerasEngine(release, arguments.threads)
        for engine in (mnn, openvino, keras):
            engine.warm()
        crops = _crops(whole_rounds(arguments.faces, mnn), release)
        contenders: dict[str, Callable[[Crops], None]] = {"keras predict": _predict(release)}
        for engine in (mnn, openvino, keras):
            for batch in _BATCHES:
                if batch <= engine.max_batch:
                    contenders[f"{engine.name} {batch}"] = _batched(engine, batch)
        contenders["mnn bare"] = _bare(release, arguments.threads, mnn)
        contenders["mnn in the worker"] = _through_the_batcher(mnn)
        contenders["openvino in the worker"] = _through_the_batcher(openvino)
        rates = _interleaved(contenders, crops, arguments.rounds)
        difference, disagreements = _compare(mnn, keras, _crops(arguments.compare, release))
    return {
        **summary(rates),
        "max_difference": float(f"{difference:.2g}"),
        "disagreements": disagreements,
        "openvino_precision": openvino.precision,
        "compared": arguments.compare,
        "faces": len(crops),
        "input_size": release.card.input_size,
        "threads": arguments.threads,
        "rounds": arguments.rounds,
    }


def whole_rounds(faces: int, engine: Engine) -> int:
    """Return at least `faces`, so that every batch is full and all instances end together.

    There are six batches at least.
    """
    round_of_all = math.lcm(engine.instances * engine.max_batch, _BATCHES[-1])
    return round_of_all * math.ceil(max(faces, 6 * engine.max_batch) / round_of_all)


def summary(rates: dict[str, list[float]]) -> dict[str, Any]:
    """The figures, from each contender's faces per second in each round."""
    worker = rates["mnn in the worker"]
    return {
        "faces_per_s": {name: round(median(of_rounds), 1) for name, of_rounds in rates.items()},
        # Round by round, since the machine may be slower in one than in the next.
        "mnn_over_keras_predict": _ratio(worker, rates["keras predict"]),
        "worker_over_bare": _ratio(worker, rates["mnn bare"]),
        "openvino_over_mnn": _ratio(rates["openvino in the worker"], worker),
    }


def _interleaved(
    contenders: dict[str, Callable[[Crops], None]], crops: Crops, rounds: int
) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender(crops[: len(crops) // 3])
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender(crops)
            rates[name].append(len(crops) / (time.perf_counter() - start))
    return rates


def _ratio(these: list[float], those: list[float]) -> float:
    return round(median(a / b for a, b in zip(these, those, strict=True)), 3)


def _predict(release: Release) -> Callable[[Crops], None]:
    """What the design's origin does: predict() for each face by itself."""
    from worker.model import simpnet
    from worker.model.keras_weights import import_weights

    model = simpnet.build(len(release.card.labels), release.card.input_size)
    import_weights(model, release.weights)

    def classify(crops: Crops) -> None:
        for crop in crops:
            model.predict(crop[np.newaxis] / np.float32(255), verbose=0)

    return classify


def _batched(engine: Engine, batch: int) -> Callable[[Crops], None]:
    """One batch after the other, by one thread."""

    def classify(crops: Crops) -> None:
        for start in range(0, len(crops), batch):
            engine.classify(crops[start : start + batch])

    return classify


def _bare(release: Release, threads: int, engine: Engine) -> Callable[[Crops], None]:
    """MNN's runSession in every instance, over and over a full batch that it was given before: what
    MNN itself needs for so many faces."""
    sessions = open_sessions(release, threads, engine.instances)
    side = release.card.input_size
    for interpreter, session in sessions:
        picture = interpreter.getSessionInput(session)
        interpreter.resizeTensor(picture, (engine.max_batch, 3, side, side))
        interpreter.resizeSession(session)
        given = np.full((engine.max_batch, 3, side, side), 0.5, np.float32)
        layout = MNN.Tensor_DimensionType_Caffe
        picture.copyFrom(MNN.Tensor(given.shape, MNN.Halide_Type_Float, given, layout))

    def classify(crops: Crops) -> None:
        times = len(crops) // (engine.instances * engine.max_batch)

        def run(opened: tuple[Any, Any]) -> None:
            interpreter, session = opened
            for _ in range(times):
                interpreter.runSession(session)

        with ThreadPoolExecutor(engine.instances) as instances:
            list(instances.map(run, sessions))

    return classify


def _through_the_batcher(engine: Engine) -> Callable[[Crops], None]:
    """Frames of four faces of eight cameras, as the worker gives them."""

    async def feed(crops: Crops) -> None:
        with ThreadPoolExecutor(engine.instances) as instances:
            batcher = Batcher(engine, instances, WorkerMetrics(CollectorRegistry()))
            running = asyncio.create_task(batcher.run())
            await asyncio.gather(
                *(
                    batcher.classify(f"camera{start // 4 % _CAMERAS}", crops[start : start + 4])
                    for start in range(0, len(crops), 4)
                )
            )
            running.cancel()

    return lambda crops: asyncio.run(feed(crops))


def _compare(mnn: Engine, keras: Engine, crops: Crops) -> tuple[float, int]:
    """The largest difference of a probability, and how many faces get another emotion."""
    largest, others = 0.0, 0
    for start in range(0, len(crops), mnn.max_batch):
        part = crops[start : start + mnn.max_batch]
        a, b = mnn.classify(part), keras.classify(part)
        largest = max(largest, float(np.abs(a - b).max()))
        others += int((a.argmax(1) != b.argmax(1)).sum())
    return largest, others


def _crops(count: int, release: Release) -> Crops:
    """Noise over gradients: neither constant nor without structure."""
    side, noise = release.card.input_size, np.random.default_rng(0)
    slope = np.linspace(0, 200, side)[np.newaxis, :, np.newaxis, np.newaxis]
    grey = slope * noise.random((count, 1, 1, 1)) + noise.integers(0, 56, (count, side, side, 1))
    return np.repeat(grey.astype(np.uint8), 3, axis=3)
