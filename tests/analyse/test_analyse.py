"""A recording in; tables, an annotated video and a report out: the same in every run."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from analyse.tables import EPISODE_COLUMNS, FACE_COLUMNS
from emotion_streams.emotions import EMOTIONS
from tests.analyse.command import Command, analyse
from tests.faults.processes import ROOT
from tests.gateway import browser

pytestmark = pytest.mark.timeout(1800)

FRAMES = 123
TABLES = ("faces.csv", "episodes.csv", "summary.json")


@pytest.fixture(scope="module")
def recording(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three people, three times over: long enough to disturb in the middle."""
    path = tmp_path_factory.mktemp("recording") / "three people.avi"
    clip = shared / "clips" / "face-demographics-walking-and-pause.avi"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "2", "-i", str(clip), "-c", "copy"]
    subprocess.run([*command, str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def results(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an undisturbed run."""
    out = tmp_path_factory.mktemp("results")
    code, log = analyse(recording, "--out", out)
    assert code == 0, log
    return out / recording.stem


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def frame_count(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def test_a_face_of_a_frame_is_a_row_with_its_place_in_the_recording(results: Path) -> None:
    faces = rows(results / "faces.csv")
    assert tuple(faces[0]) == FACE_COLUMNS
    assert {int(row["frame"]) for row in faces} <= set(range(FRAMES))
    for row in faces:
        assert int(row["position_ms"]) == round(int(row["frame"]) * 1000 / 12)
        assert row["frame_id"].startswith(f"{row['position_ms']}-")
        assert float(row[row["emotion"]]) == float(row["confidence"])
        assert sum(float(row[name]) for name in EMOTIONS) == pytest.approx(1, abs=0.01)
        assert bool(row["track"]) == bool(row["label"]) == bool(row["smoothed_neutral"])
        assert -50 < float(row["x"]) < 480
    assert b"\r\n" in (results / "faces.csv").read_bytes()


def test_every_track_is_an_episode_that_ended(results: Path) -> None:
    episodes = rows(results / "episodes.csv")
    assert tuple(episodes[0]) == EPISODE_COLUMNS
    assert {row["type"] for row in episodes} <= {"face.left", "emotion.ended"}
    tracks = {row["track"] for row in rows(results / "faces.csv")} - {""}
    assert {row["track"] for row in episodes} == tracks
    for row in episodes:
        start_ms, end_ms = int(row["start_ms"]), int(row["end_ms"])
        assert end_ms - start_ms == int(row["duration_ms"])
        assert 0 <= start_ms <= end_ms <= round((FRAMES - 1) * 1000 / 12)


def test_the_summary_adds_up(results: Path) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert (summary["frames"], summary["frames_failed"]) == (FRAMES, 0)
    assert summary["faces"] == len(rows(results / "faces.csv"))
    left = [row for row in rows(results / "episodes.csv") if row["type"] == "face.left"]
    assert summary["tracks"] == len(summary["people"]) == len(left)
    assert summary["face_ms"] == sum(int(row["duration_ms"]) for row in left)
    assert sum(summary["emotion_shares"].values()) == pytest.approx(1, abs=0.01)


def test_the_annotated_video_has_as_many_frames_as_the_recording(results: Path) -> None:
    assert frame_count(results / "annotated.mp4") == FRAMES
    capture = cv2.VideoCapture(str(results / "annotated.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_WIDTH) == 480
    assert round(capture.get(cv2.CAP_PROP_FPS)) == 12
    capture.release()


def test_the_report_makes_no_request(results: Path) -> None:
    page = (results / "report.html").read_text()
    assert "three people.avi" in page
    assert page.count("<svg") >= 3
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(?!data:)\w+:", page)
    assert "<script" not in page
    assert not list(results.glob(".*"))


def test_another_run_gives_equal_tables(recording: Path, results: Path, tmp_path: Path) -> None:
    assert analyse(recording, "--out", tmp_path)[0] == 0
    assert tables(tmp_path / recording.stem) == tables(results)


def test_a_worker_killed_in_the_middle_changes_nothing(
    recording: Path, results: Path, tmp_path: Path
) -> None:
    with Command(recording, "--out", tmp_path) as command:
        command.wait_for_events(30)
        command.kill_worker()
        assert command.wait() == 0, command.log()
        assert "the worker ended" in command.log()
    assert tables(tmp_path / recording.stem) == tables(results)


def test_a_run_that_was_stopped_is_resumed_where_it_was(
    recording: Path, results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / recording.stem
    with Command(recording, "--out", tmp_path) as command:
        command.wait_for_events(30)
        command.stop()
        assert command.wait() == 130
        assert "--resume goes on" in command.log()
    done = rows(folder / "faces.csv")
    assert 0 < len(done) < len(rows(results / "faces.csv"))
    assert not (folder / "summary.json").exists()

    code, log = analyse(recording, "--out", tmp_path)
    assert (code, "--resume" in log) == (2, True)
    with Command(recording, "--out", tmp_path, "--resume") as command:
        assert command.wait() == 0, command.log()
    assert tables(folder) == tables(results)
    assert frame_count(folder / "annotated.mp4") == FRAMES


def test_a_run_that_was_killed_is_resumed_at_its_checkpoint(
    recording: Path, results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / recording.stem
    with Command(recording, "--out", tmp_path) as command:
        command.wait_for_events(20)
        command.stop()
        assert command.wait() == 130
    assert (folder / ".analysis" / "checkpoint").exists()
    with Command(recording, "--out", tmp_path, "--resume") as command:
        command.wait_for_events(20)
        command.process.kill()
        command.wait()
    assert not (folder / "summary.json").exists()
    code, log = analyse(recording, "--out", tmp_path, "--resume")
    assert code == 0, log
    assert tables(folder) == tables(results)


def test_a_resumed_run_that_is_stopped_before_its_first_frame_loses_nothing(
    recording: Path, results: Path, tmp_path: Path
) -> None:
    with Command(recording, "--out", tmp_path) as command:
        command.wait_for_events(20)
        command.stop()
        assert command.wait() == 130
    with Command(recording, "--out", tmp_path, "--resume") as command:
        command.wait_for_events(0)
        command.stop()
        assert command.wait() == 130, command.log()
    code, log = analyse(recording, "--out", tmp_path, "--resume")
    assert code == 0, log
    assert tables(tmp_path / recording.stem) == tables(results)


def test_results_are_replaced_only_if_asked_for(
    results: Path, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / recording.stem
    shutil.copytree(results, folder)
    (folder / "faces.csv").write_text("mine")
    code, log = analyse(recording, "--out", tmp_path)
    assert code == 2
    assert "--overwrite" in log
    assert len(log.splitlines()) == 1
    assert analyse(recording, "--out", tmp_path, "--resume")[0] == 0
    assert (folder / "faces.csv").read_text() == "mine"
    assert analyse(recording, "--out", tmp_path, "--overwrite")[0] == 0
    assert tables(folder) == tables(results)


def test_a_run_is_not_resumed_with_other_options(recording: Path, tmp_path: Path) -> None:
    with Command(recording, "--out", tmp_path) as command:
        command.wait_for_events(5)
        command.process.send_signal(signal.SIGKILL)
        command.wait()
    code, log = analyse(recording, "--out", tmp_path, "--resume", "--engine", "mnn")
    assert code == 2
    assert "other options" in log


def test_a_model_that_does_not_exist_ends_the_command_with_its_reason(
    recording: Path, tmp_path: Path
) -> None:
    code, log = analyse(recording, "--out", tmp_path, "--model", "no-such-model")
    assert code == 1
    assert "no-such-model" in log


def test_parquet_without_pyarrow_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n")
    ended = subprocess.run(
        [sys.executable, "-m", "analyse", "a.avi", "--out", str(tmp_path / "out"), "--parquet"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "pip install pyarrow" in ended.stderr


def test_the_annotated_video_plays_in_a_browser_to_its_end(results: Path) -> None:
    browser.require()
    with browser.Browser() as window:
        window.open((results / "annotated.mp4").as_uri())
        window.find("video")
        window.js("const v = document.querySelector('video'); v.play()")
        window.wait(lambda: window.js("return document.querySelector('video').ended"))
        played = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
        assert window.js(f"return {played}") > FRAMES / 2, "a busy browser drops some"


def test_the_report_shows_charts_and_has_nothing_to_complain_of(results: Path) -> None:
    browser.require()
    with browser.Browser() as window:
        window.open((results / "report.html").as_uri())
        assert len(window.all("svg")) >= 3
        assert window.js("return performance.getEntriesByType('resource').length") == 0
        assert window.errors() == []
