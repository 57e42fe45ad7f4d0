"""Analysed pictures: joined by frame id, in memory only, blurred or withheld where asked."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from emotion_streams import Box, EmotionEvent, Face, keys
from emotion_streams.connection import connect_async
from emotion_streams.stream_id import StreamId
from gateway.blur import blur_faces
from gateway.camera_feed import passthrough
from gateway.join import Join
from gateway.pictures import FrameCache
from gateway.published import Published
from service.metrics import GatewayMetrics
from tests.gateway import feeder
from tests.gateway.clients import attach, never_reading
from tests.gateway.feeder import FACE, Feeder, event, now_ms, portrait, publish
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess, eventually
from worker.inference.detect.choose import YUNET_FILE
from worker.inference.detect.yunet import YuNet


def picture(gateway: Gateway, camera: str) -> httpx.Response:
    """frame.jpg, as soon as there is one: it is refused if no picture is analysed in 3 s."""
    found: list[httpx.Response] = []

    def ask() -> bool:
        found[:] = [gateway.get(f"/api/cameras/{camera}/frame.jpg")]
        return found[0].status_code != 503

    eventually(ask)
    return found[0]


def flat(level: int) -> bytes:
    """A grey picture: its level identifies it."""
    return bytes(cv2.imencode(".jpg", np.full((480, 640, 3), level, np.uint8))[1])


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8)


def parts(answer: httpx.Response) -> Iterator[tuple[dict[str, str], bytes]]:
    """The parts of a multipart stream as they come, without those that only say it is alive."""
    held = b""
    chunks = answer.iter_raw()
    while True:
        head, found, rest = held.partition(b"\r\n\r\n")
        if found:
            lines = (line.partition(": ") for line in head.decode().strip().split("\r\n")[1:])
            headers = {name.lower(): value for name, _, value in lines}
            length = int(headers["content-length"])
            if len(rest) >= length + 2:
                if length:
                    yield headers, rest[:length]
                held = rest[length + 2 :]
                continue
        held += next(chunks)


def test_frame_jpg_is_the_newest_analysed_picture_and_names_its_event(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    with Feeder(redis_server.url, camera) as running:
        answer = picture(gateway, camera)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content == portrait()
    assert answer.headers["x-frame-id"] in running.ids


def test_a_picture_leaves_only_with_its_own_event(
    gateway: Gateway, store: Any, camera: str
) -> None:
    """Frames come ahead of events, and one is never analysed: the newest picture shown is always
    that of the newest event."""
    attach(gateway, store, camera)
    with gateway.stream(f"/api/cameras/{camera}/live.mjpeg") as answer:
        shown = parts(answer)
        start = now_ms()
        for n, level in enumerate((10, 60, 110, 160)):
            feeder.store(store, camera, start + n, flat(level))
        for n, level in ((0, 10), (2, 110), (3, 160)):
            publish(store, event(camera, start + n))
            headers, jpeg = next(shown)
            assert headers["x-frame-id"] == f"{start + n}-0"
            assert decode(jpeg)[0, 0, 0] == pytest.approx(level, abs=2)


def test_several_cameras_come_in_one_stream(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    names = [f"{camera}-a", f"{camera}-b"]
    for name in names:
        attach(gateway, store, name)
    query = "&".join(f"camera={name}" for name in names)
    with (
        Feeder(redis_server.url, names[0]) as first,
        Feeder(redis_server.url, names[1]) as second,
        gateway.stream(f"/api/pictures/stream?{query}") as answer,
    ):
        found: list[dict[str, str]] = []
        for headers, _ in parts(answer):
            found.append(headers)
            counts = Counter(each["x-camera"] for each in found)
            if min(counts[name] for name in names) >= 3:  # of either
                break
    assert set(counts) == {*names}
    for running in (first, second):
        ids = [each["x-frame-id"] for each in found if each["x-camera"] == running.camera]
        assert ids == [each for each in running.ids if each in ids], "in order, each once"


def test_a_stream_without_pictures_shows_that_it_is_alive(
    gateway: Gateway, store: Any, camera: str
) -> None:
    """Of several cameras, for the page; an <img> or a recorder could not skip such a part."""
    attach(gateway, store, camera)
    with gateway.stream(f"/api/pictures/stream?camera={camera}") as answer:
        assert next(answer.iter_raw()) == b"--picture\r\nContent-Length: 0\r\n\r\n\r\n"


def test_fps_is_a_ceiling(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    path = f"/api/cameras/{camera}/live.mjpeg?fps=4"
    with Feeder(redis_server.url, camera, fps=20):
        began = time.monotonic()  # before the first is sent, however late it arrives
        with gateway.stream(path) as answer:
            for _ in zip(range(5), parts(answer), strict=False):
                pass
            assert time.monotonic() - began >= 1.0


def test_a_client_that_takes_no_picture_slows_no_other(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    """Its connection is full after a few pictures; the other's stay as fresh as they were. What the
    machine does otherwise only adds to their age, so the best of a few turns counts."""
    attach(gateway, store, camera)
    path = f"/api/cameras/{camera}/live.mjpeg?fps=30"

    def age_ms() -> float:
        with gateway.stream(path) as answer:
            shown = parts(answer)
            return median(now_ms() - int(next(shown)[0]["x-frame-id"][:-2]) for _ in range(20))

    with Feeder(redis_server.url, camera, fps=15):
        alone = age_ms()
        with never_reading(gateway.port, path):
            age_ms()  # until its connection is full
            beside = [age_ms()]
            while beside[-1] >= alone + 250 and len(beside) < 10:
                beside.append(age_ms())
    assert min(beside) < alone + 250


def test_without_a_picture_frame_jpg_says_so(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    answer = gateway.get(f"/api/cameras/{camera}/frame.jpg")
    assert answer.status_code == 503
    assert "no picture" in answer.json()["error"]


def test_frames_are_read_only_while_a_client_watches(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with Gateway(redis_server.url) as gateway, Feeder(redis_server.url, camera):
        eventually(lambda: f'"{camera}"' in gateway.get("/api/cameras").text)
        gateway.get(f"/api/cameras/{camera}/events")
        assert gateway.metric("emotion_gateway_frames_read_bytes_total") == 0
        assert picture(gateway, camera).status_code == 200
        with gateway.stream(f"/api/cameras/{camera}/live.mjpeg") as answer:
            next(parts(answer))
            assert gateway.metric("emotion_gateway_watched_cameras") == 1
        eventually(lambda: gateway.metric("emotion_gateway_watched_cameras") == 0)


def test_blur_faces_blurs_every_picture_at_every_face_and_nothing_else(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with (
        Gateway(redis_server.url, "--blur-faces") as gateway,
        Feeder(redis_server.url, camera),
    ):
        eventually(lambda: f'"{camera}"' in gateway.get("/api/cameras").text)
        assert gateway.get("/api/cameras").json()["pictures"] == "blurred"
        pictures = [picture(gateway, camera).content]
        for path in (f"cameras/{camera}/live.mjpeg", f"pictures/stream?camera={camera}"):
            with gateway.stream(f"/api/{path}") as answer:
                pictures.append(next(parts(answer))[1])
    original = decode(portrait())
    for jpeg in pictures:
        blurred = decode(jpeg)
        inside = detail(blurred, FACE.x, FACE.y, FACE.width, FACE.height)
        assert inside < detail(original, FACE.x, FACE.y, FACE.width, FACE.height) / 4
        elsewhere = np.abs(blurred[250:, :].astype(int) - original[250:, :]).mean()
        assert elsewhere < 3, "the rest is as it was, but for another JPEG encoding"


def detail(picture: NDArray[np.uint8], x: float, y: float, width: float, height: float) -> float:
    """How much fine structure a rectangle holds: the median of its Laplacian."""
    region = picture[int(y) : int(y + height), int(x) : int(x + width)]
    return float(
        np.median(np.abs(cv2.Laplacian(cv2.cvtColor(region, cv2.COLOR_BGR2GRAY), cv2.CV_64F)))
    )


@pytest.mark.parametrize("height_px", [40, 60])
async def test_a_face_too_small_to_be_found_in_4k_does_not_leave_recognisable(
    shared: Path, height_px: int
) -> None:
    """The detector sees a reduced copy; what leaves has no more pixels than that."""
    finder = YuNet((shared / "models" / "yunet" / YUNET_FILE).read_bytes())
    scene, region = in_4k(height_px)
    jpeg = bytes(cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
    assert finder.detect(decode(jpeg)) == [], "or there would be nothing to test"
    left, top, width, height = region
    enlarged = cv2.resize(scene[top : top + height, left : left + width], (200, 210))
    assert finder.detect(np.asarray(enlarged, np.uint8)), "it is visible in the picture itself"
    blurred = decode(await blur_faces(jpeg, in_size(3840, 2160)))
    assert blurred.shape == (360, 640, 3)
    assert height_px * 640 / 3840 <= 10, "pixels of the face, too few to tell people by"


def in_4k(height_px: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """A 3840 x 2160 picture with the portrait's head pasted in, its face of this height; and where
    the head is (left, top, width, height)."""
    head = decode(portrait())[20:230, 190:390]
    scale = height_px / FACE.height
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(1).integers(80, 120, (2160, 3840, 3)).astype(np.uint8)
    scene = np.asarray(cv2.GaussianBlur(noise, (9, 9), 0), np.uint8)
    height, width = small.shape[:2]
    scene[1000 : 1000 + height, 1900 : 1900 + width] = small
    return scene, (1900, 1000, width, height)


def in_size(width: int, height: int, *faces: Face, detector: str = "yunet") -> EmotionEvent:
    made = event("lobby", 1, *faces)
    model = replace(made.model, detector=detector)
    return replace(made, width=width, height=height, model=model)


@pytest.mark.parametrize(
    ("size", "detector", "leaves"),
    [
        ((3840, 2160), "yunet", (640, 360)),
        ((1080, 1920), "yunet", (360, 640)),
        ((640, 480), "yunet", (640, 480)),
        ((320, 240), "yunet", (320, 240)),
        ((1920, 1080), "haar", (320, 180)),
        ((1920, 1080), "of a later version", (320, 180)),
    ],
)
async def test_blurred_nothing_leaves_larger_than_the_detector_saw_it(
    size: tuple[int, int], detector: str, leaves: tuple[int, int]
) -> None:
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", picture)[1])
    blurred = decode(await blur_faces(jpeg, in_size(*size, detector=detector)))
    assert blurred.shape[1::-1] == leaves


@pytest.mark.parametrize(("side", "leaves"), [(160, 160), (1280, 1280), (4096, 1920)])
async def test_the_side_that_the_event_names_is_the_limit(side: int, leaves: int) -> None:
    jpeg = bytes(cv2.imencode(".jpg", np.full((1080, 1920, 3), 128, np.uint8))[1])
    event_ = replace(in_size(1920, 1080), detect_side=side)
    assert decode(await blur_faces(jpeg, event_)).shape[1] == leaves


async def test_faces_that_the_event_omits_leave_with_few_pixels() -> None:
    """Of a crowd the smallest faces have no box: none is larger than the smallest that has one."""
    jpeg = bytes(cv2.imencode(".jpg", np.full((1080, 1920, 3), 128, np.uint8))[1])
    faces = [feeder.face(box=Box(0, 0, side, side)) for side in (60, 40)]
    crowd = replace(in_size(1920, 1080, *faces), faces_omitted=100)
    blurred = decode(await blur_faces(jpeg, crowd))
    assert 40 * blurred.shape[1] / 1920 <= 8
    with pytest.raises(ValueError, match="no box"):
        await blur_faces(jpeg, replace(in_size(1920, 1080), faces_omitted=1))


@pytest.mark.parametrize("at", [(0, 0), (1790, 980), (-50, -50), (905, 500)])
async def test_blurred_the_margin_around_a_face_goes_too(at: tuple[int, int]) -> None:
    """A third of the box on each side, also at the picture's edge: no pixel there is as it was."""
    noise = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3)).astype(np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", noise)[1])
    box = feeder.face(box=Box(at[0], at[1], 120, 90))
    plain = decode(await blur_faces(jpeg, in_size(1920, 1080)))
    blurred = decode(await blur_faces(jpeg, in_size(1920, 1080, box)))
    x0, x1 = (round(np.clip(each / 3, 0, 640)) for each in (at[0] - 40, at[0] + 160))
    y0, y1 = (round(np.clip(each / 3, 0, 360)) for each in (at[1] - 30, at[1] + 120))
    inside = blurred[y0:y1, x0:x1].astype(int)
    steps = np.abs(np.diff(inside[..., 1], axis=1)) > 16
    assert steps.mean() < 0.2, "flat blocks"
    untouched = np.abs(np.diff(plain[y0:y1, x0:x1, 1].astype(int), axis=1)) > 16
    assert untouched.mean() > 0.4


@pytest.mark.parametrize("failure", [cv2.error("no room"), MemoryError()])
async def test_a_picture_that_cannot_be_blurred_does_not_leave_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(cv2, "resize", fail)
    with pytest.raises(ValueError, match="cannot be blurred"):  # a PostProcess's word for "drop it"
        await blur_faces(portrait(), event("lobby", 1, feeder.face()))


async def test_once_closed_nothing_is_read_for_a_late_viewer(redis_url: str) -> None:
    metrics = GatewayMetrics(CollectorRegistry())
    async with connect_async(redis_url) as client, asyncio.TaskGroup() as group:
        before = asyncio.all_tasks()
        pictures = FrameCache(client, passthrough, metrics, group)
        pictures.close()
        with pictures.watch(["lobby"]) as viewer:
            assert await viewer.take(5) == []
            assert asyncio.all_tasks() == before


def test_a_frame_under_any_id_that_redis_takes_ends_nothing(
    gateway: Gateway, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    blob = feeder.frame(1, portrait()).pack()
    store.xadd(keys.frames(camera), {"frame": blob}, id=f"{2**64 - 1}-0")
    assert gateway.get(f"/api/cameras/{camera}/frame.jpg").status_code == 503, (
        "no event, no picture"
    )
    assert gateway.get("/api/cameras").status_code == 200


def test_without_pictures_none_leaves_and_no_frame_is_read(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with (
        Gateway(redis_server.url, "--no-pictures") as gateway,
        Feeder(redis_server.url, camera),
    ):
        eventually(lambda: f'"{camera}"' in gateway.get("/api/cameras").text)
        assert gateway.get("/api/cameras").json()["pictures"] == "off"
        for path in (
            f"cameras/{camera}/frame.jpg",
            f"cameras/{camera}/live.mjpeg",
            f"pictures/stream?camera={camera}",
        ):
            answer = gateway.get(f"/api/{path}")
            assert answer.status_code == 403
            assert "pictures are disabled" in answer.json()["error"]
        assert gateway.get(f"/api/cameras/{camera}/events").json()["events"]
        assert gateway.metric("emotion_gateway_frames_read_bytes_total") == 0


def test_no_picture_is_written_to_disk(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    """While it hands out pictures it holds no file open but its log, and writes less than one
    picture."""
    attach(gateway, store, camera)
    before = written(gateway)
    with (
        Feeder(redis_server.url, camera),
        gateway.stream(f"/api/cameras/{camera}/live.mjpeg") as answer,
    ):
        shown = parts(answer)
        for _ in range(3):
            next(shown)
        process = Path(f"/proc/{gateway.process.pid}")
        files = list(open_files(process))
    assert all("(deleted)" in name for name in files), "only the test's own log"
    assert written(gateway) - before < len(portrait())


def written(gateway: Gateway) -> int:
    """Bytes that it has written to disk."""
    text = Path(f"/proc/{gateway.process.pid}/io").read_text()
    return int(text.partition("\nwrite_bytes: ")[2].partition("\n")[0])


def open_files(process: Path) -> Iterator[str]:
    for link in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = str(link.readlink())
            if target.startswith("/") and not target.startswith("/dev/"):
                yield target


@given(st.permutations([*[("frame", n) for n in range(6)], *[("event", n) for n in (0, 2, 3, 5)]]))
def test_a_join_matches_ids_in_either_order(order: list[tuple[str, int]]) -> None:
    """Frames in order and events in order, interleaved at will: what is shown has equal ids."""
    join, shown = Join(), []
    for kind in merge(order):
        what, n = kind
        if what == "frame":
            if join.frame(StreamId(n, 0), b"%d" % n) is not None:
                shown.append(n)
        else:
            item = Published.of(event("camera", n))
            jpeg = join.event(item)
            if jpeg is not None:
                assert jpeg == b"%d" % n
                shown.append(n)
    assert sorted(shown) == [0, 2, 3, 5]


def merge(order: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The same interleaving with each kind's numbers in order, as streams bring them."""
    numbers = {kind: iter(sorted(n for k, n in order if k == kind)) for kind in ("frame", "event")}
    for kind, _ in order:
        yield kind, next(numbers[kind])


def test_a_join_holds_no_more_than_its_bounds() -> None:
    join = Join()
    for n in range(500):
        join.frame(StreamId(n, 0), b"x" * 10)
    early = [Published.of(event("camera", 1000 + n)) for n in range(500)]
    assert sum(join.event(item) is None for item in early) == 500
    assert join.frame(StreamId(1000, 0), b"") is None, "the oldest events were removed"
    assert join.frame(StreamId(1499, 0), b"") is not None
