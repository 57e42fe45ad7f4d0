"""`emotion-streams probe SOURCE`: what a camera gives, or a clear reason."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from producer.config import parse_camera
from producer.native import NativeStderr
from producer.probe import probe
from producer.sources.folder import FolderSource
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import huge_png, jpeg, write_video
from tests.peers.producer import PASSWORD, ROOT
from tests.peers.rtsp import RtspServer, require_gstreamer
from tests.peers.tcp import BlackHole
from tests.servers import PATIENCE_S, eventually

_PATIENT = ("--open-timeout-s", "60", "--read-timeout-s", "60")


def run_probe(*arguments: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "producer", "probe", "--seconds", "0.5", *_PATIENT, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert "w0rd-Zq7" not in done.stdout + done.stderr
    return done


def measured(url: str, fps: float) -> dict[str, Any]:
    """What is said of a camera, once its rate is measured right: both sides need a machine that has
    time for that."""
    found: dict[str, Any] = {}

    def rate_is_right() -> bool:
        found.update(json.loads(run_probe(url, "--json", "--seconds", "1").stdout))
        return bool(0.5 * fps < found["fps"] < 1.3 * fps)

    eventually(rate_is_right)
    return found


def test_probe_detects_the_face_of_the_demo() -> None:
    done = run_probe("demo")
    assert done.returncode == 0
    assert "resolution   640x480" in done.stdout
    assert "face seen    yes" in done.stdout


def test_probe_measures_the_rate_of_a_live_camera() -> None:
    with MjpegServer([jpeg(64, 48)], fps=20) as server:
        found = measured(server.url, 20)
    assert (found["width"], found["height"], found["codec"]) == (64, 48, "mjpg")
    assert 0 < found["first_frame_s"] < PATIENCE_S
    assert not found["face_seen"]


def test_probe_reads_a_file(tmp_path: Path) -> None:
    found = json.loads(run_probe(str(write_video(tmp_path / "a.mp4", "mp4v")), "--json").stdout)
    assert (found["codec"], found["nominal_fps"], found["fps"]) == ("fmp4", 20, None)


def test_probe_opens_an_rtsp_stream_with_a_password() -> None:
    require_gstreamer()
    with RtspServer("joe", PASSWORD) as server:
        url = server.url("h264", "joe:p%40ss%2Fw0rd-Zq7")
        found = measured(url, 15)
        assert (found["width"], found["height"], found["codec"]) == (320, 240, "h264")
        wrong = run_probe(server.url("h264", "joe:wrong"))
        assert (wrong.returncode, "401" in wrong.stderr) == (1, True)
        nowhere = run_probe(server.url("nowhere", "joe:p%40ss%2Fw0rd-Zq7"))
        assert (nowhere.returncode, "404" in nowhere.stderr) == (1, True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("rtsp://no-such-host.invalid/x", "the name no-such-host.invalid cannot be resolved"),
        ("http://joe:p%40ss%2Fw0rd-Zq7@127.0.0.1:1/x", "connection refused"),
        ("rtsp://joe:p%40ss%2Fw0rd-Zq7@127.0.0.1:1/x", "connection refused"),
        ("9", "/dev/video9: no such device"),
    ],
)
def test_probe_reports_a_failure_in_one_line(source: str, reason: str) -> None:
    done = run_probe(source)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr


def test_probe_of_a_camera_that_never_responds_times_out() -> None:
    with BlackHole() as hole:
        done = run_probe(f"http://127.0.0.1:{hole.port}/x", "--open-timeout-s", "0.5")
    assert done.returncode == 1
    assert "timed out" in done.stderr


def test_probe_reports_a_wrong_password_of_an_http_camera() -> None:
    with MjpegServer([jpeg(64, 48)], credentials=f"joe:{PASSWORD}") as server:
        wrong = run_probe(server.url.replace("//", "//joe:wrong@"))
        assert (wrong.returncode, "401" in wrong.stderr) == (1, True)
        right = run_probe(server.url.replace("//", "//joe:p%40ss%2Fw0rd-Zq7@"), "--json")
        assert json.loads(right.stdout)["codec"] == "mjpg"


def test_forbidden_is_not_reported_as_a_wrong_password() -> None:
    with MjpegServer([jpeg(64, 48)], refusal=403) as server:
        done = run_probe(server.url)
    assert (done.returncode, "403: " in done.stderr) == (1, True)
    assert "password" not in done.stderr


def test_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_source(*_: object) -> FolderSource:
        source = FolderSource(Path(), 10, loop=False)
        monkeypatch.setattr(source, "open", lambda: int("x"))
        return source

    monkeypatch.setattr("producer.probe.make_source", make_source)
    camera = parse_camera({"source": "http://joe:w0rd-Zq7@camera/x"}, {})
    found = probe(camera, NativeStderr(), 1)
    assert str(found).startswith("http://***@camera/x: ValueError: invalid literal")


def test_picture_that_is_too_large_counts_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(huge_png())
    (tmp_path / "1.jpg").write_bytes(jpeg(64, 48))
    done = run_probe(str(tmp_path))
    assert done.returncode == 0
    assert "1 of 2 pictures cannot be decoded" in done.stderr
    assert "resolution   64x48" in done.stdout
    assert "damaged      1 frames" in done.stdout


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (["ftp://x/y"], "ftp://x/y"),
        (["ftp://joe:hun ter'w0rd-Zq7@x/y"], "ftp://\\*\\*\\*@x/y"),
        (["rtsp://joe:x@w0rd-Zq7/zz@127.0.0.1:1/s"], "source: .*%40"),
        (["demo", "--seconds", "inf"], "--seconds: inf: must be"),
        (["demo", "--seconds", "-1"], "--seconds: -1: must be"),
        (["demo", "--seconds", "x"], "--seconds: x: must be"),
        (["demo", "--speed", "3"], "--speed"),
        ([], "SOURCE"),
    ],
)
def test_invalid_arguments_are_one_line_and_exit_code_2(call: list[str], complaint: str) -> None:
    done = run_probe(*call)
    assert done.returncode == 2
    assert re.fullmatch(rf"probe: .*{complaint}.*\n", done.stderr)
