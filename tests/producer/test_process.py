"""`emotion-streams producer` as a process: how it starts, what it reports, how it ends."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis
from prometheus_client import CollectorRegistry

from emotion_streams import CameraStatus, connect_async, keys, list_cameras
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from producer.config import parse_camera
from producer.settings import CameraSettings
from service.metrics import ProducerMetrics
from service.reload import Reloader
from tests.peers.pictures import jpeg, write_video
from tests.peers.producer import PASSWORD, ROOT, Producer, within
from tests.servers import PATIENCE_S, RedisProcess, free_port

STOP_S = 2.0 + 3.0
"""What is promised, and three seconds for a machine that is busy with much else."""

BUSY_S = PATIENCE_S
"""How old may be what such a machine shows of a frame or a camera that is well."""


def info(client: Client, camera: str) -> dict[str, str]:
    fields = client.hgetall(keys.camera_info(camera))
    return {name.decode(): value.decode() for name, value in fields.items()}


async def statuses(redis_url: str) -> list[CameraStatus]:
    """As `emotion-streams cameras` has them."""
    async with connect_async(redis_url) as client:
        return await list_cameras(client)


def newest(client: Client, camera: str) -> Frame:
    ((_, fields),) = client.xrevrange(keys.frames(camera), count=1)
    return Frame.unpack(fields[b"frame"])


async def test_demo_is_published_registered_and_stopped_at_once(
    client: Client, redis_url: str
) -> None:
    names = ("--title", "Küche", "--group", "ground floor")
    options = ("--camera", "lobby", "--fps", "20", "--width", "320", *names)
    with Producer(redis_url, *options) as producer:
        within(lambda: client.xlen(keys.frames("lobby")) == 20)
        frame = newest(client, "lobby")
        assert (frame.width, frame.height, frame.max_age_ms) == (320, 240, 1000)
        assert abs(time.time() * 1000 - frame.captured_ms) < BUSY_S * 1000
        assert producer.get("/readyz")[0] == 200
        assert producer.get("/healthz")[0] == 200
        within(lambda: producer.metric("emotion_camera_up", "lobby") == 1)
        assert producer.metric("emotion_camera_frame_age_seconds", "lobby") < BUSY_S
        within(lambda: float(info(client, "lobby").get("fps", 0)) > 0)
        async with asyncio.timeout(PATIENCE_S):
            while (status := (await statuses(redis_url))[0]).state != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert (status.camera, status.state, status.error) == ("lobby", "up", "")
        assert (status.title, status.group) == ("Küche", "ground floor")
        assert (status.width, status.height, status.owner) == (640, 480, None)
        assert status.last_frame_age_ms is not None
        assert status.last_frame_age_ms < BUSY_S * 1000
        assert status.backlog == 20
        heartbeat_ms = client.zscore(keys.CAMERAS, "lobby")
        assert heartbeat_ms == pytest.approx(time.time() * 1000, abs=BUSY_S * 1000)
        # Cameras report to the process now and then: it may not know of all that is stored.
        within(lambda: producer.metric("emotion_captured_frames_total", "lobby") > 20)
        assert 0 <= unaccounted(producer) <= 2
        assert producer.stop() < STOP_S
        assert producer.wait() == 0
        assert producer.children() == {}


def unaccounted(producer: Producer) -> float:
    """Frames captured whose end is in no metric, by one scrape."""
    totals = {
        sample.rsplit(" ", 1)[0]: float(sample.rsplit(" ", 1)[1])
        for sample in producer.get("/metrics")[1].splitlines()
        if "_total{" in sample
    }
    ended = ("emotion_published_frames", "emotion_skipped_", "emotion_capture_")
    return totals['emotion_captured_frames_total{camera="lobby"}'] - sum(
        value for name, value in totals.items() if name.startswith(ended)
    )


def test_file_ends_with_exit_code_0_when_its_last_frame_is_stored(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    clip = write_video(tmp_path / "clip.avi", "MJPG", frames=10, fps=2)
    began = time.monotonic()
    with Producer(redis_url, "--camera", "clip", "--source", str(clip), "--fps", "100") as producer:
        assert producer.wait() == 0
    # Paced by its own timestamps: nine gaps of 500 ms.
    assert time.monotonic() - began > 9 * 0.5
    # A busy machine may replace a frame by a newer one; that is counted, and it is never the last.
    last = newest(client, "clip")
    assert client.xlen(keys.frames("clip")) + last.capture_drops == 10
    assert info(client, "clip")["state"] == "ended"


def test_policy_every_loses_no_frame_with_slow_workers(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    clip = write_video(tmp_path / "clip.avi", "MJPG", frames=60, fps=60)
    key, seen = keys.frames("clip"), list[int]()
    with Producer(
        redis_url, "--camera", "clip", "--source", str(clip), "--policy", "every",
        "--max-queued", "10",
    ) as producer:  # fmt: skip
        within(lambda: client.xlen(key) == 10)
        while producer.process.poll() is None or client.xlen(key):
            for entry_id, fields in client.xrange(key, count=3):
                frame = Frame.unpack(fields[b"frame"])
                assert frame.max_age_ms is None
                seen.append(frame.seq)
                client.xdel(key, entry_id)
        assert producer.wait() == 0
    assert seen == list(range(60))


def test_picture_over_the_limit_of_memory_is_left_out(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    for name in ("a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(jpeg(64, 48))
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(600 << 20)
    with Producer(redis_url, "--camera", "door", "--source", str(tmp_path)) as producer:
        within(lambda: producer.process.poll() is not None or producer.entries("restarting"))
        assert not producer.entries("restarting")
        (warning,) = producer.entries("cannot be decoded")
        assert producer.wait() == 0
    assert warning["message"].startswith("1 of 3 pictures cannot be decoded: ")
    assert warning["message"].endswith("b.png: larger than 256 MiB")
    assert client.xlen(keys.frames("door")) == 2


def test_picture_whose_processing_takes_too_much_memory_does_not_begin_the_folder_again(
    redis_url: str, tmp_path: Path
) -> None:
    ok, content = cv2.imencode(".png", np.zeros((6000, 6000, 3), np.uint8))
    assert ok
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(content.tobytes())
    options = ("--rotate", "90", "--width", "6000", "--mask", "0,0 0.5,0 0.5,0.5")
    with Producer(redis_url, "--camera", "a", "--source", str(tmp_path), *options) as producer:
        within(lambda: producer.process.poll() is not None or producer.entries("restarting"))
        assert not producer.entries("restarting")
        assert producer.wait() == 0


def test_missing_file_is_one_line_and_exit_code_1(redis_url: str) -> None:
    with Producer(redis_url, "--camera", "clip", "--source", "/does/not/exist.mp4") as producer:
        assert producer.wait() == 1
        plain = [line for line in producer.log().splitlines() if not line.startswith("{")]
        assert plain == ["producer: clip: /does/not/exist.mp4: no such file"]


def test_missing_camera_is_reported_and_retried(client: Client, redis_url: str) -> None:
    with Producer(redis_url, "--camera", "usb", "--source", "9") as producer:
        within(lambda: producer.metric("emotion_camera_reconnects_total", "usb") >= 2)
        within(lambda: "no such device" in info(client, "usb").get("error", ""))
        assert info(client, "usb")["state"] == "down"
        assert producer.metric("emotion_camera_up", "usb") == 0
        # Said once, not at each try.
        assert len(producer.entries("camera down")) == 1


def test_producer_without_redis_is_alive_not_ready_and_recovers() -> None:
    port = free_port()
    with Producer(f"redis://127.0.0.1:{port}", "--camera", "lobby") as producer:
        within(lambda: producer.metric("emotion_camera_up", "lobby") == 1)
        status, reason = producer.get("/readyz")
        assert status == 503
        assert "Redis" in reason
        assert producer.get("/healthz")[0] == 200
        # The camera is drained all the while, and frames that were not taken are counted.
        within(lambda: producer.metric("emotion_capture_drops_total", "lobby", reason="newer") > 5)
        with RedisProcess(port=port), redis.Redis(port=port) as client:
            within(lambda: client.xlen(keys.frames("lobby")) > 5)
            within(lambda: producer.get("/readyz")[0] == 200)
            assert newest(client, "lobby").capture_drops > 5


@pytest.mark.parametrize(
    ("url", "shown_as"),
    [
        ("rtsp://joe:p%40ss%2Fw0rd-Zq7@127.0.0.1:1/x", "rtsp://***@127.0.0.1:1/x"),
        ("rtsp://joe:it's my w0rd-Zq7@127.0.0.1:1/x", "rtsp://***@127.0.0.1:1/x"),
        ("http://127.0.0.1:1/x.cgi?loginuse=joe&loginpas=w0rd-Zq7", "http://127.0.0.1:1/x.cgi?***"),
    ],
)
def test_password_on_the_command_line_is_hidden_from_other_users(
    client: Client, redis_url: str, url: str, shown_as: str
) -> None:
    with Producer(
        redis_url, "--camera", "door", "--source", url, "--log-level", "debug"
    ) as producer:
        within(lambda: producer.entries("camera down"))
        # What `ps` shows to every user.
        shown = [
            Path(f"/proc/{ours}/cmdline").read_text()
            for ours in (producer.process.pid, *producer.children().values())
        ]
        assert len(shown) == 2
        assert all("producer" in line and "w0rd-Zq7" not in line for line in shown)
        assert "w0rd-Zq7" not in producer.get("/metrics")[1]
        assert f"{shown_as}: connection refused" in producer.log()
        within(lambda: info(client, "door").get("error") == f"{shown_as}: connection refused")


def test_killed_camera_process_is_restarted_and_never_outlives_its_supervisor(
    client: Client, redis_url: str
) -> None:
    with Producer(redis_url, "--camera", "lobby") as producer:
        within(lambda: client.xlen(keys.frames("lobby")) > 3)
        session_id = newest(client, "lobby").session_id
        os.kill(producer.children()["lobby"], signal.SIGKILL)
        within(lambda: newest(client, "lobby").session_id != session_id)
        assert producer.metric("emotion_camera_restarts_total", "lobby") == 1
        within(lambda: producer.metric("emotion_published_frames_total", "lobby") > 3)
        child = producer.children()["lobby"]
        producer.process.kill()
        within(lambda: not Path(f"/proc/{child}").exists())


@contextmanager
def opening_hangs(path: Path) -> Iterator[None]:
    """A process that opens the file waits for our lease of it, which is not given up (fcntl(2))."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks for it back by this
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


def test_process_of_a_hung_source_is_killed_and_restarted(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "hangs.jpg").write_bytes(jpeg(64, 48))
    with (
        opening_hangs(tmp_path / "hangs.jpg"),
        Producer(
            redis_url, "--camera", "stuck", "--source", str(tmp_path), "--open-timeout-s", "0.3"
        ) as producer,
    ):
        within(lambda: producer.metric("emotion_camera_restarts_total", "stuck") >= 1)
        assert "exceeds its time limit" in producer.log()
        # And when the cause is gone, it goes on.
        (tmp_path / "hangs.jpg").unlink()
        (tmp_path / "fine.jpg").write_bytes(jpeg(64, 48))
        within(lambda: client.xlen(keys.frames("stuck")) == 1)
        assert producer.wait() == 0


def test_reload_starts_and_stops_cameras_without_disturbing_the_others(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text(
        "defaults: {fps: 5, width: 64}\n"
        "cameras: {a: {source: demo}, c: {source: demo, enabled: false},"
        ' b: {source: demo}, door: {source: "rtsp://joe:${DOOR}@127.0.0.1:1/x"}}'
    )
    with Producer(redis_url, "--config", str(config), DOOR=PASSWORD) as producer:
        within(lambda: set(producer.children()) == {"a", "b", "door"})
        within(lambda: "connection refused" in info(client, "door").get("error", ""))
        within(lambda: "rtsp://***@127.0.0.1:1/x: connection refused" in producer.log())
        within(lambda: all(client.xlen(keys.frames(name)) for name in "ab"))
        before = producer.children()
        assert newest(client, "b").width == 64

        config.write_text("cameras: {a: {source: demo, fps: 5, width: 64}, d: {source: demo}}")
        within(lambda: set(producer.children()) == {"a", "d"})
        assert producer.children()["a"] == before["a"]
        assert 'camera_up{camera="b"}' not in producer.get("/metrics")[1]

        # As a file is seen that is being written, and with a mistake.
        there = producer.children()
        for number, (text, complaint) in enumerate(
            (
                ("", "cameras is missing"),
                ("cameras: {a: {source: demo, f", "not YAML"),
                ("camras: {a: {source: demo}}", "camras: unknown setting"),
                ("cameras: {a: {source: demo, fps: fast}}", "cameras.a.fps"),
                ("cameras: {a: {source: demo, fps: 2024-13-45}}", "cameras.a.fps"),
                ("cameras: {a: {source: demo, fps: !!int 0x_}}", "does not fit its tag"),
                ("cameras: " + "[" * 5_000, "nested too deeply"),
                ("cameras: &a [*a]", "an alias that holds itself"),
                ("cameras: {caf\udce9: {source: demo}}", "is not text in UTF-8"),
                (r'cameras: {a: {title: "\ud800"}}', "half of a surrogate pair"),
                (f"cameras: {{a: {{source: {'a' * 5_000}, fps: 0}}}}", "cameras.a.fps"),
            )
        ):
            config.write_text(text, errors="surrogateescape")
            producer.process.send_signal(signal.SIGHUP)
            within(lambda: len(producer.entries("reload failed")) > number)  # noqa: B023 - at once
            assert complaint in producer.entries("reload failed")[number]["message"]
            assert producer.children() == there
        assert "emotion_producer_config_valid 0.0" in producer.get("/metrics")[1]
        assert set(producer.children()) == {"a", "d"}

        children = producer.children().values()
        assert producer.stop(signal.SIGINT) < STOP_S
        assert producer.wait() == 0
        assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_reload_leaves_no_captured_frame_uncounted(redis_url: str, tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    config.write_text("cameras: {lobby: {source: demo, fps: 60}}")
    with Producer(redis_url, "--config", str(config)) as producer:
        seen = set[int]()
        for quality in (50, 51, 52, 53):
            within(lambda: set(producer.children().values()) - seen)  # noqa: B023 - at once
            seen |= set(producer.children().values())
            within(lambda: producer.metric("emotion_camera_up", "lobby") == 1)
            config.write_text(f"cameras: {{lobby: {{source: demo, fps: 60, quality: {quality}}}}}")
            producer.process.send_signal(signal.SIGHUP)
        within(lambda: 0 <= unaccounted(producer) <= 2)


async def test_file_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    path, applied = tmp_path / "cameras.yaml", list[str]()
    changed = asyncio.Event()
    path.write_text("one")

    async def apply(cameras: Mapping[str, CameraSettings]) -> None:
        applied.extend(cameras)
        changed.set()

    metrics = ProducerMetrics(CollectorRegistry())
    read = lambda: {path.read_text(): parse_camera({}, {})}  # noqa: E731
    reloader = asyncio.create_task(
        Reloader(path, read, apply, metrics.config_valid, poll_every_s=0.2).run()
    )
    for index in range(20):  # a writer that takes its time
        path.write_text("half" * index)
        await asyncio.sleep(0.05)
    path.write_text("whole")
    await asyncio.wait_for(changed.wait(), PATIENCE_S)
    reloader.cancel()
    assert applied == ["whole"]


async def test_a_defect_while_a_file_is_read_leaves_the_settings_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, changed = tmp_path / "cameras.yaml", asyncio.Event()
    path.write_text("one")

    def read() -> str:
        text = path.read_text()
        return text.encode("ascii").decode()  # not ours, but as unforeseen

    async def apply(text: str) -> None:
        assert text == "whole"
        changed.set()

    metrics = ProducerMetrics(CollectorRegistry())
    reloader = asyncio.create_task(
        Reloader(path, read, apply, metrics.config_valid, poll_every_s=0.05).run()
    )
    path.write_text("caf\u00e9")
    async with asyncio.timeout(PATIENCE_S):
        while "reload failed" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    path.write_text("whole")
    await asyncio.wait_for(changed.wait(), PATIENCE_S)
    reloader.cancel()


def test_sighup_during_start_up_does_not_kill_the_producer(redis_url: str, tmp_path: Path) -> None:
    config = tmp_path / "cameras.yaml"
    os.mkfifo(config)  # reading it waits for us
    with Producer(redis_url, "--config", str(config)) as producer:
        with config.open("w") as writing:  # it reads its settings now
            producer.process.send_signal(signal.SIGHUP)
            writing.write("cameras: {a: {source: demo}}")
        within(lambda: set(producer.children()) == {"a"})


def test_sighup_does_not_kill_a_producer_of_one_camera(redis_url: str) -> None:
    with Producer(redis_url, "--camera", "lobby") as producer:
        within(producer.children)
        producer.process.send_signal(signal.SIGHUP)
        within(lambda: producer.metric("emotion_published_frames_total", "lobby") > 3)
        assert producer.stop() < STOP_S
        assert producer.wait() == 0


def test_unknown_setting_is_one_line_and_exit_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "producer", "--camera", "lobby", "--speed", "3"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--speed" in done.stderr
