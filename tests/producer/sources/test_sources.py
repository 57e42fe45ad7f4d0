"""The promises of every source. One suite for all of them."""

import contextlib
import functools
import importlib
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import producer.sources
from emotion_streams.jpeg import read_header
from producer.config import parse_camera
from producer.native import NativeStderr
from producer.source import (
    EndOfSourceError,
    Format,
    NoSuchSourceError,
    Picture,
    Source,
    SourceUnavailableError,
)
from producer.source_kind import SourceKind, source_kind
from producer.sources import make_source
from producer.sources.network import NetworkSource
from producer.sources.snapshot import SnapshotSource
from producer.sources.v4l2 import V4l2Source
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg, write_video
from tests.peers.producer import PASSWORD
from tests.peers.rtsp import RtspServer, require_gstreamer
from tests.peers.snapshot_server import Settings, SnapshotServer
from tests.peers.video_capture import FakeVideoCapture

FRAMES = 6
"""Of each source that has an end."""

PATIENT = {"open_timeout_s": 60, "read_timeout_s": 60}
"""Servers of the tests wait for a processor, too."""


class Places:
    """Where the sources of a test come from. One RTSP server serves them all."""

    def __init__(self, folder: Path, rtsp: Callable[[], RtspServer]) -> None:
        self.folder = folder
        self.rtsp = rtsp


@contextlib.contextmanager
def demo(_: Places) -> Iterator[Source]:
    yield source("demo")


@contextlib.contextmanager
def file(places: Places) -> Iterator[Source]:
    yield source(write_video(places.folder / "clip.avi", "XVID", frames=FRAMES))


@contextlib.contextmanager
def mjpeg_file(places: Places) -> Iterator[Source]:
    yield source(write_video(places.folder / "clip.avi", "MJPG", frames=FRAMES))


@contextlib.contextmanager
def folder(places: Places) -> Iterator[Source]:
    for index in range(FRAMES):
        (places.folder / f"{index}.jpg").write_bytes(jpeg(64, 48, index))
    (places.folder / "notes.txt").write_text("no picture")
    yield source(places.folder)


@contextlib.contextmanager
def v4l2(_: Places) -> Iterator[Source]:
    yield V4l2Source("/dev/video9", (64, 48), 20, 1, lambda *_: FakeVideoCapture().as_cv2())


@contextlib.contextmanager
def http(_: Places) -> Iterator[Source]:
    with MjpegServer([jpeg(64, 48, index) for index in range(FRAMES)]) as server:
        yield source(server.url)


@contextlib.contextmanager
def snapshot(_: Places) -> Iterator[Source]:
    numbers = itertools.count()
    with SnapshotServer(Settings(lambda: jpeg(64, 48, next(numbers) % 20))) as server:
        yield SnapshotSource(server.url(), 50, 60, 60)


@contextlib.contextmanager
def rtsp_h264(places: Places) -> Iterator[Source]:
    yield source(places.rtsp().url("h264"))


@contextlib.contextmanager
def rtsp_h264_over_udp(places: Places) -> Iterator[Source]:
    yield source(places.rtsp().url("h264"), transport="udp")


@contextlib.contextmanager
def rtsp_mjpeg(places: Places) -> Iterator[Source]:
    yield source(places.rtsp().url("mjpeg"))


CASES = [
    demo, file, mjpeg_file, folder, v4l2, http, snapshot, rtsp_h264, rtsp_h264_over_udp, rtsp_mjpeg,
]  # fmt: skip


def source(where: str | Path, **settings: object) -> Source:
    values = {**PATIENT, "source": str(where), **settings}
    return make_source(parse_camera(values, {}), NativeStderr())


@pytest.fixture(scope="module")
def rtsp() -> Iterator[Callable[[], RtspServer]]:
    """The server, started when it is first asked for."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def server() -> RtspServer:
            require_gstreamer()
            return stack.enter_context(RtspServer())

        yield server


@pytest.fixture
def places(tmp_path: Path, rtsp: Callable[[], RtspServer]) -> Places:
    return Places(tmp_path, rtsp)


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def any_source(request: pytest.FixtureRequest, places: Places) -> Iterator[Source]:
    with request.param(places) as source:
        yield source
        source.close()


def frames(source: Source) -> Iterator[Picture]:
    with contextlib.suppress(EndOfSourceError):
        while True:
            source.grab()
            yield source.retrieve()


def size(picture: Picture) -> tuple[int, int]:
    if isinstance(picture, bytes):
        return read_header(picture)[:2]
    assert picture.dtype == "uint8"
    assert picture.shape[2] == 3
    return picture.shape[1], picture.shape[0]


def test_suite_covers_every_source(tmp_path: Path, places: Places) -> None:
    modules = [
        importlib.import_module(f"producer.sources.{module.name}")
        for module in pkgutil.iter_modules(producer.sources.__path__)
    ]
    existing = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("Source") and value.__module__.startswith("producer.sources")
    }
    samples = ["demo", "0", "http://x", "rtsp://x", "clip.avi", str(tmp_path)]
    assert {source_kind(sample) for sample in samples} == set(SourceKind)
    # The source of a URL asks the server whether there is a stream or a snapshot.
    assert {*(type(source(sample)) for sample in samples), SnapshotSource} == existing
    # And the cases above make one of each.
    made: set[type[Source]] = {NetworkSource}  # by those of RTSP, whose server may not be installed
    for case in (demo, file, folder, v4l2, http, snapshot):
        with case(places) as built:
            made.add(type(built))
    assert made == existing


def test_source_delivers_whole_pictures_of_the_reported_size(
    any_source: Source,
) -> None:
    opened = any_source.open()
    assert isinstance(opened, Format)
    assert opened.codec
    taken = list(itertools.islice(frames(any_source), FRAMES + 2))
    assert {size(picture) for picture in taken} == {(opened.width, opened.height)}
    has_end = type(any_source).__name__ in ("FileSource", "FolderSource")
    assert len(taken) == (FRAMES if has_end else FRAMES + 2)


@pytest.mark.parametrize("case", [mjpeg_file, v4l2, http, snapshot, rtsp_mjpeg])
def test_motion_jpeg_is_passed_through_unchanged(
    case: Callable[[Places], contextlib.AbstractContextManager[Source]], places: Places
) -> None:
    with case(places) as camera:
        camera.open()
        assert isinstance(next(frames(camera)), bytes)
        camera.close()


def test_timestamps_never_decrease(any_source: Source) -> None:
    any_source.open()
    times = [time for time in (any_source.grab() for _ in range(FRAMES)) if time is not None]
    assert times == sorted(times)
    if not any_source.live:
        assert len(set(times)) == FRAMES
        assert times[0] == pytest.approx(0, abs=0.1)


def test_closed_source_can_be_reopened_from_its_start(any_source: Source) -> None:
    for _ in range(2):
        any_source.open()
        assert size(next(frames(any_source)))
        any_source.close()
    any_source.close()


def test_grabbed_frame_need_not_be_retrieved(any_source: Source) -> None:
    any_source.open()
    for _ in range(3):
        any_source.grab()
    assert size(any_source.retrieve())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_looped_source_restarts_at_its_end(kind: str, tmp_path: Path, places: Places) -> None:
    make: Callable[[Places], contextlib.AbstractContextManager[Source]] = {
        "file": file, "folder": folder,
    }[kind]  # fmt: skip
    with make(places):
        looping = source(tmp_path / "clip.avi" if kind == "file" else tmp_path, loop=True)
    looping.open()
    times = [looping.grab() for _ in range(3 * FRAMES)]
    looping.close()
    assert all(earlier < later for earlier, later in itertools.pairwise(map(float, times)))  # type: ignore[arg-type]  # none is None


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("/does/not/exist.mp4", "/does/not/exist.mp4: no such file"),
        ("{tmp}", "no picture in this folder"),
        ("9", "/dev/video9: no such device"),
        ("/dev/v4l/by-id/usb-none", "no such device .present: "),
        ("{tmp}/text.mp4", "not a video"),
        (f"http://joe:{quote(PASSWORD, safe='')}@127.0.0.1:1/x", "127.0.0.1:1/x: "),
        (f"rtsp://joe:{quote(PASSWORD, safe='')}@127.0.0.1:1/x", "127.0.0.1:1/x: "),
    ],
)
def test_source_that_cannot_be_opened_reports_the_reason(
    where: str, complaint: str, tmp_path: Path
) -> None:
    if "text" in where:
        (tmp_path / "text.mp4").write_text("no video at all")
    missing = source(where.format(tmp=tmp_path))
    with pytest.raises(SourceUnavailableError, match=complaint) as caught:
        missing.open()
    assert "w0rd-Zq7" not in str(caught.value)
    is_a_mistake = "exist" in where or "{tmp}" in where
    assert isinstance(caught.value, NoSuchSourceError) == is_a_mistake
