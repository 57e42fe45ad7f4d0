"""A camera's page beside another camera or a day before, and its axis, in a real Chromium."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from emotion_streams import EMOTIONS, Emotion
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.axe import violations
from tests.gateway.browser import Browser
from tests.gateway.feeder import now_ms, register
from tests.gateway.over_time import DAY_MS, choose, data, read
from tests.gateway.processes import Gateway
from tests.people import write_minutes


def hour(store: Any, camera: str, emotion: Emotion, people: float, ago_ms: int = 0) -> None:
    """An hour of minutes that all show the same."""
    start = now_ms() // MINUTE_MS * MINUTE_MS - ago_ms
    with store.pipeline(transaction=False) as pipe:
        for number in range(70, 1, -1):
            minute = samples.minute(camera, start - number * MINUTE_MS)
            assert minute.people is not None
            means = {name: float(name == emotion) for name in EMOTIONS}
            shown = replace(
                minute.people,
                people_mean=people,
                face_ms=round(people * MINUTE_MS),
                probabilities_mean=means,
            )
            write_minutes(pipe, replace(minute, people=shown, coverage=1.0))
        pipe.execute()


def compare(browser: Browser, text: str) -> None:
    browser.choose(".compare select", text)


def test_a_camera_is_compared_with_another_one_and_with_the_day_before(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """In the text below the chart, and at each point that is read out."""
    register(store, "lobby")
    register(store, "door", title="Front door")
    hour(store, "lobby", "anger", 3, ago_ms=DAY_MS)
    hour(store, "lobby", "happiness", 1)
    hour(store, "door", "fear", 2)
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "1h")
    browser.wait(lambda: data(browser, ".lanes canvas", "points") > 50)
    assert not browser.shows(".compared")
    compare(browser, "Front door")
    browser.wait(lambda: data(browser, ".lanes canvas", "compared") > 50)
    shown = (
        "lobby: 1 person on average; happiness 100 %. "
        "Dashed, Front door: 2 people on average; fear 100 %."
    )
    browser.wait(lambda: browser.text(".compared") == shown)
    (said,) = read(browser, ".lanes canvas", Keys.HOME)
    assert "happiness 100 %, 1 person in view" in said
    assert said.endswith("; Front door: fear 100 %, 2 people in view")
    compare(browser, "a day before")
    day_before = "a day before: 3 people on average; anger 100 %"
    browser.wait(lambda: day_before in browser.text(".compared"))
    compare(browser, "nothing")
    browser.wait(lambda: not browser.shows(".compared"))
    assert browser.errors() == []


def test_the_comparison_stays_from_range_to_range_and_moves_along(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    hour(store, "lobby", "anger", 3, ago_ms=DAY_MS)
    hour(store, "lobby", "happiness", 1)
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "1h")
    compare(browser, "a day before")
    browser.wait(lambda: "anger" in browser.text(".compared"))
    choose(browser, "24h")
    browser.wait(lambda: 1 <= data(browser, ".lanes canvas", "compared") <= 16)
    choose(browser, "1h")
    browser.click(".earlier")
    browser.wait(lambda: data(browser, ".lanes canvas", "compared") <= 11)


LABELS = """
    const axis = document.querySelector('.axis').getBoundingClientRect();
    return [...document.querySelectorAll('.axis span')].map((label) => {
        const { left, right } = label.getBoundingClientRect();
        return [left - axis.left, axis.right - right, left, right];
    });
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_of_the_axis_never_overlap_on_a_phone(
    browser: Browser, page: Gateway, store: Any, scheme: str
) -> None:
    register(store, "lobby")
    register(store, "door")
    hour(store, "lobby", "happiness", 1)
    browser.size(390, 844, phone=True)
    browser.scheme(scheme)
    browser.open(f"{page.base}/#/lobby")
    compare(browser, "door")
    for range_ in ("5min", "1h", "24h", "7d", "30d"):
        choose(browser, range_)
        browser.wait(lambda: browser.js(LABELS))
        labels = browser.js(LABELS)
        assert len(labels) >= 2, range_
        assert min(label[0] for label in labels) >= -1, "none leaves the axis"
        assert min(label[1] for label in labels) >= -1, "none leaves the axis"
        for (*_, end), (*_, start, _end) in pairwise(labels):
            assert end + 4 <= start, range_
    assert browser.js("return document.documentElement.scrollWidth") <= 390
    assert violations(browser) == []
