"""`decode: keyframes` and `hwaccel`: only what is needed is decoded, by what there is."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from emotion_streams import keys
from emotion_streams.connection import Client
from producer.config import parse_camera
from producer.native import NativeStderr
from producer.picture import decode
from producer.source import EndOfSourceError, Picture, Pixels, Source, SourceUnavailableError
from producer.sources import make_source
from producer.sources.file import FileSource
from producer.sources.http_camera import HttpSource
from producer.sources.key_frames import KeyFrames
from producer.sources.network import NetworkSource
from tests.peers.live_stream import LiveStream
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg
from tests.peers.producer import Producer, within
from tests.peers.rtsp import RtspServer, require_gstreamer
from tests.peers.tcp import BlackHole
from tests.peers.videos import encode
from tests.producer.sources.test_sources import PATIENT
from tests.producer.test_probe import run_probe
from tests.servers import Stopwatch

SPEED = 5
"""Of the live streams, in times of real time: a key frame in 10 s comes after two."""


def settings(source: str | Path, fps: float = 1, **more: object) -> dict[str, object]:
    return {**PATIENT, "source": str(source), "fps": fps, "decode": "keyframes", **more}


def read(**values: object) -> list[tuple[float, Pixels]]:
    """Every frame of a file, with its timestamp."""
    source = make_source(parse_camera(values, {}), NativeStderr())
    assert isinstance(source, FileSource)
    source.open()
    found = []
    try:
        while True:
            at_s = source.grab()
            found.append((at_s, pixels(source.retrieve())))
    except EndOfSourceError:
        return found
    finally:
        source.close()


def pixels(content: Picture) -> Pixels:
    return decode(content) if isinstance(content, bytes) else content


@contextmanager
def watching(path: Path, fps: float = 1) -> Iterator[tuple[NetworkSource, LiveStream]]:
    with LiveStream(path, SPEED) as camera:
        source = make_source(parse_camera(settings(camera.url, fps), {}), NativeStderr())
        assert isinstance(source, HttpSource)
        source.open()
        yield source.stream, camera
        source.close()


def positions(source: NetworkSource, frames: int) -> list[float]:
    """When the next frames are shown, by their own timestamps."""
    found = []
    for _ in range(frames):
        source.grab()
        found.append(source.position_s)
    return found


def positions_until_it_ends(source: Source) -> list[float | None]:
    return [source.grab() for _ in range(1000)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("codec", "b_frames", "name"),
    [
        ("libx264", 0, "a.mp4"),
        ("libx264", 2, "a.ts"),
        ("libx265", 0, "a.mkv"),
        ("libx265", 3, "a.mp4"),
    ],
)
def test_only_key_frames_of_a_recording_are_decoded_if_they_suffice(
    codec: str, b_frames: int, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = encode(tmp_path / name, codec=codec, b_frames=b_frames)
    every = dict(read(source=str(clip)))
    chosen = read(**settings(clip))
    assert [at_s for at_s, _ in chosen] == pytest.approx(list(range(8)), abs=0.01)
    assert len(every) == 80
    for at_s, shown in chosen:
        (same,) = [frame for at, frame in every.items() if abs(at - at_s) < 0.01]
        assert np.array_equal(shown, same)
    assert warnings(caplog) == []  # such as that frames are missing


@pytest.mark.parametrize(
    ("fps", "key_frames", "seconds", "why"),
    [
        (2, "expr:gte(t,n_forced)", 5, "every 1.0 s, and one in 0.6 s is needed"),
        (1, "0,10", 21, "every 10.0 s, and one in 1.1 s is needed"),
        (1, "0,1,2,3,4,14", 21, "and one in 1.1 s is needed"),
        (1, "0", 5, ""),
    ],
)
def test_all_frames_of_a_recording_are_decoded_if_its_key_frames_are_too_rare(
    fps: float,
    key_frames: str,
    seconds: int,
    why: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clip = encode(tmp_path / "a.mp4", seconds, key_frames)
    assert len(read(**settings(clip, fps))) == seconds * 10
    assert len(warnings(caplog)) == bool(why)
    assert why in caplog.text


def test_without_a_limit_of_frames_all_are_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = encode(tmp_path / "a.mp4", 3)
    assert len(read(source=str(clip), decode="keyframes", policy="every")) == 30
    assert "fps is not limited" in caplog.text


def test_looped_recording_stays_with_its_key_frames(tmp_path: Path) -> None:
    clip = encode(tmp_path / "a.mp4", 3)
    source = make_source(parse_camera(settings(clip, loop=True), {}), NativeStderr())
    source.open()
    times = [source.grab() or 0.0 for _ in range(7)]
    source.close()
    assert all(0 < later - earlier <= 1.01 for earlier, later in pairwise(times))
    assert times[6] > 4


def test_only_key_frames_of_a_live_camera_are_decoded_if_they_suffice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(encode(tmp_path / "a.ts")) as (source, camera):
        gaps = [later - earlier for earlier, later in pairwise(positions(source, 5))]
        assert gaps == pytest.approx([1.0] * 4, abs=0.01)
        assert source.key_frame_interval_s == pytest.approx(1, abs=0.01)
        source.close()
        source.open()  # what is known is not found out again
        assert camera.clients == 3
    assert warnings(caplog) == []


def test_all_frames_of_a_live_camera_are_decoded_if_its_key_frames_are_too_rare(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(encode(tmp_path / "a.ts", 21, "0,10,20")) as (source, _):
        first = positions(source, 20)
        assert max(later - earlier for earlier, later in pairwise(first)) < 0.2
        positions(source, 110)
        source.close()
        source.open()
        positions(source, 110)
    (warning,) = warnings(caplog)
    assert "a key frame comes every 10.0 s, and one in 1.1 s is needed" in warning


def test_live_camera_with_b_frames_is_decoded_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(encode(tmp_path / "a.ts", b_frames=2)) as (source, _):
        times = positions(source, 20)
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.2
    (warning,) = warnings(caplog)
    assert "B frames" in warning


def test_live_camera_whose_key_frames_become_rare_is_decoded_whole_from_then_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(encode(tmp_path / "a.ts", 16, "0,1,2,3,13,14")) as (source, _):
        assert positions(source, 4) == pytest.approx([0, 1, 2, 3], abs=0.1)
        times = positions(source, 10)
    assert times[-1] - times[0] == pytest.approx(0.9, abs=0.2)
    (warning,) = warnings(caplog)
    assert "every 10.0 s" in warning


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_only_key_frames_of_an_rtsp_camera_are_decoded(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    require_gstreamer()
    with RtspServer() as server:  # a key frame in 15 frames, at 15 frames a second
        values = settings(server.url("h264"), transport=transport)
        source = make_source(parse_camera(values, {}), NativeStderr())
        source.open()
        times = [source.grab() or 0.0 for _ in range(5)]
        source.close()
    assert [later - earlier for earlier, later in pairwise(times)][1:] == pytest.approx(
        [1.0] * 3, abs=0.2
    )
    assert warnings(caplog) == []


def test_rtsp_camera_that_was_gone_delivers_its_key_frames_again() -> None:
    require_gstreamer()
    with RtspServer() as server:
        values = settings(server.url("h264"))
        source = make_source(parse_camera(values, {}), NativeStderr())
        source.open()
        source.grab()
        server.kill()
        with pytest.raises(SourceUnavailableError):
            positions_until_it_ends(source)
        source.close()
        with pytest.raises(SourceUnavailableError):
            source.open()
        server.restart()
        source.open()
        times = [source.grab() or 0.0 for _ in range(4)]
        source.close()
    assert times[3] - times[1] == pytest.approx(2, abs=0.2)


def test_silent_camera_is_given_up_in_time() -> None:
    with BlackHole() as server:
        values = settings(f"http://127.0.0.1:{server.port}/video", open_timeout_s=1)
        source = make_source(parse_camera(values, {}), NativeStderr())
        watch = Stopwatch()
        with pytest.raises(SourceUnavailableError):
            source.open()
        assert watch.read_s() < 2


def test_camera_with_motion_jpeg_is_not_affected(caplog: pytest.LogCaptureFixture) -> None:
    with MjpegServer([jpeg(64, 48)], fps=50) as server:
        source = make_source(parse_camera(settings(server.url, hwaccel="auto"), {}), NativeStderr())
        source.open()
        for _ in range(20):
            source.grab()
        assert isinstance(source.retrieve(), bytes)
        source.close()
    assert warnings(caplog) == []


def test_producer_publishes_the_key_frames(client: Client, redis_url: str, tmp_path: Path) -> None:
    options = ("--camera", "door", "--fps", "1", "--decode", "keyframes")
    with (
        LiveStream(encode(tmp_path / "a.ts")) as camera,
        Producer(redis_url, *options, "--source", camera.url) as producer,
    ):
        within(lambda: client.xlen(keys.frames("door")) >= 3)
        captured = producer.metric("emotion_captured_frames_total", "door")
        # All frames would be ten times those that are stored, of which there is one a second.
        assert captured < 20 + 2 * client.xinfo_stream(keys.frames("door"))["entries-added"]


@pytest.mark.parametrize("hwaccel", ["auto", "vaapi", "cuda", "qsv"])
def test_without_a_device_the_cpu_decodes_and_one_message_says_so(
    hwaccel: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = encode(tmp_path / "a.mp4", 2)
    expected = read(source=str(clip))
    source = make_source(
        parse_camera({"source": str(clip), "hwaccel": hwaccel, "loop": True}, {}), NativeStderr()
    )
    source.open()
    for index in range(30):
        source.grab()
        assert np.array_equal(pixels(source.retrieve()), expected[index % 20][1])
    source.close()
    (warning,) = warnings(caplog)
    assert warning.startswith(f"hwaccel {hwaccel}: no such device")


def test_memory_is_not_limited_for_a_driver_that_maps_more_than_it_uses(redis_url: str) -> None:
    with Producer(redis_url, "--camera", "lobby", "--hwaccel", "auto") as producer:
        within(lambda: producer.metric("emotion_camera_up", "lobby") == 1)
        (child,) = producer.children().values()
        assert resource.prlimit(child, resource.RLIMIT_AS) == (resource.RLIM_INFINITY,) * 2


def test_probe_shows_how_often_key_frames_come(tmp_path: Path) -> None:
    shown = run_probe(str(encode(tmp_path / "a.mp4", 3))).stdout
    assert "key frames   every 1.0 s" in shown


def test_interval_is_the_longest_one_and_an_unfinished_one_counts() -> None:
    frames = KeyFrames()
    for at_s in (0.0, 1.0, 3.0, 4.0):
        frames.observe(at_s, is_key=True)
    assert frames.interval_s == 2
    assert frames.are_within(2.0)
    frames.observe(6.5, is_key=False)
    assert not frames.are_within(2.0)


def test_interval_is_unknown_before_the_second_key_frame() -> None:
    frames = KeyFrames()
    frames.observe(0.0, is_key=True)
    frames.observe(0.5, is_key=False)
    assert frames.interval_s is None
    assert not frames.are_within(9.0)
    assert frames.waited_s == 0.5
