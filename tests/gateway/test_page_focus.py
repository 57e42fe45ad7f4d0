"""The keyboard on the page, in a real Chromium: what has the focus keeps it, and arrows lead on."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from selenium.webdriver.common.keys import Keys

from tests.gateway.browser import Browser, as_new
from tests.gateway.feeder import CALM, again, register
from tests.gateway.over_time import choose, stay, write
from tests.gateway.processes import Gateway


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 1440, 900)


def wall(client: Any, names: list[str], down: set[str]) -> None:
    for name in names:
        state = "down" if name in down else "up"
        register(client, name, state=state, error="timed out", group=name[:1], **CALM)


WATCH = """
    window.began = performance.now();
    window.lost = 0;
    document.addEventListener('focusout', () => { window.lost += 1; });
"""


def test_the_overview_keeps_the_focus_while_it_is_redrawn_and_sorted(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    names = ["a1", "a2", "b1"]
    down: set[str] = set()
    with again(lambda: wall(client, names, down)), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: len(browser.all(".tile")) == 3)
        browser.click("#overview-toggle")
        browser.click("#overview thead button", 1)
        order = "return [...document.querySelectorAll('#overview tbody a')].map(e => e.innerText)"
        browser.wait(lambda: browser.js(order) == names)
        browser.js("document.querySelector('#overview a[href=\"#/b1\"]').focus()")
        browser.js(WATCH)
        browser.wait(lambda: browser.js("return performance.now() - window.began > 3500"))
        assert browser.js("return window.lost") == 0
        down.add("b1")
        browser.wait(lambda: browser.js(order) == ["b1", "a1", "a2"])
        focused = "return document.activeElement.getAttribute('href')"
        browser.wait(lambda: browser.js(focused) == "#/b1")
        assert browser.errors() == []


def test_arrows_lead_from_one_tile_that_is_shown_to_the_next(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    with again(lambda: wall(client, ["ax", "b", "cx"], set())), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: len(browser.all(".tile")) == 3)
        browser.find("#search").send_keys("x")
        browser.wait(lambda: len(browser.all(".tile:not([hidden])")) == 2)
        browser.js("document.querySelector('[data-camera=ax] a').focus()")
        browser.press(Keys.ARROW_RIGHT)
        assert browser.focused() == "cx"
        browser.press(Keys.ARROW_LEFT)
        assert browser.focused() == "ax"


def test_arrows_and_escape_are_left_to_a_list_that_has_the_focus(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    with again(lambda: wall(client, ["a1", "a2", "b1"], set())), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: len(browser.all(".tile")) == 3)
        browser.js("location.hash = '#/a2'")
        browser.wait(lambda: browser.text("#detail-title") == "a2")
        browser.js("document.querySelector('.compare select').focus()")
        browser.press(Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ESCAPE)
        assert browser.js("return location.hash") == "#/a2"
        assert browser.js("return document.activeElement.tagName") == "SELECT"
        browser.js("document.querySelector('#detail-title').focus()")
        browser.press(Keys.ARROW_RIGHT)
        browser.wait(lambda: browser.text("#detail-title") == "b1")


def test_a_moment_chosen_by_keyboard_takes_the_focus_to_the_timeline(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    register(client, "lobby", **CALM)
    write(client, stay("1-0.0", 4000, 90, "happiness", 0.92))
    with Gateway(redis_url) as gateway:
        browser.open(f"{gateway.base}/#/lobby")
        choose(browser, "24h")
        browser.wait(lambda: len(browser.all(".moments button")) == 2)
        browser.js("document.querySelector('.moments button').focus()")
        browser.press(Keys.ENTER)
        browser.wait(lambda: "happiness 65 % for 30 s" in browser.text(".readout"))
        assert browser.js("return Boolean(document.activeElement.closest('.who'))")
        assert browser.errors() == []
