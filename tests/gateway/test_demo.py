"""The whole way: the demo camera, a producer, a worker, the gateway, and the page in Chromium."""

import base64
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.faults.processes import MAX_AGE_MS, start_producer, start_worker
from tests.gateway.browser import Browser, require
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess

SOURCE = ("--source", "demo", "--fps", "10", "--max-age-ms", str(MAX_AGE_MS))

# The picture's own pixels under the box, and the frame that they belong to, at one instant.
SHOWN = """
    const canvas = document.querySelector('#detail .picture canvas');
    const box = document.querySelector('#detail .box');
    if (!box || !canvas.width) return null;
    const frame = canvas.getBoundingClientRect(), mark = box.getBoundingClientRect();
    const scale = canvas.width / frame.width;
    return {
        id: box.closest('.picture').dataset.frame,
        box: [mark.left - frame.left, mark.top - frame.top, mark.width, mark.height]
            .map(side => side * scale),
        picture: canvas.toDataURL('image/png').split(',')[1],
    };
"""


def test_the_page_shows_the_demo_camera_with_its_box_on_the_face(tmp_path: Path) -> None:
    """The box is that of the frame's own event, and an independent detector finds the face there.

    EMOTION_SCREENSHOT names a file to keep a picture of the page in.
    """
    require()
    with (
        RedisProcess() as server,
        start_worker(tmp_path, server.url) as worker,
        start_producer(tmp_path, server.url, "demo", *SOURCE),
        Gateway(server.url) as gateway,
        Browser() as browser,
    ):
        browser.size(1280, 860)
        browser.open(f"{gateway.base}/#/demo")
        browser.wait(lambda: browser.js(SHOWN))
        shown = browser.js(SHOWN)
        before = int(shown["id"].partition("-")[0]) - 1
        path = f"/api/cameras/demo/events?after={before}-0&limit=10"
        events = gateway.get(path).json()["events"]
        own = next(each for each in events if each["frame_id"] == shown["id"])
        assert shown["box"] == pytest.approx(own["faces"][0]["box"], abs=3), worker.logged()
        assert on_the_face(shown["box"], decode(shown["picture"]))
        assert browser.errors() == []
        if target := os.environ.get("EMOTION_SCREENSHOT"):
            keep(browser, Path(target))


def decode(png: str) -> Any:
    return cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), cv2.IMREAD_GRAYSCALE)


def on_the_face(box: list[float], picture: Any) -> bool:
    """Whether the middle of a face that OpenCV's cascade finds lies within the box."""
    data: Any = cv2.data  # type: ignore[attr-defined]  # it ships no types
    cascade = cv2.CascadeClassifier(data.haarcascades + "haarcascade_frontalface_default.xml")
    found = cascade.detectMultiScale(picture, 1.1, 5, minSize=(60, 60))
    middles = [(x + width / 2, y + height / 2) for x, y, width, height in found]
    return any(box[0] < x < box[0] + box[2] and box[1] < y < box[1] + box[3] for x, y in middles)


def keep(browser: Browser, target: Path) -> None:
    """The large view, once the chart has something to show."""
    seconds = "return Number(document.querySelector('.lanes canvas').dataset.seconds)"
    browser.wait(lambda: browser.js(seconds) >= 60)
    browser.size(1280, 1080)
    browser.wait(lambda: browser.js("return innerHeight") == 1080)
    target.write_bytes(browser.driver.get_screenshot_as_png())
