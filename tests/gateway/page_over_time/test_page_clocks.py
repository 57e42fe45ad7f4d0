"""A camera whose clock is not that of Redis, in a real Chromium."""

from typing import Any

import httpx

from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.browser import Browser
from tests.gateway.feeder import again, event, face, now_ms, publish, register
from tests.gateway.over_time import HOUR_MS, choose
from tests.gateway.processes import Gateway
from tests.people import write_minutes

AHEAD_MS = 2 * HOUR_MS


def run_ahead(store: Any) -> None:
    register(store, "lobby")
    publish(store, event("lobby", now_ms() + AHEAD_MS, face("anger")))


def test_the_overview_and_the_exports_go_by_the_right_clock(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Minutes and events have the camera's times, records of episodes are dated by Redis."""
    with again(lambda: run_ahead(store)):
        write_minutes(store, samples.minute("lobby", now_ms() // MINUTE_MS * MINUTE_MS + AHEAD_MS))
        browser.at_noon()
        browser.open(page.base)
        # What the page knows of the clock comes with the first event.
        browser.wait(lambda: browser.text("[data-camera=lobby] .mood") == "mostly anger")
        browser.click("#overview-toggle")
        row = "return document.querySelector('#overview tbody tr')?.innerText.split('\\t') ?? []"
        browser.wait(lambda: browser.js(row)[3:4] == ["1"])
        browser.wait(lambda: browser.all("#overview .sparkline rect"))
        browser.js("location.hash = '#/lobby'")
        choose(browser, "1h")
        # At once: they move on each second.
        links = "return [...document.querySelectorAll('.exports .csv')].map(e => e.href)"
        events, episodes, minutes = (
            int(httpx.URL(link).params["to"]) for link in browser.js(links)
        )
        assert abs(episodes + AHEAD_MS - events) < HOUR_MS
        assert minutes == events
        assert browser.errors() == []
