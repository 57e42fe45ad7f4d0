"""The keyboard on the page, in a real Chromium: what has the focus keeps it, and arrows lead on."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.gateway.browser import Browser
from tests.gateway.feeder import CALM, again, register
from tests.gateway.processes import Gateway


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    window.revive()
    window.size(1440, 900)
    yield window
    window.close_page()


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
