"""Network cameras that are odd, or hostile."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import cv2
import numpy as np
import pytest

from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg
from tests.producer.test_probe import probe

PICTURE = jpeg(64, 48)


class Camera:
    """An HTTP server that answers a path with a status, headers and a body. `asked`: the paths."""

    def __init__(self, answers: dict[str, tuple[int, dict[str, str], bytes]]) -> None:
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
                self.wfile.write(body)

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


def parts(kind: str, count: int = 20_000) -> tuple[int, dict[str, str], bytes]:
    """So many pictures as multipart MJPEG, each part of this type, or of none."""
    head = f"Content-Type: {kind}\r\n" if kind else ""
    part = f"--frame\r\n{head}Content-Length: {len(PICTURE)}\r\n\r\n".encode() + PICTURE + b"\r\n"
    return 200, {"Content-Type": "multipart/x-mixed-replace; boundary=frame"}, part * count


@pytest.mark.parametrize("kind", ["image/jpeg", "image/jpg", "IMAGE/JPEG", ""])
def test_parts_of_any_type_are_read_as_browsers_do(kind: str) -> None:
    with serving(Camera({"/video": parts(kind)})) as camera:
        done = probe(f"http://127.0.0.1:{camera.port}/video", "--json", "--seconds", "0.05")
    found = json.loads(done.stdout)
    assert (found.get("width"), found.get("height")) == (64, 48), found


def test_the_url_of_a_snapshot_is_said_to_be_one() -> None:
    snapshot = (200, {"Content-Type": "image/jpeg", "Content-Length": str(len(PICTURE))}, PICTURE)
    with serving(Camera({"/snap.jpg": snapshot})) as camera:
        done = probe(f"http://127.0.0.1:{camera.port}/snap.jpg")
    assert done.returncode == 1
    assert "the URL of a snapshot, not of a stream" in done.stderr


@pytest.mark.parametrize("kind", ["application/vnd.apple.mpegurl", "video/mp4"])
def test_a_playlist_makes_the_producer_ask_nothing_of_other_hosts(kind: str) -> None:
    with serving(Camera({})) as inner:
        playlist = (
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
            f'#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{inner.port}/key"\n'
            f"#EXTINF:2,\nhttp://127.0.0.1:{inner.port}/inner.ts\n#EXT-X-ENDLIST\n"
        )
        answer = (200, {"Content-Type": kind}, playlist.encode())
        with serving(Camera({"/live.m3u8": answer})) as camera:
            done = probe(f"http://127.0.0.1:{camera.port}/live.m3u8")
        assert done.returncode == 1
        assert inner.asked == []


def test_a_redirect_to_another_host_is_not_followed() -> None:
    with serving(Camera({"/video": parts("image/jpeg")})) as inner:
        to = {"Location": f"http://127.0.0.1:{inner.port}/video"}
        with serving(Camera({"/video": (302, to, b"")})) as camera:
            done = probe(f"http://127.0.0.1:{camera.port}/video")
        assert done.returncode == 1
        assert inner.asked == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", tmp_path / "both.pem", "-out", tmp_path / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with (tmp_path / "both.pem").open("ab") as both:
        both.write((tmp_path / "certificate.pem").read_bytes())
    return tmp_path / "both.pem"


def test_a_strangers_certificate_gets_no_password_unless_that_is_asked_for(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Camera({"/video": parts("image/jpeg")})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    camera.server.socket = context.wrap_socket(camera.server.socket, server_side=True)
    url = f"https://joe:w0rd-Zq7@127.0.0.1:{camera.port}/video"
    with serving(camera):
        refused = probe(url)
        assert refused.returncode == 1
        assert "certificate" in refused.stderr
        assert camera.asked == []
        assert probe(url, "--no-tls-verify", "--seconds", "0.05").returncode == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
        assert probe(url, "--seconds", "0.05").returncode == 0


def test_a_proxys_refusal_is_not_the_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Camera({})) as proxy:
        monkeypatch.setenv("http_proxy", f"http://joe:w0rd-Zq7@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        done = probe("http://camera.invalid/video")
    assert done.returncode == 1
    assert f"asked through the proxy http://***@127.0.0.1:{proxy.port}" in done.stderr


class _Sha256Only(BaseRequestHandler):
    """An RTSP server that accepts Digest SHA-256 alone."""

    def handle(self) -> None:
        while request := self.request.recv(4096):
            number = next(
                line.partition(b":")[2] for line in request.split(b"\r\n") if b"CSeq" in line
            )
            self.request.sendall(
                b"RTSP/1.0 401 Unauthorized\r\nCSeq:" + number + b"\r\n"
                b'WWW-Authenticate: Digest realm="camera", nonce="a1", algorithm=SHA-256\r\n\r\n'
            )


def test_a_camera_that_asks_for_digest_sha_256_is_not_a_wrong_password() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), _Sha256Only) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        done = probe(f"rtsp://joe:w0rd-Zq7@127.0.0.1:{server.server_address[1]}/stream")
        server.shutdown()
        thread.join()
    assert done.returncode == 1
    assert "the camera asks for Digest SHA-256" in done.stderr
    assert "password is" not in done.stderr


def test_an_encrypted_rtsp_camera_is_asked_for_its_certificate_first(certificate: Path) -> None:
    said: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Stranger(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as secured:
                said.append(secured.recv(4096))

    with ThreadingTCPServer(("127.0.0.1", 0), Stranger) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"rtsps://joe:w0rd-Zq7@127.0.0.1:{server.server_address[1]}/stream"
        refused = probe(url)
        assert "certificate cannot be trusted" in refused.stderr
        assert said == []
        probe(url, "--no-tls-verify")
        assert said[0].startswith(b"OPTIONS rtsps://")
        server.shutdown()
        thread.join()


def test_pictures_that_workers_would_refuse_are_told_by_the_producer() -> None:
    huge = cv2.imencode(".jpg", np.zeros((5000, 9000), np.uint8))[1].tobytes()
    with MjpegServer([huge], fps=20) as camera:
        done = probe(camera.url)
    assert done.returncode == 1
    assert "none of its frames can be sent" in done.stderr
    assert "claims 9000x5000 pixels, the limit is 36,000,000" in done.stderr
