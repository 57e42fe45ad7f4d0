"""Which cameras the wall shows, in a real Chromium: a filter that nothing matches, and more cameras
than a stream takes."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import redis

from emotion_streams import keys
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, as_new, shown_tiles
from tests.gateway.feeder import CALM, again, event, frame, now_ms, register
from tests.gateway.processes import Gateway


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 1440, 900)


def test_a_chosen_group_that_disappears_can_be_left(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    groups = {"cam1": "Keller", "cam2": ""}

    def run() -> None:
        for name, group in groups.items():
            register(client, name, group=group, **CALM)

    with again(run), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: len(shown_tiles(browser)) == 2)
        browser.choose("#groups", "Keller")
        browser.wait(lambda: shown_tiles(browser) == ["cam1"])
        groups["cam1"] = ""
        browser.wait(lambda: browser.shows("#none"))
        assert browser.js("return document.getElementById('groups').value") == "Keller"
        browser.choose("#groups", "All groups")
        browser.wait(lambda: shown_tiles(browser) == ["cam1", "cam2"])
        assert not browser.shows("#groups"), "there is nothing to choose from"
        assert browser.errors() == []


def publish_all(client: Any, names: list[str], jpeg: bytes) -> None:
    """A picture of each camera, and its event."""
    ms = now_ms()
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            register(pipe, name, fps=1, lasting=True)
            stored = {"frame": frame(ms, jpeg).pack()}
            pipe.xadd(keys.frames(name), stored, id=f"{ms}-0", maxlen=5)
            found = {"event": event(name, ms).pack()}
            pipe.xadd(keys.emotions(name), found, id=f"{ms}-0")
        pipe.execute()


def test_more_cameras_than_a_stream_takes_show_their_pictures_in_turn(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    names = [f"cam{number}" for number in range(70)]
    jpeg = bytes(cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1])
    pictures = "return document.querySelectorAll('.tile .off[hidden]').length"
    with again(lambda: publish_all(client, names, jpeg)), Gateway(redis_url) as gateway:
        browser.size(2000, 1400)
        browser.open(gateway.base)
        browser.wait(lambda: len(shown_tiles(browser)) == len(names))
        assert not browser.shows("#turns")
        browser.click(".density button", 3)
        browser.wait(lambda: browser.shows("#turns"))
        browser.wait(lambda: browser.js(pictures) == len(names))
        assert violations(browser) == []
        assert shown_tiles(browser) == names, "cam2 comes before cam10"
        browser.click(".density button")
        browser.wait(lambda: not browser.shows("#turns"))
        assert browser.errors() == []
