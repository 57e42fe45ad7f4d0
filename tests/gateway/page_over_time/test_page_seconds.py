"""The last five minutes of a camera, in a real Chromium: people, labels, gaps."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from selenium.webdriver.common.keys import Keys

from emotion_streams import EMOTIONS, Box, Face
from tests.gateway.browser import Browser
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.over_time import data, read
from tests.gateway.processes import Gateway

EVERY_MS = 200
SECOND_MS = 1000


def person(number: int) -> Face:
    """A face that shows fear in this frame and has been happy for a while."""
    smoothed = dict.fromkeys(EMOTIONS, 0.04) | {"happiness": 0.72}
    found = face("fear", 0.9, Box(60.0 + 300 * number, 64.0, 100.0, 124.0))
    return replace(
        found, track=f"{number}-0.0", label="happiness", label_since_ms=7, smoothed=smoothed
    )


def film(store: Any, camera: str, times: Iterable[int]) -> None:
    """Two people at five frames a second; one frame of each second misses one of them."""
    both = (person(0), person(1))
    with store.pipeline(transaction=False) as pipe:
        for ms in times:
            is_missed = ms % SECOND_MS == 2 * EVERY_MS
            publish(pipe, event(camera, ms, *(both[1:] if is_missed else both)))
        pipe.execute()


def test_people_are_counted_whom_single_frames_missed_and_labels_instead_of_frames(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """In the chart and on the tile."""
    register(store, "office")
    browser.open(page.base)
    browser.wait(lambda: browser.text("#link") == "Connected")
    browser.wait(lambda: browser.all("[data-camera=office]"))
    # Not earlier: the tile shows the last minute alone.
    now = now_ms() // SECOND_MS * SECOND_MS
    film(store, "office", range(now - 20 * SECOND_MS, now, EVERY_MS))
    browser.wait(lambda: browser.text("[data-camera=office] .mood") == "mostly happiness")
    browser.js("location.hash = '#/office'")
    browser.wait(lambda: data(browser, ".lanes canvas", "seconds") == 20)
    said = read(browser, ".lanes canvas", Keys.HOME, *[Keys.ARROW_RIGHT] * 20)
    assert said == ["not seen", *["happiness 72 %, 2 people in view"] * 20]
    assert "a face that is followed counts once" in browser.text("#detail .hint")
    assert browser.errors() == []


# Of a canvas whose right edge is now: the levels of a row, two seconds before and after a time.
AROUND = """
    const [camera, canvas] = [cameras.get('street'), document.querySelector('%s')];
    const at = (ms) => Math.round((1 - (camera.now() - ms) / 300000) * canvas.width);
    const levels = (ms) => [...canvas.getContext('2d').getImageData(
        at(ms - 2000), 5, at(ms + 2000) - at(ms - 2000), 1).data].filter((_, i) => i %% 4 === 0);
    done([levels(%d), levels(%d)]);
"""


def test_a_pause_of_many_frames_is_hatched_and_read_out_as_a_gap(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Eight seconds of five frames a second are missing, in the chart and in the tile's ribbon."""
    register(store, "street")
    now = now_ms() // SECOND_MS * SECOND_MS
    gap = (now - 30 * SECOND_MS, now - 22 * SECOND_MS)
    times = (*range(now - 50 * SECOND_MS, gap[0], EVERY_MS), *range(gap[1], now, EVERY_MS))
    film(store, "street", times)
    browser.open(f"{page.base}/#/street")
    browser.wait(lambda: data(browser, ".lanes canvas", "seconds") == 20 + 22)
    said = read(browser, ".lanes canvas", Keys.HOME, *[Keys.ARROW_RIGHT] * 25)
    assert [number for number, text in enumerate(said) if text == "not seen"] == [0, 21]
    middles = ((gap[0] + gap[1]) // 2, now - 40 * SECOND_MS)

    def levels(canvas: str) -> list[list[int]]:
        found: list[list[int]] = browser.modules(AROUND % (canvas, *middles))
        return found

    def is_hatched_in_the_chart() -> bool:
        hatched, seen = levels(".lanes canvas")
        return len(set(hatched)) > 2 >= len(set(seen))

    def is_hatched_in_the_ribbon() -> bool:
        """In light mode a lane is dark, and the gap is not."""
        hatched, seen = levels("[data-camera=street] .ribbon")
        return min(hatched) > 100 > min(seen)

    browser.wait(is_hatched_in_the_chart)
    browser.js("location.hash = '#/'")
    browser.wait(is_hatched_in_the_ribbon)
