"""Text from cameras and file names that is not valid, or is meant for a terminal."""

import json
import os
from pathlib import Path

import pytest

from emotion_streams import keys
from emotion_streams.connection import Client
from producer.source import SourceUnavailableError
from producer.sources.rtsp_messages import MessageReader
from tests.peers.pictures import jpeg, write_video
from tests.peers.producer import PASSWORD, Producer, within
from tests.peers.rtsp_camera import Answer, RtspCamera, usual
from tests.producer.test_probe import run_probe
from tests.producer.test_process import info

HEADERS = {
    "Location": b"RTSP/1.0 302 Moved\r\nCSeq: {cseq}\r\nLocation: rtsp://evil/\xff\x1b[31m\r\n\r\n",
    "WWW-Authenticate": (
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n"
        b'WWW-Authenticate: Digest realm="x", nonce="a1", algorithm="\xff\x1b[31m"\r\n\r\n'
    ),
}
FORGED = "\n12:00:00 forged\x1b[2J"
SHOWN = r"\xff\x1b[31m"


def camera_with(header: str) -> RtspCamera:
    """A camera that answers DESCRIBE so."""

    def answer(method: str, _: str) -> Answer:
        return HEADERS[header] if method == "DESCRIBE" else usual(method)

    return RtspCamera(answer)


@pytest.mark.parametrize("header", HEADERS)
def test_header_that_is_not_utf8_leaves_the_other_cameras_of_the_producer_alone(
    header: str, client: Client, redis_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "cameras.yaml"
    with camera_with(header) as camera:
        config.write_text(
            "cameras: {lobby: {source: demo, fps: 5, width: 64},"
            f' door: {{source: "{camera.url("joe:${DOOR}")}", reconnect_max_s: 0.5}}}}'
        )
        with Producer(redis_url, "--config", str(config), DOOR=PASSWORD) as producer:
            within(
                lambda: (
                    SHOWN in info(client, "door").get("error", "")
                    or producer.process.poll() is not None
                )
            )
            assert producer.process.poll() is None, producer.log()
            seen_ms = client.zscore(keys.CAMERAS, "lobby") or 0
            within(lambda: (client.zscore(keys.CAMERAS, "lobby") or 0) > seen_ms)
            within(lambda: info(client, "lobby")["state"] == "up")
            assert producer.process.poll() is None
            assert producer.metric("emotion_camera_restarts_total", "door") == 0


@pytest.mark.parametrize("header", HEADERS)
def test_probe_shows_a_header_that_is_not_utf8_in_one_printable_line(header: str) -> None:
    with camera_with(header) as camera:
        done = run_probe(camera.url("joe:x"))
    assert done.returncode == 1
    assert SHOWN in done.stderr
    assert done.stderr.removesuffix("\n").isprintable()


def test_probe_shows_names_of_files_that_are_not_text(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", "mp4v").rename(tmp_path / "a\x1b[31m.avi")
    picture = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    done = run_probe(str(video), "--picture", str(picture))
    assert (done.returncode, done.stderr) == (0, "")
    assert r"a\x1b[31m.avi" in done.stdout
    assert r"caf\xe9.jpg" in done.stdout
    assert done.stdout.replace("\n", "").isprintable()
    assert picture.exists()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_name_of_a_picture_forges_no_line_of_the_log(
    log_format: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    (tmp_path / f"b{FORGED}.jpg").write_bytes(b"no picture")
    options = ("--camera", "door", "--source", str(tmp_path), "--log-format", log_format)
    with Producer(redis_url, *options) as producer:
        assert producer.wait() == 0
        log = producer.log()
    assert "1 of 2 pictures cannot be decoded" in log
    assert log.replace("\n", "").isprintable()
    assert not any(line.startswith("12:00:00 forged") for line in log.split("\n"))


def test_name_of_a_missing_file_is_one_printable_line(redis_url: str, tmp_path: Path) -> None:
    options = ("--camera", "door", "--source", f"{tmp_path}/{FORGED}.avi", "--log-format", "text")
    with Producer(redis_url, *options) as producer:
        assert producer.wait() == 1
        last = producer.log().removesuffix("\n").split("\n")[-1]
    assert last.startswith("producer: door: ")
    assert last.endswith(r"/\x0a12:00:00 forged\x1b[2J.avi: no such file")


def test_wrong_setting_is_one_printable_line() -> None:
    done = run_probe("demo", "--config", f"{FORGED}.yaml")
    assert done.returncode == 2
    assert done.stderr.removesuffix("\n").isprintable()


def test_reason_of_any_length_fits_into_a_report() -> None:
    """A report of more than 64 KiB would read as the crash of its process."""
    for character in ("\udcff", "\U000e0001", "\U0001f600", "\\"):
        reason = str(SourceUnavailableError(character * 100_000))
        assert len(json.dumps(reason)) < 50_000


def test_bytes_that_are_not_utf8_are_relayed_unchanged() -> None:
    (message,) = MessageReader().feed(HEADERS["Location"])
    assert not isinstance(message, bytes)
    assert message.pack() == HEADERS["Location"]
