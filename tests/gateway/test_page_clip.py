"""Labels of the live page on a clip of a classroom, frame by frame, in a real Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import redis

from emotion_streams import EMOTIONS, Face
from tests.benchmarks.material import images
from tests.gateway.browser import Browser, require
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.gateway.test_page_labels import COLLISIONS
from tests.worker.tracking.walk import Walk, rows
from worker.inference.detect.choose import YUNET_FILE
from worker.inference.detect.yunet import YuNet
from worker.tracking import Sighting

FRAME_MS = 80
WIDTH, HEIGHT = 480, 270
PEOPLE = 4
SIZES = ((1440, 900), (820, 1180), (390, 844))


def detected(shared: Path) -> Iterator[list[Face]]:
    """The faces of each frame as YuNet finds them, with tracks; a person keeps an emotion."""
    cv2.setNumThreads(1)
    detector = YuNet((shared / "models" / "yunet" / YUNET_FILE).read_bytes())
    walk = Walk()
    for number, image in enumerate(images(shared / "clips" / "classroom.avi")):
        found = sorted(detector.detect(image), key=lambda each: each.box.x)
        shown = [EMOTIONS[n % len(EMOTIONS)] for n in range(len(found))]
        sightings = [Sighting(each.box, each.score) for each in found]
        walk.see(FRAME_MS * number, sightings, rows(shown))
        yield [
            Face(
                box=each.box,
                score=each.score,
                emotion=emotion,
                confidence=0.86,
                probabilities=face(emotion).probabilities,
                landmarks=each.landmarks,
                **tracked._asdict(),
            )
            for each, emotion, tracked in zip(found, shown, walk.faces, strict=True)
        ]


# What is shown of each frame: noted as soon as its boxes are drawn.
NOTE_FRAMES = """
    window.noted = {};
    const picture = document.querySelector('#detail .picture');
    new MutationObserver(() => {
        window.noted[picture.dataset.frame] = (() => { %s })();
    }).observe(picture, { attributes: true, attributeFilter: ['data-frame'] });
"""


# The page has seen its new size.
TWICE_DRAWN = """
    const done = arguments[arguments.length - 1];
    requestAnimationFrame(() => requestAnimationFrame(done));
"""


def test_labels_cover_no_face_and_no_label_in_any_frame_of_a_classroom(
    client: redis.Redis, redis_url: str, shared: Path
) -> None:
    require()
    frames = list(detected(shared))
    assert {len(faces) for faces in frames} == {PEOPLE}
    with Gateway(redis_url, "--no-pictures") as gateway, Browser() as browser:
        register(client, "class")
        browser.open(f"{gateway.base}/#/class")
        browser.wait(lambda: browser.text("#detail-title") == "class")
        browser.wait(lambda: browser.text("#link") == "Connected")
        browser.js(NOTE_FRAMES % COLLISIONS)
        for width, height in SIZES:
            browser.size(width, height, phone=width < 500)
            browser.wait(lambda: browser.js("return innerWidth") == width)  # noqa: B023
            browser.driver.execute_async_script(TWICE_DRAWN)
            labels = [play(client, browser, faces) for faces in frames]
            print(f"{width} pixels wide: {min(labels)} to {max(labels)} labels")
            assert min(labels) >= (PEOPLE if width > 500 else PEOPLE - 1)
        assert browser.errors() == []


def play(client: redis.Redis, browser: Browser, faces: list[Face]) -> int:
    """Show a frame with these faces; return how many of them have a label."""
    published = replace(event("class", now_ms(), *faces), width=WIDTH, height=HEIGHT)
    publish(client, published)
    noted = "return window.noted[arguments[0]]"
    browser.wait(lambda: browser.js(noted, published.frame_id))
    found = browser.js(noted, published.frame_id)
    assert found["faces"] == len(faces)
    assert {found[name] for name in ("outside", "onFaces", "onLabels", "cut")} == {0}, found
    return int(found["labels"])
