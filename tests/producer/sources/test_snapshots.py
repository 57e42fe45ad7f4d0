"""Cameras at the URL of a snapshot: polled, and as clear about their faults as a stream."""

import itertools
import ssl
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from producer.config import parse_camera
from producer.native import NativeStderr
from producer.source import (
    NoNewFrameError,
    Picture,
    Source,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources import make_source
from producer.sources.snapshot import SnapshotSource
from tests.peers.pictures import huge_png, jpeg, picture
from tests.peers.producer import Producer, within
from tests.peers.snapshot_server import Settings, SnapshotServer
from tests.producer.sources.test_network import Camera, certificate, foreign, serving
from tests.producer.sources.test_sources import PATIENT
from tests.producer.test_probe import run_probe
from tests.producer.test_process import info
from tests.servers import Stopwatch

__all__ = ["certificate", "foreign"]

STILL = jpeg(64, 48)
LOGIN = "joe:p%40ss%2Fw0rd-Zq7"


def changing() -> Settings:
    """Another picture in every answer."""
    numbers = itertools.count()
    return Settings(lambda: jpeg(64, 48, next(numbers) % 20))


def still(**options: object) -> Settings:
    return Settings(lambda: STILL, **options)  # type: ignore[arg-type]


def source(url: str, **options: object) -> Source:
    return make_source(parse_camera({**PATIENT, "source": url, **options}, {}), NativeStderr())


def pictures(opened: Source, calls: int) -> list[Picture]:
    """The pictures of so many calls; not every call has one."""
    found = []
    for _ in range(calls):
        with suppress(NoNewFrameError):
            opened.grab()
            found.append(opened.retrieve())
    return found


def test_pictures_pass_through_byte_for_byte_at_the_rate_that_is_asked_for() -> None:
    with SnapshotServer(changing()) as server:
        camera = source(server.url(), fps=20)
        opened = camera.open()
        assert (opened.width, opened.height) == (64, 48)
        camera.grab()  # by FFmpeg, which then sees the end
        camera.grab()
        started, watch = time.monotonic(), Stopwatch()
        received = pictures(camera, 20)
        assert time.monotonic() - started > 0.9
        assert watch.read_s() < 5
        camera.close()
    assert len(received) == 20
    assert received[:2] == [jpeg(64, 48, 2), jpeg(64, 48, 3)]


def test_polls_share_one_connection() -> None:
    with SnapshotServer(changing()) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 3)
        before = server.connections
        pictures(camera, 10)
        assert server.connections == before
        camera.close()


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_picture_that_did_not_change_is_requested_conditionally_and_not_a_frame(
    validator: str,
) -> None:
    settings = still(validator=validator)
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        assert pictures(camera, 2) == [STILL, STILL]
        assert pictures(camera, 5) == []
        assert server.statuses()[-5:] == [304] * 5
        settings.validator, settings.picture = "etag", lambda: jpeg(64, 48, 7)
        assert pictures(camera, 3) == [jpeg(64, 48, 7)]
        camera.close()


def test_same_bytes_without_a_validator_are_not_a_new_frame() -> None:
    with SnapshotServer(still()) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 2)
        assert pictures(camera, 5) == []
        assert server.statuses()[-5:] == [200] * 5
        camera.close()


def test_reopened_camera_gives_its_picture_again_although_it_did_not_change() -> None:
    with SnapshotServer(still(validator="etag")) as server:
        camera = source(server.url(), fps=50)
        for _ in range(3):
            camera.open()
            assert STILL in pictures(camera, 2)
            camera.close()


def test_png_is_decoded() -> None:
    pixels = picture(64, 48, 5)
    content = cv2.imencode(".png", pixels)[1].tobytes()
    with SnapshotServer(Settings(lambda: content, kind="image/png")) as server:
        assert '"codec": "png"' in run_probe(server.url(), "--json").stdout
        camera = SnapshotSource(server.url(), 10, 60, 60)
        camera.open()
        (received,) = pictures(camera, 1)
        assert np.array_equal(received, pixels)
        camera.close()


@pytest.mark.parametrize("auth", ["basic", "MD5", "SHA-256"])
def test_user_and_password_are_sent_as_the_camera_asks(auth: str) -> None:
    settings = changing()
    settings.auth = auth
    with SnapshotServer(settings) as server:
        camera = source(server.url(LOGIN), fps=50)
        camera.open()
        pictures(camera, 3)
        assert len(pictures(camera, 5)) == 5
        assert server.statuses()[-5:] == [200] * 5  # without a challenge each time
        settings.nonce = "another"
        assert len(pictures(camera, 3)) == 3
        camera.close()
        if auth != "basic":
            sent = [headers.get("Authorization", "") for _, headers in server.requests]
            assert not [value for value in sent if value.startswith("Basic")]


@pytest.mark.parametrize("auth", ["basic", "MD5", "SHA-256"])
def test_wrong_password_is_reported_as_such(auth: str) -> None:
    with SnapshotServer(still(auth=auth)) as server:
        done = run_probe(server.url("joe:not-that-1"))
    assert done.returncode == 1
    assert "401: user or password is missing or wrong" in done.stderr


def test_camera_that_refuses_a_password_is_not_asked_twice_per_attempt() -> None:
    with SnapshotServer(still(auth="SHA-256")) as server:
        camera = source(server.url("joe:not-that-1"))
        for _ in range(3):
            with pytest.raises(SourceUnavailableError):
                camera.open()
        sent = [headers.get("Authorization", "") for _, headers in server.requests]
        assert sum(value.startswith("Digest") for value in sent) <= 1 + 3


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_refusal_after_the_start_is_named(status: int) -> None:
    settings = changing()
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 2)
        settings.status = status
        with pytest.raises(SourceUnavailableError, match=f"{status}|{status} Service"):
            camera.grab()
        with pytest.raises(SourceUnavailableError, match=str(status)):
            camera.open()
        settings.status = 0
        assert camera.open().codec == "jpeg"
        camera.close()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusal_at_the_start_is_named(status: int) -> None:
    with SnapshotServer(still(status=status)) as server:
        done = run_probe(server.url())
    assert (done.returncode, str(status) in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("kind", "content", "complaint"),
    [
        ("text/html", b"<html>sign in</html>", "the server sends text/html: neither a video nor"),
        ("application/json", b"{}", "the server sends application/json: neither"),
        ("image/jpeg", b"<html>", "."),
        ("image/jpeg", b"", "."),
        ("image/jpeg", STILL[:200], "."),
        ("image/png", b"\x89PNG\r\n\x1a\n", "."),
        ("image/png", huge_png(), "."),
    ],
)
def test_answer_that_is_not_a_picture_is_one_line(
    kind: str, content: bytes, complaint: str
) -> None:
    with SnapshotServer(Settings(lambda: content, kind=kind)) as server:
        done = run_probe(server.url(), "--open-timeout-s", "10")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert complaint in done.stderr


def test_damaged_picture_between_others_is_a_damaged_frame() -> None:
    settings = changing()
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 3)
        settings.picture = lambda: STILL[:300]
        camera.grab()
        with pytest.raises(UndecodableFrameError):
            camera.retrieve()
        settings.picture = lambda: STILL
        assert pictures(camera, 1) == [STILL]
        camera.close()


def test_huge_answer_is_not_read_to_its_end() -> None:
    blob = itertools.repeat(bytes(1 << 20))
    answers: dict[str, tuple[int, dict[str, str], object]] = {
        "/snap.jpg": (200, {"Content-Type": "image/jpeg"}, STILL)
    }
    camera = Camera(answers)  # type: ignore[arg-type]
    with serving(camera):
        reader = source(f"http://127.0.0.1:{camera.port}/snap.jpg", fps=50)
        reader.open()
        pictures(reader, 3)
        answers["/snap.jpg"] = (200, {"Content-Type": "image/jpeg"}, blob)
        with pytest.raises(SourceUnavailableError, match="more than 16,773,120 bytes"):
            pictures(reader, 3)
        reader.close()


def test_compressed_answer_is_refused() -> None:
    settings = changing()
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 2)
        settings.headers = {"Content-Encoding": "gzip"}
        with pytest.raises(SourceUnavailableError, match="compresses its picture"):
            camera.grab()
        camera.close()


def test_slow_camera_times_out_and_a_trickle_does_too() -> None:
    trickle = itertools.chain([STILL[:100]], itertools.repeat(b"\0"))
    answers: dict[str, tuple[int, dict[str, str], object]] = {
        "/snap.jpg": (200, {"Content-Type": "image/jpeg"}, STILL)
    }
    camera = Camera(answers)  # type: ignore[arg-type]
    with serving(camera):
        reader = source(f"http://127.0.0.1:{camera.port}/snap.jpg", fps=50, read_timeout_s=3)
        reader.open()
        pictures(reader, 3)
        answers["/snap.jpg"] = (200, {"Content-Type": "image/jpeg"}, trickle)
        watch = Stopwatch()
        with pytest.raises(SourceUnavailableError, match="timed out"):
            pictures(reader, 3)
        assert watch.read_s() < 6
        reader.close()
    settings = changing()
    with SnapshotServer(settings) as server:
        reader = source(server.url(), fps=50, read_timeout_s=3)
        reader.open()
        pictures(reader, 3)
        settings.wait_s = 6
        with pytest.raises(SourceUnavailableError, match="timed out"):
            reader.grab()
        reader.close()


def test_connection_that_the_camera_closes_after_each_answer_is_made_again() -> None:
    settings = changing()
    settings.headers = {"Connection": "close"}
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        assert len(pictures(camera, 6)) == 6
        camera.close()


def test_redirect_within_the_camera_is_followed() -> None:
    snap = (200, {"Content-Type": "image/jpeg"}, STILL)
    with serving(Camera({"/snap": (302, {"Location": "/now.jpg"}, b""), "/now.jpg": snap})) as to:
        camera = source(f"http://127.0.0.1:{to.port}/snap")
        camera.open()
        assert pictures(camera, 1) == [STILL]
        camera.close()


def test_redirect_to_another_server_is_named_and_gets_no_request() -> None:
    snap = (200, {"Content-Type": "image/jpeg"}, STILL)
    with serving(Camera({"/snap.jpg": snap})) as inner:
        to = f"http://127.0.0.1:{inner.port}/snap.jpg"
        with serving(Camera({"/snap.jpg": (302, {"Location": to}, b"")})) as outer:
            done = run_probe(f"http://{LOGIN}@127.0.0.1:{outer.port}/snap.jpg")
        assert inner.asked == []
    assert "redirects are not followed" in done.stderr
    assert to in done.stderr


def test_redirect_in_a_circle_ends() -> None:
    with serving(Camera({"/snap.jpg": (302, {"Location": "/snap.jpg"}, b"")})) as camera:
        done = run_probe(f"http://127.0.0.1:{camera.port}/snap.jpg")
        assert len(camera.asked) < 10
    assert "redirects more than 3 times" in done.stderr


def test_certificate_is_verified_as_for_a_stream(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SnapshotServer(changing()) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        url = server.url(LOGIN).replace("http:", "https:")
        refused = run_probe(url)
        assert "certificate not trusted" in refused.stderr
        assert server.requests == []
        assert run_probe(url, "--no-tls-verify").returncode == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        for host in ("127.0.0.1", "localhost"):
            done = run_probe(url.replace("127.0.0.1", host))
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate_of_another_host_is_refused_after_a_reopening_too(
    host: str, certificate: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
    with SnapshotServer(changing()) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        url = server.url(LOGIN).replace("http:", "https:").replace("127.0.0.1", host)
        camera = source(url, fps=50)
        camera.open()
        pictures(camera, 3)
        camera.close()
        context.load_cert_chain(foreign)
        before = len(server.requests)
        with pytest.raises(SourceUnavailableError, match="certificate not trusted"):
            camera.open()
        assert len(server.requests) == before


def test_camera_process_polls_stays_up_without_news_and_recovers(
    client: Client, redis_url: str
) -> None:
    settings = changing()
    settings.auth, settings.validator = "MD5", "etag"

    def state() -> str:
        return info(client, "door").get("state", "")

    def seq() -> int:
        entries = client.xrevrange(keys.frames("door"), count=1)
        return Frame.unpack(entries[0][1][b"frame"]).seq if entries else -1

    with SnapshotServer(settings) as server:
        path = ("--camera", "door", "--source", server.url(LOGIN), "--read-timeout-s", "5")
        with Producer(redis_url, *path, "--reconnect-max-s", "1") as producer:
            within(lambda: seq() > 5)
            settings.picture = lambda: STILL
            within(lambda: server.statuses()[-5:] == [304] * 5)
            last = seq()
            deadline = time.monotonic() + 7  # more than the limit of silence
            while time.monotonic() < deadline:
                assert state() == "up"
                time.sleep(0.1)
            assert seq() == last
            settings.status = 503
            settings.validator = ""
            within(lambda: state() == "down")
            within(lambda: "503" in info(client, "door")["error"])
            settings.status = 0
            within(lambda: state() == "up")
            within(lambda: seq() > last)
            assert producer.metric("emotion_camera_restarts_total", "door") == 0


def test_rate_below_the_limit_of_silence_keeps_the_camera_up(
    client: Client, redis_url: str
) -> None:
    settings = changing()
    with SnapshotServer(settings) as server:
        slow = ("--fps", "0.2", "--read-timeout-s", "3")
        with Producer(redis_url, "--camera", "door", "--source", server.url(), *slow) as producer:
            within(lambda: producer.metric("emotion_camera_up", "door") == 1)
            for _ in range(70):
                assert producer.metric("emotion_camera_up", "door") == 1
                time.sleep(0.1)
            assert producer.metric("emotion_camera_restarts_total", "door") == 0
            assert producer.metric("emotion_capture_drops_total", "door", reason="restart") == 0


def test_stream_that_ends_after_its_first_frame_is_reported_as_a_stream() -> None:
    part = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + STILL + b"\r\n--frame\r\n"
    kind = {"Content-Type": "multipart/x-mixed-replace; boundary=frame"}
    with serving(Camera({"/video": (200, kind, part)})) as camera:
        done = run_probe(f"http://127.0.0.1:{camera.port}/video")
    assert done.returncode == 1
    assert "the stream ended" in done.stderr


def test_url_that_becomes_a_stream_is_read_as_one() -> None:
    settings = changing()
    with SnapshotServer(settings) as server:
        camera = source(server.url(), fps=50)
        camera.open()
        pictures(camera, 3)
        part = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + STILL + b"\r\n"
        settings.kind = "multipart/x-mixed-replace; boundary=frame"
        settings.picture = lambda: part * 30
        with pytest.raises(SourceUnavailableError, match="the URL of a stream"):
            camera.grab()
        assert camera.open().codec == "mjpg"
        assert len(pictures(camera, 10)) == 10
        camera.close()
