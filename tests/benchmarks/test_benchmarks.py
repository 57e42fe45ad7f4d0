"""The benchmarks start and say what they promise; what they measure is not for a test suite."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Self

import cv2
import pytest

from tests.benchmarks import (
    detectors,
    engines,
    gpu,
    gpu_parts,
    labels,
    latency,
    origin,
    overload,
    peers,
    pipeline,
    producer,
    scale,
    tracking,
)
from tests.benchmarks.__main__ import NAMES, main
from tests.benchmarks.material import CLIP, YUNET, fitted, images
from tests.benchmarks.memory import Growth
from tests.benchmarks.stages import Cost
from tests.benchmarks.system import Published, System
from tests.servers import eventually
from worker.model.architecture import SIMPNET_V2, SIMPNET_V2_SLIM

FOLDER = Path(__file__).parent


def test_every_benchmark_is_a_module_that_says_what_it_is() -> None:
    for name in NAMES:
        text = (FOLDER / f"{name}.py").read_text()
        assert text.startswith('"""')
        assert "def add_arguments(" in text
        assert "def run(" in text
        assert "\nSHORT: Final = {" in text


def test_an_unknown_benchmark_is_refused_with_the_names_that_there_are() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "warp"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "pipeline" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("pipeline --cameras 0", "--cameras"),
        ("engines --rounds 0", "--rounds"),
        ("scale --workers a", "--workers"),
        ("scale --simulated-workers 1", "--simulated-workers"),
        ("overload --seconds 0", "--seconds"),
        ("peers --modes fast", "--modes"),
        ("peers --plot x.png", "--plot needs --data"),
        ("latency --model nothing-of-that-name", "no model"),
        ("pipeline --clip nothing.avi", "nothing.avi: no frames"),
    ],
)
def test_an_impossible_measurement_is_refused_in_one_line(
    arguments: str,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cv2, "setNumThreads", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tests.benchmarks {arguments.split()[0]}: ")
    assert complaint in line


def test_gpu_ends_with_one_line_if_no_gpu_is_visible() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "gpu"]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=hidden)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tests.benchmarks gpu: no GPU is visible")


def test_gpu_counts_the_operations_of_the_convolutions() -> None:
    assert gpu_parts.flops_per_face(64, SIMPNET_V2) == pytest.approx(2 * 4.1e9, rel=0.01)


def test_gpu_counts_the_operations_of_the_network_that_a_release_has() -> None:
    full, slim = (gpu_parts.flops_per_face(32, blocks) for blocks in (SIMPNET_V2, SIMPNET_V2_SLIM))
    assert slim < full / 3


def test_gpu_shares_the_threads_out_over_the_workers() -> None:
    arguments = Namespace(threads=16, processes=2)
    options = gpu.worker_options(arguments, "keras", "simpnet-v2")
    assert options[options.index("--threads") + 1] == "8"


def test_gpu_gives_each_worker_its_own_profile() -> None:
    seconds: list[list[dict[str, float]]] = [
        [{"loop": 1.0, "engine": 2.0}, {"loop": 5.0, "engine": 5.0}],
        [{"loop": 1.1, "engine": 2.2, "detector": 0.3}, {"loop": 5.0, "engine": 5.0}],
    ]
    system: Any = SimpleNamespace(busy_s=lambda: seconds.pop(0))
    profile = gpu.Profile(system)
    time.sleep(0.2)
    first, second = profile.shares()
    assert 0 < first["loop"] <= 0.5
    assert first["engine"] == pytest.approx(2 * first["loop"], rel=0.1)
    assert first["detector"] == pytest.approx(3 * first["loop"], rel=0.1)
    assert second == {"loop": 0, "engine": 0}


@pytest.mark.skipif(not CLIP.is_file(), reason="no clip")
@pytest.mark.parametrize("size", [(640, 480), (640, 300)])
def test_a_clip_is_fitted_to_a_size_with_all_its_faces_and_no_others(size: tuple[int, int]) -> None:
    image = fitted(images(CLIP)[0], *size)
    assert image.shape == (size[1], size[0], 3)
    detector = cv2.FaceDetectorYN.create(str(YUNET), "", size, 0.7)
    assert len(detector.detect(image)[1]) == 3


def test_gpu_counts_every_item_of_every_call() -> None:
    def call(batch: int) -> Callable[[], object]:
        return lambda: time.sleep(0.01)

    def are_right() -> bool:
        rates = gpu_parts.by_batch(call, [1, 4], instances=2, rounds=1)
        # Two at a time, 10 ms each.
        return rates == {1: pytest.approx(200, rel=0.5), 4: pytest.approx(800, rel=0.5)}

    eventually(are_right)  # on a machine that has time


def test_a_benchmark_prints_one_json_line_with_what_it_ran_on() -> None:
    options = ["--short", "--seconds", "3"]
    command = [sys.executable, "-m", "tests.benchmarks", "dataplane", *options]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(printed)
    assert result["benchmark"] == "dataplane"
    assert result["frames_per_s"] > 0
    assert result["options"]["seconds"] == 3  # --short does not overrule what was asked for
    assert {"machine", "cores", "load_average", "at", "versions"} <= result.keys()


def test_efficiency_is_the_rate_over_what_the_cores_could_do_with_the_stages_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.benchmarks.machine.cores", lambda: 2)
    alone = [{"decode": Cost(0.001, 0.001), "classify": Cost(0.1, 0.019)}]
    result = pipeline.summary(
        alone, [Published(frames=800, faces=2400, seconds=10, worker_cpu_s=18.0)]
    )
    assert result["frames_per_s"] == 80
    assert result["faces_per_s"] == 240
    assert result["efficiency"] == 0.8  # of 2 / 0.02 = 100 frames a second
    assert result["cpu_efficiency"] == round(0.02 * 800 / 18, 3)


def test_engines_compares_round_by_round_and_takes_the_median() -> None:
    rates = {
        "keras predict": [10.0, 20.0, 10.0],
        "mnn bare": [100.0, 200.0, 400.0],
        "mnn in the worker": [90.0, 196.0, 100.0],
        "openvino in the worker": [180.0, 294.0, 250.0],
    }
    result = engines.summary(rates)
    assert result["mnn_over_keras_predict"] == 9.8  # of 9, 9.8 and 10
    assert result["worker_over_bare"] == 0.9
    assert result["openvino_over_mnn"] == 2.0  # of 2, 1.5 and 2.5
    assert result["faces_per_s"]["mnn bare"] == 200


def test_latency_is_held_against_the_stages_as_the_worker_runs_them_and_on_one_thread() -> None:
    result = latency.summary(list(range(101)), [40.0] * 3, [50.0] * 3)
    assert (result["p50_ms"], result["p95_ms"], result["p99_ms"]) == (50, 95, 99)
    assert (result["p50_over_service"], result["p99_over_service"]) == (1.25, 2.48)
    assert (result["p50_over_single_thread"], result["p99_over_single_thread"]) == (1.0, 1.98)


def test_overload_says_how_old_how_much_and_whether_it_grows() -> None:
    published = Published(frames=950, faces=2850, seconds=10, worker_cpu_s=19)
    result = overload.summary(published, range(1001), Growth(2.0, 0.1, 0.05), 24.0, saturated=100)
    assert result["p99_age_ms"] == 990
    assert result["over_saturation"] == 0.95
    assert {"service_ms", "rss_slope_mb_per_min"} <= result.keys()


def test_detectors_measures_each_size_of_each(shared: Path) -> None:
    result = detectors.run(Namespace(clip=clip(shared), rounds=1))
    for detector in ("yunet", "haar"):
        assert result["ms_per_frame"][detector].keys() == {"320x240", "640x480", "1280x720"}
    assert result["faces"]["yunet"]["640x480"] >= 1


def test_origin_takes_both_in_turn(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    now_s = 0.0

    class OneFacePerFrame:
        """In 10 ms, by the benchmark's clock."""

        def __init__(self, _: object) -> None:
            pass

        def faces(self, _: object) -> int:
            nonlocal now_s
            now_s += 0.01
            if order[-1:] != ["origin"]:
                order.append("origin")
            return 1

    def watch(*_: object) -> Published:
        order.append("ours")
        return Published(frames=1, faces=100 * len(order), seconds=1, worker_cpu_s=1)

    monkeypatch.setattr(origin, "time", SimpleNamespace(perf_counter=lambda: now_s))
    monkeypatch.setattr(origin, "Origin", OneFacePerFrame)
    monkeypatch.setattr(origin, "System", partial(System, module="tests.benchmarks.stub_worker"))
    monkeypatch.setattr(System, "watch", watch)
    result = origin.run(given("origin", shared, cameras=2, rounds=2, seconds=1.0))
    assert order == ["origin", "ours", "origin", "ours"]
    assert result["origin_faces_per_s"] == pytest.approx(100, abs=0.2)
    assert result["faces_per_s"] == 300  # of 200 and 400
    assert result["over_origin"] == 3


def test_peers_takes_its_ratio_over_the_fastest_mode(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "install", lambda _: Path())
    monkeypatch.setattr(peers, "Fer", Fer)
    monkeypatch.setattr(peers, "System", partial(System, module="tests.benchmarks.stub_worker"))
    rates = iter([400.0, 100.0, 500.0, 200.0])
    monkeypatch.setattr(peers, "ours", lambda *_: next(rates))
    result = peers.run(given("peers", shared, rounds=2, data=None, plot=None))
    assert result["fer_fastest"] == "tflite"
    assert result["over_fer_of_rounds"] == [2.0, 2.5]
    assert result["over_fer"] == 2.25
    assert result["faces_per_s"] == {
        "tflite": 200, "keras": 50, "mtcnn": 20, "simpnet-v2-32": 450, "simpnet-v2": 150,
    }  # fmt: skip


class Fer:
    pid = os.getpid()
    versions: Final = {"fer": "0"}

    def __init__(self, *_: object) -> None:
        pass

    def faces_per_s(self, mode: str, _: float) -> float:
        return {"tflite": 200.0, "keras": 50.0, "mtcnn": 20.0}[mode]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_producer_is_held_against_ffmpeg_round_by_round() -> None:
    spent = {
        "ffmpeg 5 fps": [8.0, 16.0, 8.0],
        "all 5 fps": [8.0, 12.0, 4.0],
        "ffmpeg 1 fps": [4.0, 8.0, 4.0],
        "all 1 fps": [4.0, 8.0, 4.0],
        "keyframes 1 fps": [1.0, 4.0, 1.0],
    }
    result = producer.summary(spent)
    assert result["all_5fps_over_ffmpeg"] == 0.75  # of 1, 0.75 and 0.5
    assert result["all_1fps_over_ffmpeg"] == 1
    assert result["keyframes_over_ffmpeg"] == 0.125
    assert result["keyframes_over_ffmpeg_1fps"] == 0.25
    assert result["cpu_s_per_minute"]["ffmpeg 5 fps"] == 8


def test_scale_counts_the_cameras_that_move() -> None:
    site = Namespace(simulated_cameras=40, simulated_workers=4, lease_ms=5000)
    result = asyncio.run(scale.simulate(site))
    assert {"start_s", "loss_s", "join_s", "least_to_move"} <= result.keys()
    assert 5 <= result["moved_by_loss"] <= 20
    assert 5 <= result["moved_by_join"] <= 20


def given(name: str, shared: Path, **values: Any) -> Namespace:
    """The arguments that a benchmark has without options, with these changed."""
    parser = ArgumentParser()
    importlib.import_module(f"tests.benchmarks.{name}").add_arguments(parser)
    parser.set_defaults(clip=clip(shared), **values)
    return parser.parse_args([])


def clip(shared: Path) -> Path:
    return shared / "clips" / CLIP.name


def test_tracking_says_how_well_ids_last_and_what_a_frame_costs() -> None:
    found = tracking.run(Namespace(seeds=1, venv=None))
    assert set(found["quality"]) == {"2fps", "5fps", "10fps", "25fps"}
    assert found["quality"]["10fps"]["ours"]["idf1"] > 0.8
    assert set(found["cost"]) == {"associate_us", "advance_us", "pack_us", "bytes_per_track"}


def test_labels_says_how_often_they_flip_and_how_soon_they_change(shared: Path) -> None:
    data = shared / "data" / "ferplus-train-valid.zip"
    found = labels.run(Namespace(model="simpnet-v2-32", data=data, faces=5))
    for clip in found["clips"].values():
        assert clip["ids"] == clip["people"]
    assert found["generated"]["12.5fps"]["delay_s_p50"] <= 0.6
