"""A file as a source is read alone: no file that it names, and none that its name could mean."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emotion_streams import keys
from emotion_streams.connection import Client
from producer.source import SourceUnavailableError
from tests.peers.pictures import jpeg, write_video
from tests.peers.producer import Producer
from tests.producer.sources.test_sources import frames, source
from tests.producer.test_probe import run_probe

FORMATS = {
    "a.ts": "MPG2", "a.m2ts": "MPG2", "a.mpg": "PIM1", "a.vob": "MPG2", "a.m2v": "MPG2",
    "a.wmv": "WMV2", "a.asf": "MP43", "a.flv": "FLV1", "a.3gp": "mp4v", "a.nut": "mp4v",
    "a.wtv": "MPG2", "a.rm": "RV10", "a.swf": "FLV1", "a.ivf": "VP80", "a.mjpeg": "MJPG",
}  # fmt: skip
PLAYLISTS = {
    "holiday.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "holiday.ts": "\n#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "concat.avi": "ffconcat version 1.0\nfile private.ts\n",
    "holiday.mpd": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1">'
        "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "holiday.sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 5000 RTP/AVP 26\r\n",
}


def playlist(name: str, folder: Path) -> Path:
    """A playlist that names a video of another folder, or of its own."""
    private = folder / "private"
    private.mkdir()
    write_video(private / "private.ts", "MPG2")
    (folder / "private.ts").write_bytes((private / "private.ts").read_bytes())
    path = folder / name
    path.write_text(PLAYLISTS[name].format(private / "private.ts"))
    return path


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlist_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    camera = source(playlist(name, tmp_path))
    with pytest.raises(SourceUnavailableError, match="a playlist"):
        camera.open()


@pytest.mark.parametrize("name", ["holiday.m3u8", "concat.avi"])
def test_producer_and_probe_publish_nothing_of_the_files_that_a_playlist_names(
    name: str, client: Client, redis_url: str, tmp_path: Path
) -> None:
    path = playlist(name, tmp_path)
    with Producer(redis_url, "--camera", "door", "--source", str(path)) as producer:
        assert producer.wait() == 1
        assert f"{name}: a playlist" in producer.log()
    assert client.xlen(keys.frames("door")) == 0
    done = run_probe(str(path), "--picture", str(tmp_path / "out.jpg"))
    assert (done.returncode, "a playlist" in done.stderr) == (1, True)
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize("name", ["a%03d.jpg", "a*.jpg", "a[0-9].jpg"])
def test_name_of_a_picture_is_not_a_pattern_for_others(name: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a{number:03}.jpg").write_bytes(jpeg(64, 48))
        (tmp_path / f"a{number}.jpg").write_bytes(jpeg(64, 48))
    (tmp_path / name).write_bytes(jpeg(128, 96))
    camera = source(tmp_path / name)
    assert camera.open().width == 128
    assert len(list(frames(camera))) == 1
    camera.close()


@pytest.mark.parametrize("name", FORMATS)
def test_usual_formats_of_recordings_are_read(name: str, tmp_path: Path) -> None:
    done = run_probe(str(write_video(tmp_path / name, FORMATS[name])), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["width"] == 64


@pytest.mark.parametrize(
    "make", [lambda path: path.write_text("<html>"), lambda path: path.write_bytes(b"\0" * 9000)]
)
def test_other_content_is_no_video(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "a.mp4")
    with pytest.raises(SourceUnavailableError, match="not a video"):
        source(tmp_path / "a.mp4").open()
