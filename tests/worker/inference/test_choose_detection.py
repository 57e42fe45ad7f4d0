"""Which detector a worker takes, and where it runs."""

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.metrics import WorkerMetrics
from tests.worker.stubs import Indifferent
from worker.inference import choose_detection as module
from worker.inference.choose_detection import DetectorOptions, choose_detection
from worker.inference.detect.choose import YUNET_FILE, DetectorUnavailableError
from worker.inference.detection import BatchedDetection, DetectionStage, ThreadedDetection
from worker.model.release import load


@pytest.fixture
def yunet_file(shared: Path) -> Path:
    return shared / "models" / "yunet" / YUNET_FILE


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "visible_gpus", lambda: ("0",))


def chosen(engine: str, detector: str, file: Path | None) -> DetectionStage:
    stub: Any = Indifferent()
    stub.name = engine

    def new_pool(threads: int, name: str) -> Executor:
        return ThreadPoolExecutor(threads, name)

    return choose_detection(
        DetectorOptions(detector, file, side=640, threads=1),
        stub,
        load().card,
        new_pool(1, "frames"),
        new_pool,
        WorkerMetrics(CollectorRegistry()),
    )


@pytest.mark.parametrize("detector", ["auto", "yunet"])
def test_yunet_runs_in_batches_beside_keras_on_a_gpu(detector: str, yunet_file: Path) -> None:
    stage = chosen("keras", detector, yunet_file)
    assert isinstance(stage, BatchedDetection)
    assert stage.detector == "yunet"
    assert stage.in_batches == 32


@pytest.mark.parametrize("engine", ["openvino", "mnn"])
def test_yunet_runs_in_threads_beside_an_engine_of_the_cpu(engine: str, yunet_file: Path) -> None:
    assert isinstance(chosen(engine, "yunet", yunet_file), ThreadedDetection)


def test_yunet_runs_in_threads_if_no_gpu_is_visible(
    yunet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "visible_gpus", lambda: ())
    stage = chosen("keras", "auto", yunet_file)
    assert isinstance(stage, ThreadedDetection)
    assert stage.in_batches == 0


def test_the_cascade_runs_in_threads() -> None:
    stage = chosen("keras", "haar", None)
    assert isinstance(stage, ThreadedDetection)
    assert stage.detector == "haar"


def test_auto_chooses_the_cascade_without_yunet_on_a_gpu_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("worker.inference.detect.choose.YUNET_URL", "http://127.0.0.1:1/yunet.onnx")
    assert chosen("keras", "auto", None).detector == "haar"
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "misses about one face in four" in warning


def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a model")
    with pytest.raises(DetectorUnavailableError, match="sha256") as refused:
        chosen("keras", "auto", wrong)
    assert "\n" not in str(refused.value)
