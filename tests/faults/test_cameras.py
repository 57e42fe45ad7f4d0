"""Real cameras that fail as real cameras do, and a producer that is left alone with them."""

import time
from collections.abc import Callable
from pathlib import Path

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from tests.faults.site import SCHEDULING_S
from tests.faults.soak import Soak
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg
from tests.peers.producer import PASSWORD, Producer, within
from tests.peers.rtsp import RtspServer, require_gstreamer
from tests.peers.tcp import BlackHole
from tests.servers import Stopwatch

READ_TIMEOUT_S = 1.0
BACKOFF_S = 1.0
OPTIONS = (
    "--camera", "door", "--open-timeout-s", "3", "--read-timeout-s", str(READ_TIMEOUT_S),
    "--reconnect-max-s", str(BACKOFF_S),
)  # fmt: skip
CREDENTIALS = "joe:p%40ss%2Fw0rd-Zq7"


def seconds_until(predicate: Callable[[], object], timeout_s: float = 60) -> float:
    """How long it takes, in seconds of a machine that has time (Stopwatch)."""
    watch = Stopwatch()
    within(predicate, timeout_s)
    return watch.read_s()


def stored(client: Client) -> int:
    """Frames ever stored."""
    if not client.exists(keys.frames("door")):
        return 0
    added: int = client.xinfo_stream(keys.frames("door"))["entries-added"]
    return added


def newest(client: Client) -> Frame:
    ((_, fields),) = client.xrevrange(keys.frames("door"), count=1)
    return Frame.unpack(fields[b"frame"])


def state(client: Client) -> tuple[str, str]:
    fields = client.hgetall(keys.camera_info("door"))
    return fields[b"state"].decode(), fields[b"error"].decode()


def test_a_camera_that_is_cut_off_comes_back_within_backoff_and_three_seconds(
    client: Client, redis_url: str
) -> None:
    require_gstreamer()
    with (
        RtspServer("joe", PASSWORD) as server,
        Producer(
            redis_url, *OPTIONS, "--source", server.url("h264", CREDENTIALS), "--log-level", "debug"
        ) as producer,  # its log is searched for the password in the end
    ):
        within(lambda: stored(client) > 5)
        server.kill()
        within(lambda: producer.metric("emotion_camera_up", "door") == 0)
        # For a while, so that the backoff has grown to its cap.
        within(lambda: producer.metric("emotion_camera_reconnects_total", "door") >= 3)
        within(lambda: "connection refused" in state(client)[1])
        before = stored(client)
        server.restart()
        assert seconds_until(lambda: stored(client) > before) < BACKOFF_S + 3 + SCHEDULING_S
        within(lambda: producer.metric("emotion_camera_up", "door") == 1)
        assert producer.metric("emotion_camera_restarts_total", "door") == 0
        assert "***@127.0.0.1" in producer.log()
        reported = str(client.hgetall(keys.camera_info("door"))) + producer.get("/metrics")[1]
        assert "w0rd-Zq7" not in reported


def test_a_stream_that_freezes_is_down_within_the_read_timeout_and_recovers(
    client: Client, redis_url: str
) -> None:
    require_gstreamer()
    with (
        RtspServer() as server,
        Producer(redis_url, *OPTIONS, "--source", server.url("h264")) as producer,
    ):
        within(lambda: stored(client) > 5)
        server.freeze()
        down = seconds_until(lambda: producer.metric("emotion_camera_up", "door") == 0)
        # A report of the camera's process comes twice a second.
        assert down < READ_TIMEOUT_S + 1 + SCHEDULING_S
        before = stored(client)
        server.thaw()
        assert seconds_until(lambda: stored(client) > before + 3) < 3 + BACKOFF_S + 3 + SCHEDULING_S


def test_an_http_camera_that_freezes_is_down_and_recovers(client: Client, redis_url: str) -> None:
    with (
        MjpegServer([jpeg(64, 48, index) for index in range(20)]) as server,
        Producer(redis_url, *OPTIONS, "--source", server.url) as producer,
    ):
        within(lambda: stored(client) > 5)
        server.frozen.set()
        down = seconds_until(lambda: producer.metric("emotion_camera_up", "door") == 0)
        assert down < READ_TIMEOUT_S + 1 + SCHEDULING_S
        within(lambda: "timed out" in state(client)[1])
        before = stored(client)
        server.frozen.clear()
        assert seconds_until(lambda: stored(client) > before) < 3 + BACKOFF_S + 3 + SCHEDULING_S


def test_a_camera_that_never_answers_is_a_timeout_and_nothing_hangs(
    client: Client, redis_url: str
) -> None:
    with (
        BlackHole() as hole,
        Producer(
            redis_url, *OPTIONS, "--open-timeout-s", "0.5",
            "--source", f"rtsp://127.0.0.1:{hole.port}/x",
        ) as producer,
    ):  # fmt: skip
        within(lambda: producer.metric("emotion_camera_reconnects_total", "door") >= 2)
        assert "timed out: no data" in producer.log()
        assert producer.metric("emotion_camera_restarts_total", "door") == 0


def test_damaged_frames_are_left_out_and_the_sound_ones_sent(
    client: Client, redis_url: str
) -> None:
    sound = jpeg(64, 48)
    with (
        MjpegServer([sound, sound[: len(sound) // 2], sound, b"\xff\xd8 noise \xff\xd9"]) as server,
        Producer(redis_url, *OPTIONS, "--source", server.url) as producer,
    ):
        within(lambda: stored(client) > 5)
        within(lambda: producer.metric("emotion_capture_decode_errors_total", "door") > 3)
        assert producer.metric("emotion_camera_up", "door") == 1


def test_a_still_scene_is_sent_once_a_second_and_the_rest_counted(
    client: Client, redis_url: str
) -> None:
    began = time.monotonic()
    with (
        MjpegServer([jpeg(64, 48)]) as server,
        Producer(redis_url, *OPTIONS, "--source", server.url, "--min-motion", "0.01") as producer,
    ):
        within(
            lambda: producer.metric("emotion_skipped_frames_total", "door", reason="motion") >= 15,
        )
        within(lambda: stored(client) >= 2)
        # Hardly more than one a second, and the first.
        assert stored(client) <= 1.25 * (time.monotonic() - began) + 1
        within(lambda: newest(client).skipped > 0)
        assert newest(client).jpeg == jpeg(64, 48)  # as the camera made it


SHORT_SOAK_S = (5, 8)
"""To warm up, and to look."""

SHORT_SOAK_FRAMES = 40
"""Of each camera at least, in each of both: a busy machine needs longer for them."""

FLAT_BYTES_PER_FRAME = 3000
"""A process that warms up grows by some hundred; the smallest picture takes twice this."""


def test_memory_stays_flat_and_frames_flow_with_several_cameras() -> None:
    """The short form of `python -m tests.faults.soak`."""
    with Soak(cameras=3) as soak:
        result = soak.run(*SHORT_SOAK_S, SHORT_SOAK_FRAMES)
    assert result.growth_bytes_per_frame < FLAT_BYTES_PER_FRAME
    assert result.restarts == 0


def test_a_picture_that_leaks_with_each_frame_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'producer.child' in sys.orig_argv:\n"
        "    from producer import picture\n"
        "    encode, kept = picture.encode, []\n"
        "    def leak(*arguments):\n"
        "        kept.append(encode(*arguments))\n"
        "        return kept[-1]\n"
        "    picture.encode = leak\n"
    )
    with Soak(cameras=2, PYTHONPATH=str(tmp_path)) as soak:
        result = soak.run(*SHORT_SOAK_S, SHORT_SOAK_FRAMES)
    assert result.growth_bytes_per_frame > FLAT_BYTES_PER_FRAME
