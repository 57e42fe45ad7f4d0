"""Chooses how a worker detects faces: in batches on the engine's GPU, or in its threads."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from service.metrics import WorkerMetrics
from worker.inference.detect.choose import choose_batch_detector, choose_detector
from worker.inference.detect.haar import Haar
from worker.inference.detection import (
    BatchedDetection,
    DetectionStage,
    FrameThreads,
    ThreadedDetection,
)
from worker.inference.devices import visible_gpus
from worker.inference.engines import Engine
from worker.inference.faces import FaceCropper, FaceDetectionStage
from worker.model.card import ModelCard


@dataclass(frozen=True)
class DetectorOptions:
    """The detector that is wanted, as in choose_detector."""

    name: str
    model: Path | None
    side: int
    threads: int


def choose_detection(
    options: DetectorOptions,
    engine: Engine,
    card: ModelCard,
    executor: Executor,
    new_pool: Callable[[int, str], Executor],
    metrics: WorkerMetrics,
) -> DetectionStage:
    """Return the detection stage: YuNet on the GPU if the engine runs there, else in threads.

    `executor` has the threads that decode. `new_pool` returns so many threads of that name. Raises
    DetectorUnavailableError.
    """
    threads = FrameThreads(executor, metrics)
    if options.name == "haar" or not _on_gpu(engine):
        new_detector = choose_detector(
            options.name, options.model, side=options.side, threads=options.threads
        )
    elif batched := choose_batch_detector(
        options.name, options.model, side=options.side, threads=options.threads
    ):
        cropper = FaceCropper(card, batched.name, options.side)
        pool = new_pool(batched.instances, "detector")
        return BatchedDetection(batched, cropper, threads, pool, metrics)
    else:
        new_detector = Haar
    return ThreadedDetection(FaceDetectionStage(new_detector, card, options.side), threads)


def _on_gpu(engine: Engine) -> bool:
    # build_engine lets keras run beside a visible GPU only if it uses it.
    return engine.name == "keras" and bool(visible_gpus())
