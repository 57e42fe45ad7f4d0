"""Network cameras that are odd, or hostile."""

import json
import re
import resource
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import pytest

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.jpeg import read_header
from producer.source import SourceUnavailableError
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg, write_video
from tests.peers.producer import Producer, within
from tests.peers.rtsp_camera import RtspCamera
from tests.producer.sources.test_sources import source
from tests.producer.test_probe import run_probe
from tests.servers import free_port

PICTURE = jpeg(64, 48)
PATIENT = "open_timeout_s: 60, read_timeout_s: 60"


Answer: TypeAlias = tuple[int, dict[str, str], bytes | Iterable[bytes]]


class Camera:
    """An HTTP server that answers a path with a status, headers and a body, or a body's parts at
    100 a second for as long as they are read. `asked`: the paths."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.asked: list[tuple[str, str | None]] = []
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.asked.append((self.path, self.headers.get("Authorization")))
                status, headers, body = answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if isinstance(body, bytes):
                    self.wfile.write(body)
                    return
                with suppress(OSError):  # it was read for long enough
                    for part in body:
                        self.wfile.write(part)
                        time.sleep(0.01)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])


@contextmanager
def serving(camera: Camera) -> Iterator[Camera]:
    thread = threading.Thread(target=camera.server.serve_forever, args=(0.05,))
    thread.start()
    yield camera
    camera.server.shutdown()
    camera.server.server_close()
    thread.join()


def parts(kind: str) -> Answer:
    """Pictures without end as multipart MJPEG, each part of this type, or of none."""
    head = f"Content-Type: {kind}\r\n" if kind else ""
    part = f"--frame\r\n{head}Content-Length: {len(PICTURE)}\r\n\r\n".encode() + PICTURE + b"\r\n"
    return 200, {"Content-Type": "multipart/x-mixed-replace; boundary=frame"}, repeat(part)


@pytest.mark.parametrize("kind", ["image/jpeg", "image/jpg", "IMAGE/JPEG", ""])
def test_multipart_stream_with_any_content_type_is_read(kind: str) -> None:
    with serving(Camera({"/video": parts(kind)})) as camera:
        done = run_probe(f"http://127.0.0.1:{camera.port}/video", "--json", "--seconds", "0.05")
    found = json.loads(done.stdout)
    assert (found.get("width"), found.get("height")) == (64, 48), found


@pytest.mark.parametrize("kind", ["application/vnd.apple.mpegurl", "video/mp4"])
def test_playlist_causes_no_request_to_other_hosts(kind: str) -> None:
    with serving(Camera({})) as inner:
        playlist = (
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
            f'#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{inner.port}/key"\n'
            f"#EXTINF:2,\nhttp://127.0.0.1:{inner.port}/inner.ts\n#EXT-X-ENDLIST\n"
        )
        answer = (200, {"Content-Type": kind}, playlist.encode())
        with serving(Camera({"/live.m3u8": answer})) as camera:
            done = run_probe(f"http://127.0.0.1:{camera.port}/live.m3u8")
        assert done.returncode == 1
        assert inner.asked == []


def test_redirect_is_reported_and_not_followed() -> None:
    with serving(Camera({"/video": parts("image/jpeg")})) as inner:
        to = {"Location": f"http://127.0.0.1:{inner.port}/video"}
        with serving(Camera({"/video": (302, to, b"")})) as camera:
            done = run_probe(f"http://joe:w0rd-Zq7@127.0.0.1:{camera.port}/video")
        assert done.returncode == 1
        assert "redirects are not followed" in done.stderr
        assert done.stderr.endswith(f"as the source, {to['Location']}\n")
        assert inner.asked == []


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def joined(key: Path, *certificates: Path) -> Path:
    both = key.with_suffix(".both.pem")
    both.write_bytes(b"".join(part.read_bytes() for part in (key, *certificates)))
    return both


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate for 127.0.0.1 and localhost; certificate.pem beside it is its issuer."""
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout", tmp_path / "key", "-out", tmp_path / "certificate.pem",
    )  # fmt: skip
    return joined(tmp_path / "key", tmp_path / "certificate.pem")


@pytest.fixture
def foreign(certificate: Path) -> Path:
    """Key and certificate for another host, of the same authority."""
    folder = certificate.parent
    (folder / "names").write_text("subjectAltName=DNS:other.example,IP:192.0.2.7")
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other.example",
        "-keyout", folder / "foreign", "-out", folder / "request",
    )  # fmt: skip
    openssl(
        "x509", "-req", "-in", folder / "request", "-CA", folder / "certificate.pem",
        "-CAkey", folder / "key", "-CAcreateserial", "-days", "2", "-extfile", folder / "names",
        "-out", folder / "foreign.pem",
    )  # fmt: skip
    return joined(folder / "foreign", folder / "foreign.pem")


@contextmanager
def serving_tls(camera: Camera, certificate: Path) -> Iterator[Camera]:
    context = tls_of(certificate)
    camera.server.socket = context.wrap_socket(camera.server.socket, server_side=True)
    with serving(camera):
        yield camera


def test_untrusted_certificate_gets_no_password_unless_verification_is_off(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Camera({"/video": parts("image/jpeg")})
    url = f"https://joe:w0rd-Zq7@127.0.0.1:{camera.port}/video"
    with serving_tls(camera, certificate):
        refused = run_probe(url)
        assert refused.returncode == 1
        assert "certificate" in refused.stderr
        assert camera.asked == []
        assert run_probe(url, "--no-tls-verify", "--seconds", "0.05").returncode == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        assert run_probe(url, "--seconds", "0.05").returncode == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_trusted_certificate_of_another_host_gets_no_password(
    host: str, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(foreign.with_name("certificate.pem")))
    with serving_tls(Camera({"/video": parts("image/jpeg")}), foreign) as camera:
        done = run_probe(f"https://joe:w0rd-Zq7@{host}:{camera.port}/video")
        assert done.returncode == 1
        assert "certificate not trusted" in done.stderr
        assert camera.asked == []


def test_certificate_that_is_itself_an_authority_may_have_any_name(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = foreign.with_name("trusted.pem")
    trusted.write_bytes(
        foreign.with_name("certificate.pem").read_bytes()
        + foreign.with_name("foreign.pem").read_bytes()
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with serving_tls(Camera({"/video": parts("image/jpeg")}), foreign) as camera:
        url = f"https://joe:w0rd-Zq7@127.0.0.1:{camera.port}/video"
        assert run_probe(url, "--seconds", "0.05").returncode == 0


def test_refusal_by_a_proxy_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Camera({})) as proxy:
        monkeypatch.setenv("http_proxy", f"http://joe:w0rd-Zq7@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        done = run_probe("http://camera.invalid/video")
    assert done.returncode == 1
    assert f"through the proxy http://***@127.0.0.1:{proxy.port}" in done.stderr


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_certificate_of_an_rtsps_camera_is_checked_first(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RtspCamera(lambda *_: "404 Not Found", tls_of(certificate)) as camera:
        url = camera.url("joe:w0rd-Zq7", "rtsps")
        assert "certificate not trusted" in run_probe(url).stderr
        assert camera.requests == []
        run_probe(url, "--no-tls-verify")
        assert camera.requests.pop(0).startswith(f"OPTIONS {camera.url(scheme='rtsps')} ")
        camera.requests.clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        run_probe(url)
        assert camera.methods == ["OPTIONS"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_rtsps_camera_with_a_certificate_of_another_host_is_asked_nothing(
    host: str, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(foreign.with_name("certificate.pem")))
    with RtspCamera(tls=tls_of(foreign)) as camera:
        done = run_probe(f"rtsps://joe:w0rd-Zq7@{host}:{camera.port}/stream")
        assert "certificate not trusted" in done.stderr
        assert camera.requests == []


def test_probe_reports_pictures_that_workers_would_refuse() -> None:
    huge = cv2.imencode(".jpg", np.zeros((5000, 9000), np.uint8))[1].tobytes()
    with MjpegServer([huge], fps=20) as camera:
        done = run_probe(camera.url)
    assert done.returncode == 1
    assert "none of its frames can be sent" in done.stderr
    assert "claims 9000x5000 pixels, the limit is 36,000,000" in done.stderr


def test_camera_with_refused_pictures_is_down_and_sends_nothing(
    client: Client, redis_url: str
) -> None:
    many_scans = PICTURE[:-2] + 65 * PICTURE[PICTURE.find(b"\xff\xda") : -2] + PICTURE[-2:]
    with (
        MjpegServer([many_scans], fps=100) as camera,
        Producer(redis_url, "--camera", "door", "--source", camera.url) as producer,
    ):
        within(lambda: b"has 66 scans" in (client.hget(keys.camera_info("door"), "error") or b""))
        assert client.hget(keys.camera_info("door"), "state") == b"down"
        within(lambda: producer.entries("66 scans, the limit is 64"))
        assert producer.metric("emotion_camera_up", "door") == 0
        assert client.xlen(keys.frames("door")) == 0


def without_its_table_of_quantization() -> bytes:
    """A picture with a sound header, whose pixels refer to a table that is not there."""
    at = PICTURE.find(b"\xff\xdb")
    length = int.from_bytes(PICTURE[at + 2 : at + 4])
    tableless = PICTURE[:at] + PICTURE[at + 2 + length :]
    assert read_header(tableless).width == 64
    return tableless


def test_refused_pictures_between_still_ones_are_not_refused_in_a_row(
    client: Client, redis_url: str
) -> None:
    own = ("--camera", "door", "--min-motion", "0.5", "--fps", "60")
    # One in four: a busy machine leaves frames out, and by chance ten refused ones of as many sound
    # ones would follow each other now and then.
    with (
        MjpegServer([*[PICTURE] * 3, without_its_table_of_quantization()], fps=60) as camera,
        Producer(redis_url, *own, "--source", camera.url) as producer,
    ):
        within(lambda: producer.metric("emotion_capture_decode_errors_total", "door") >= 60)
        within(
            lambda: producer.metric("emotion_skipped_frames_total", "door", reason="motion") >= 10
        )
        assert not producer.entries("pictures cannot be sent")


def test_camera_with_damaged_jpeg_tables_is_down_and_sends_nothing(
    client: Client, redis_url: str
) -> None:
    with (
        MjpegServer([without_its_table_of_quantization()], fps=100) as camera,
        Producer(redis_url, "--camera", "door", "--source", camera.url) as producer,
    ):
        within(
            lambda: b"cannot be decoded" in (client.hget(keys.camera_info("door"), "error") or b""),
        )
        within(lambda: producer.metric("emotion_capture_decode_errors_total", "door") > 5)
        assert client.xlen(keys.frames("door")) == 0


def test_memory_of_a_camera_process_is_limited(redis_url: str) -> None:
    with Producer(redis_url, "--camera", "lobby") as producer:
        within(lambda: producer.metric("emotion_camera_up", "lobby") == 1)
        (child,) = producer.children().values()
        soft, hard = resource.prlimit(child, resource.RLIMIT_AS)
        mapped = int(Path(f"/proc/{child}/statm").read_text().split()[0]) * resource.getpagesize()
        assert soft == hard
        # What threads reserve without using it would leave less.
        assert 400 << 20 < soft - mapped <= 512 << 20


def stream(folder: Path, size: str, frames: int) -> bytes:
    """H.264 whose decoder has to keep all frames, of one colour: little to send, much to hold."""
    path = folder / "stream.h264"
    options = f"ref=16:bframes=0:scenecut=0:keyint=250:level=6.2:threads=2:fps={frames}"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=red:size={size}:rate=10",
         "-frames:v", str(frames), "-c:v", "libx264", "-preset", "ultrafast",
         "-x264-params", options, "-pix_fmt", "yuv420p", str(path)],
        check=True,
    )  # fmt: skip
    return path.read_bytes()


def largest_mb(pids: Iterable[int]) -> float:
    """The greatest resident memory that one of the processes ever had."""
    peaks = [0.0]
    for pid in pids:
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            peaks += [int(at) / 1024 for at in re.findall(r"VmHWM:\s+(\d+)", status)]
    return max(peaks)


def test_stream_that_takes_much_memory_ends_its_own_process_alone(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    """Without a limit its 14 frames of 8192 x 4320 take a gigabyte."""
    hostile = stream(tmp_path, "8192x4320", 14)
    assert len(hostile) < 200_000
    config = tmp_path / "cameras.yaml"
    peaks = []
    with serving(Camera({"/video": (200, {"Content-Type": "video/h264"}, hostile)})) as camera:
        url = f"http://127.0.0.1:{camera.port}/video"
        config.write_text(
            f"cameras: {{good: {{source: demo}}, hostile: {{source: '{url}', {PATIENT}}}}}"
        )
        with Producer(redis_url, "--config", str(config)) as producer:
            within(lambda: producer.metric("emotion_camera_up", "good") == 1)
            good = producer.children()["good"]

            def was_ended() -> bool:
                peaks.append(largest_mb(producer.children().values()))
                restarts = producer.metric("emotion_camera_restarts_total", "hostile")
                return restarts > 1

            within(was_ended)
            assert producer.children()["good"] == good
            before = client.xinfo_stream(keys.frames("good"))["entries-added"]
            within(lambda: client.xinfo_stream(keys.frames("good"))["entries-added"] > before + 5)
    assert max(peaks) < 640


def test_stream_in_4k_has_enough_memory(redis_url: str, tmp_path: Path) -> None:
    large = stream(tmp_path, "3840x2160", 30)
    with serving(Camera({"/video": (200, {"Content-Type": "video/h264"}, large)})) as camera:
        url = f"http://127.0.0.1:{camera.port}/video"
        own = ("--camera", "gate", "--source", url, "--fps", "100", "--open-timeout-s", "60")
        with Producer(redis_url, *own, "--read-timeout-s", "60") as producer:
            captured = "emotion_captured_frames_total"
            within(lambda: producer.metric(captured, "gate") > 24)
            assert producer.metric("emotion_camera_restarts_total", "gate") == 0


def test_options_of_a_stream_do_not_apply_to_the_next_video(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.avi", "MJPG")
    with pytest.raises(SourceUnavailableError):
        source(f"http://127.0.0.1:{free_port()}/").open()  # its options allow no files
    capture = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG)
    assert capture.isOpened()
    capture.release()
