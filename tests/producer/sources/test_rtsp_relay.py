"""RTSP cameras that would lead the producer elsewhere, and those that want a password."""

import select
import socket
import time
from contextlib import ExitStack
from urllib.parse import quote, urlsplit

import pytest

from producer.source import SourceUnavailableError
from producer.sources.rtsp_auth import Credentials
from producer.sources.rtsp_relay import RtspRelay
from tests.peers.producer import PASSWORD
from tests.peers.rtsp import RtspServer, require_gstreamer
from tests.peers.rtsp_camera import Answer, Answering, RtspCamera, is_right_digest, usual
from tests.producer.sources.test_sources import source

SECRET = f"joe:{quote(PASSWORD, safe='')}"


def why_not(url: str, **settings: object) -> str:
    """The reason why the source cannot be opened, or ends at once."""
    camera = source(url, **settings)
    try:
        camera.open()
        camera.grab()
    except SourceUnavailableError as error:
        return str(error)
    finally:
        camera.close()
    raise AssertionError("it is read")


def answering(method: str, answer: Answer) -> Answering:
    """As a sound camera, but for requests of one method."""
    return lambda asked, _: answer if asked == method else usual(asked)


@pytest.mark.parametrize(
    ("method", "transport"),
    [("OPTIONS", "tcp"), ("DESCRIBE", "tcp"), ("SETUP", "tcp"), ("PLAY", "tcp"), ("SETUP", "udp")],
)
def test_redirect_is_named_and_its_target_gets_no_request(method: str, transport: str) -> None:
    with RtspCamera() as inner:
        answer = f"302 Moved\r\nLocation: {inner.url()}"
        with RtspCamera(answering(method, answer)) as camera:
            reason = why_not(camera.url(SECRET), transport=transport)
        assert "redirects are not followed" in reason
        assert inner.url() in reason
        assert "w0rd-Zq7" not in reason
        assert inner.requests == []
        assert camera.methods[-1] == method


DISGUISES = {
    "a second answer": b"CSeq: {cseq}\r\n\r\n{redirect}",
    "a body": b"CSeq: {cseq}\r\nContent-Length: {length}\r\n\r\n{redirect}",
    "after a field that looks like a packet": (
        b"CSeq: {cseq}\r\n$\x00\x00\x02\r\nContent-Length: {length}\r\n\r\n{redirect}"
    ),
    "two lengths": (
        b"CSeq: {cseq}\r\nContent-Length: {length}\r\nContent-Length: 0\r\n\r\n{redirect}"
    ),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_redirect_in_disguise_leads_nowhere(disguise: str) -> None:
    """The answer to OPTIONS contains it, for FFmpeg to take it as the next one."""
    with RtspCamera() as inner:
        redirect = f"RTSP/1.0 302 Moved\r\nCSeq: 2\r\nLocation: {inner.url()}\r\n\r\n".encode()
        answer = b"RTSP/1.0 200 OK\r\n" + DISGUISES[disguise]
        answer = answer.replace(b"{length}", b"%d" % len(redirect)).replace(b"{redirect}", redirect)
        with RtspCamera(answering("OPTIONS", answer)) as camera:
            why_not(camera.url(SECRET))
        assert "OPTIONS" in camera.methods
        assert inner.requests == []


def test_packets_of_udp_are_sent_to_the_camera_alone() -> None:
    with ExitStack() as ends:
        here, elsewhere = (
            ends.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in "12"
        )
        here.bind(("127.0.0.1", 0))
        port = here.getsockname()[1]
        elsewhere.bind(("127.0.0.2", port))

        def answer(method: str, _: str) -> Answer:
            if method != "SETUP":
                return usual(method)
            return (
                "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/UDP;unicast;source=127.0.0.2;"
                f"destination=127.0.0.2;client_port=5000-5001;server_port={port}-{port + 1}"
            )

        camera = ends.enter_context(RtspCamera(answer))
        why_not(camera.url(), transport="udp")
        assert select.select([here, elsewhere], [], [], 2)[0] == [here]


def test_camera_is_asked_for_the_url_of_its_source() -> None:
    with RtspCamera() as camera:
        why_not(camera.url(SECRET) + "?channel=1&subtype=0")
    asked = f"{camera.url()}?channel=1&subtype=0"
    starts = [request.partition("\r\n")[0] for request in camera.requests[:3]]
    assert starts == [
        f"OPTIONS {asked} RTSP/1.0",
        f"DESCRIBE {asked} RTSP/1.0",
        f"SETUP {asked}/track1 RTSP/1.0",
    ]


@pytest.mark.parametrize("number", [b"", b"CSeq: 77\r\n", b"CSeq: x\r\n"])
def test_camera_that_does_not_repeat_the_number_of_a_request_is_understood(number: bytes) -> None:
    with RtspCamera(answering("OPTIONS", b"RTSP/1.0 200 OK\r\n" + number + b"\r\n")) as camera:
        why_not(camera.url())
        assert camera.methods[:3] == ["OPTIONS", "DESCRIBE", "SETUP"]


def demanding(challenge: str) -> Answering:
    """Wants user and password, and then says that there is no such stream."""

    def answer(method: str, authorization: str) -> Answer:
        if method == "OPTIONS":
            return usual(method)
        if authorization and is_right_digest(authorization, method, "joe", PASSWORD):
            return "404 Not Found"
        return f"401 Unauthorized\r\nWWW-Authenticate: {challenge}"

    return answer


@pytest.mark.parametrize("qop", ["", ', qop="auth"', ', qop="auth-int,auth"'])
@pytest.mark.parametrize("algorithm", ["", ", algorithm=MD5", ', algorithm="SHA-256"'])
def test_digest_is_answered_once(algorithm: str, qop: str) -> None:
    challenge = f'Digest realm="a camera", nonce="a1"{algorithm}{qop}'
    with RtspCamera(demanding(challenge)) as camera:
        why_not(camera.url(SECRET))
        assert camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE"]
        assert "Authorization" not in camera.requests[1]
        assert is_right_digest(
            camera.requests[2].partition("Authorization: ")[2], "DESCRIBE", "joe", PASSWORD
        )


def test_wrong_password_is_tried_once() -> None:
    with RtspCamera(demanding('Digest realm="x", nonce="a1"')) as camera:
        why_not(camera.url("joe:wrong"))
        assert camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE"]


def test_unsupported_digest_algorithm_is_not_reported_as_a_wrong_password() -> None:
    with RtspCamera(demanding('Digest realm="x", nonce="a1", algorithm=SHA3-256')) as camera:
        reason = why_not(camera.url(SECRET))
    assert "the camera requires Digest SHA3-256" in reason
    assert "password is" not in reason
    assert "Authorization" not in "".join(camera.requests)


@pytest.mark.parametrize("parameter", ["a" * 30_000, "a" + " " * 30_000, 'a="' * 10_000])
def test_challenge_of_any_content_is_read_at_once(parameter: str) -> None:
    """Within the time that ten thousand usual ones take."""

    def duration_s(challenges: list[str]) -> float:
        began_s = time.thread_time()
        Credentials("joe", PASSWORD).accept(challenges)
        return time.thread_time() - began_s

    usual_challenge = 'Digest realm="a camera", nonce="a1", qop="auth", algorithm=MD5'
    assert duration_s([f"Digest {parameter}"]) < duration_s(10_000 * [usual_challenge])


@pytest.mark.parametrize("kind", ["basic", "digest"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_real_server_that_wants_a_password_gets_it(kind: str, transport: str) -> None:
    require_gstreamer()
    with RtspServer("joe", PASSWORD, kind) as server:
        camera = source(server.url("mjpeg", SECRET), transport=transport)
        assert camera.open().width == 320
        assert camera.grab() is not None
        camera.close()


def test_a_client_without_the_relays_url_reaches_no_camera() -> None:
    with RtspCamera() as camera:
        where = urlsplit(camera.url(SECRET))
        relay = RtspRelay(
            camera.url(SECRET), lambda: socket.create_connection((where.hostname, where.port))
        )
        stranger = urlsplit(relay.url)
        with socket.create_connection((stranger.hostname, stranger.port)) as connection:
            asked = f"rtsp://{stranger.hostname}:{stranger.port}/stream"
            connection.sendall(f"DESCRIBE {asked} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            assert connection.recv(1) == b""
        relay.close()
        assert camera.requests == []


def test_server_of_another_protocol_is_named() -> None:
    with RtspCamera(lambda *_: b"HTTP/1.1 400 Bad Request\r\n\r\n") as camera:
        assert "answer is not RTSP" in why_not(camera.url())
