"""How far back a camera's page knows persons, in a real Chromium."""

import os
from pathlib import Path
from typing import Any

from emotion_streams import EpisodeType, keys
from tests import samples
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, keep
from tests.gateway.feeder import now_ms, register
from tests.gateway.over_time import HOUR_MS, choose, data, minutes, stay, write
from tests.gateway.processes import Gateway


def last_for_hours(store: Any, hours: int) -> None:
    """A person who shows one emotion until now, of which every five seconds have a record."""
    start = now_ms() - hours * HOUR_MS
    shown: dict[str, Any] = {"track": "9-0.0", "id": "lobby/9-0.0/1", "start_ms": start}
    with store.pipeline(transaction=False) as pipe:
        for n in range(hours * 720):
            at = start + 5000 * n
            fields = {"decided_ms": at, "duration_ms": at - start, "peak_ms": start, **shown}
            record = samples.episode(type=EpisodeType.EMOTION_UPDATED, **fields)
            pipe.xadd(keys.episodes("lobby"), {"episode": record.pack()}, id=f"{at}-0")
        pipe.execute()


def test_an_emotion_that_lasts_for_hours_does_not_hide_who_came_before(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    write(store, stay("1-0.0", 20 * 3600, 600, "fear", 0.9))
    last_for_hours(store, 9)
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "24h")
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == 2)
    browser.wait(lambda: len(browser.all(".moments button")) == 3)
    assert not browser.shows(".people-since")
    assert not browser.shows(".moments p")


def test_it_is_said_from_when_on_redis_keeps_persons(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    minutes(store, *range(2, 200))
    write(store, stay("1-0.0", 3600, 90, "happiness", 0.92))
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "24h")
    gone = "; earlier records are no longer kept"
    browser.wait(lambda: browser.text(".people-since").endswith(gone))
    assert browser.shows(".people-since")
    browser.wait(lambda: browser.text(".moments p").endswith(gone))
    assert browser.shows(".moments p")
    assert violations(browser) == []
    if target := os.environ.get("EMOTION_SCREENSHOT"):
        keep(browser.driver.get_screenshot_as_png(), Path(target))
    assert browser.errors() == []
