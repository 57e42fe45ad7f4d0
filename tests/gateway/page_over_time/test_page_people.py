"""A camera's page over time, in a real Chromium: who was in view, minutes, moments, exports."""

import os
import random
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from emotion_streams import EMOTIONS, Episode, Minute
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, keep
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.over_time import choose, data, minutes, read, stay, write
from tests.gateway.processes import Gateway
from tests.people import write_episode, write_minutes
from tests.servers import PATIENCE_S


def test_people_in_view_are_read_out_by_keyboard(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Two people at once and a third one later take two lanes."""
    register(store, "lobby")
    write(
        store,
        stay("1-0.0", 200, 90, "happiness", 0.9),
        stay("2-0.0", 180, 60, "fear", 0.5),
        stay("3-0.0", 60, 30, "anger", 0.8),
    )
    browser.open(f"{page.base}/#/lobby")
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == 3)
    assert data(browser, ".who canvas", "lanes") == 2
    said = read(browser, ".who canvas", Keys.HOME, Keys.ARROW_RIGHT, Keys.END, Keys.ARROW_LEFT)
    assert [text.partition(",")[2].strip() for text in said] == [
        "no lasting emotion; was in view for 90 s",
        "no lasting emotion; was in view for 60 s",
        "anger 65 % for 10 s; was in view for 30 s",
        "no lasting emotion; was in view for 30 s",
    ]
    assert browser.errors() == []


def test_the_timeline_is_read_out_under_the_pointer(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    happy_ms = now_ms() - 90_000
    write(
        store,
        stay("1-0.0", 180, 180, "happiness", 0.9),
    )
    browser.open(f"{page.base}/#/lobby")
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == 1)
    browser.js(
        """
        const canvas = document.querySelector('.who canvas'), at = canvas.getBoundingClientRect();
        const share = 1 - (Date.now() - arguments[0]) / 300000; // of the last five minutes
        canvas.dispatchEvent(new PointerEvent('pointermove', {
            clientX: at.left + share * at.width, clientY: at.top + 5 }));
        """,
        happy_ms,
    )
    assert "happiness 65 % for 60 s; was in view for 3 min" in browser.text(".readout")


def test_moments_lead_to_their_time(browser: Browser, page: Gateway, store: Any) -> None:
    """Out of a day, an hour around it is shown, with the person chosen."""
    register(store, "lobby")
    write(
        store,
        stay("1-0.0", 5 * 3600, 90, "happiness", 0.92),
        stay("2-0.0", 3600, 90, "neutral", 0.95),
    )
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "24h")
    browser.wait(lambda: len(browser.all(".moments button")) == 3)
    texts = browser.js(
        "return [...document.querySelectorAll('.moments span')].map(e => e.textContent)"
    )
    assert [re.sub(r"\d+", "n", text, count=1) for text in texts] == [
        "Person n entered", "Person n: happiness, up to 92 %", "Person n entered",
    ]  # fmt: skip
    browser.click(".moments button", 1)
    browser.wait(lambda: "happiness 65 % for 30 s" in browser.text(".readout"))
    pressed = browser.js("return document.querySelector(\"[data-range='1h']\").ariaPressed")
    assert (pressed, data(browser, ".who canvas", "tracks")) == ("true", 1)
    browser.click(".now")
    browser.wait(lambda: browser.text(".span").endswith("now"))


def test_an_episode_appears_as_it_happens(browser: Browser, page: Gateway, store: Any) -> None:
    register(store, "lobby")
    browser.open(f"{page.base}/#/lobby")
    browser.wait(lambda: browser.text("#link") == "Connected")
    browser.wait(lambda: browser.shows(".no-people"))
    for _, record in stay("1-0.0", 10, 9, "anger", 0.8):
        write_episode(store, record)  # now, and so after all that the gateway has read
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == 1)
    browser.wait(lambda: len(browser.all(".moments button")) == 2)


def test_a_gap_is_hatched_and_read_out(browser: Browser, page: Gateway, store: Any) -> None:
    register(store, "lobby")
    minutes(store, *range(2, 20), *range(40, 70))
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "1h")
    browser.wait(lambda: data(browser, ".lanes canvas", "points") > 30)
    keys = [Keys.HOME, *[Keys.ARROW_RIGHT] * 22]
    said = read(browser, ".lanes canvas", *keys)
    assert said.count("not seen") == 1
    assert said[0] == "happiness 30 %, 0.9 people in view"
    gaps = """
        const canvas = document.querySelector('.lanes canvas');
        const row = canvas.getContext('2d').getImageData(0, 5, canvas.width, 1).data;
        const at = (share) => [...row.slice(4 * Math.round(share * canvas.width)).slice(0, 160)];
        const kinds = (share) => new Set(at(share).filter((_, i) => i % 4 === 0)).size;
        return [kinds(0.5), kinds(0.85)];
    """
    hatched, plain = browser.js(gaps)
    assert hatched > 2 >= plain, "lines in the gap, one colour beside it"


def test_a_range_that_cannot_be_loaded_is_not_shown_as_not_seen(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    minutes(store, *range(2, 20))
    browser.open(f"{page.base}/#/lobby")
    browser.wait(lambda: browser.text("#link") == "Connected")
    browser.block("*/trend?*")
    try:
        choose(browser, "1h")
        browser.wait(
            lambda: browser.text(".readout") == "Could not be loaded; the page tries again"
        )
        label = "return document.querySelector('.lanes canvas').ariaLabel"
        assert "Could not be loaded" in browser.js(label)
        assert browser.js(UNHATCHED)
    finally:
        browser.block()
    browser.wait(lambda: data(browser, ".lanes canvas", "points") > 10)
    browser.wait(lambda: browser.text(".readout") == "")
    browser.wait(lambda: not browser.js(UNHATCHED))


# Whether the row of people has one colour from its middle on.
UNHATCHED = """
    const canvas = document.querySelector('.lanes canvas'), half = Math.floor(canvas.width / 2);
    const row = canvas.getContext('2d').getImageData(half, 20, half - 1, 1).data;
    return new Set(row.filter((_, i) => i % 4 === 0)).size === 1;
"""


def test_the_chosen_range_is_what_is_exported(browser: Browser, page: Gateway, store: Any) -> None:
    register(store, "lobby")
    publish(store, event("lobby", now_ms() - 1000, face()))
    write(
        store,
        stay("1-0.0", 2 * 3600, 90, "happiness", 0.9),
    )
    numbers, this_minute = range(2, 200), now_ms() // MINUTE_MS * MINUTE_MS
    minutes(store, *numbers, start_ms=this_minute)
    starts = [this_minute - number * MINUTE_MS for number in numbers]
    browser.open(f"{page.base}/#/lobby")
    counts: dict[tuple[str, str], int] = {}
    spans: dict[str, range] = {}
    for range_ in ("1h", "24h"):
        choose(browser, range_)
        for kind in ("events", "episodes", "minutes"):
            href = f"return document.querySelector('.exports .{kind}.jsonl').href"
            link = httpx.URL(str(browser.js(href)))
            answer = httpx.get(link, trust_env=False, timeout=PATIENCE_S)
            assert answer.status_code == 200
            name = answer.headers["Content-Disposition"]
            assert re.search(rf"lobby-{kind}-from-\d+T\d+Z-to-\d+T\d+Z.jsonl", name), name
            counts[range_, kind] = len(answer.text.splitlines())
            spans[range_] = range(*(int(link.params[bound]) for bound in ("from", "to")))
    assert counts["1h", "events"] == 1
    assert (counts["1h", "episodes"], counts["24h", "episodes"]) == (0, 4)
    for range_, hours in (("1h", 1), ("24h", 24)):
        # Of `minutes` above, those that begin in it; how many depends on the second.
        own = [start for start in starts if start in spans[range_]]
        assert counts[range_, "minutes"] == len(own)
        assert len(spans[range_]) == pytest.approx(hours * 3_600_000, abs=1)
    assert counts["24h", "minutes"] == len(starts)
    assert 50 < counts["1h", "minutes"] <= 58


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_over_time_is_accessible_and_fits_a_phone(
    browser: Browser, page: Gateway, store: Any, scheme: str
) -> None:
    register(store, "lobby")
    write(store, stay("1-0.0", 600, 90, "happiness", 0.92))
    minutes(store, *range(2, 20))
    browser.size(390, 844, phone=True)
    browser.scheme(scheme)
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "1h")
    browser.wait(lambda: len(browser.all(".moments button")) == 2)
    assert violations(browser) == []
    assert browser.js("return document.documentElement.scrollWidth") <= 390


def test_the_picker_and_the_timeline_are_reached_by_keyboard(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    write(store, stay("1-0.0", 600, 90, "happiness", 0.92))
    browser.open(f"{page.base}/#/lobby")
    browser.find("[data-range='5min']")
    browser.js("document.querySelector('[data-range=\"5min\"]').focus()")
    browser.press(Keys.TAB, Keys.ENTER)
    pressed = "return document.querySelector(\"[data-range='1h']\").ariaPressed"
    browser.wait(lambda: browser.js(pressed) == "true")
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == 1)
    reached = "return document.activeElement.closest('.who, .lanes')?.className ?? ''"
    walked = []
    for _ in range(7):
        browser.press(Keys.TAB)
        walked.append(browser.js(reached))
    assert [name for name in walked if name] == ["who", "lanes"]


def test_thirty_days_of_minutes_are_summed_up_once(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Each minute leaves Redis once; after that, those of the oldest and the newest hour do."""
    register(store, "lobby")
    minutes(store, *range(2, 30 * 1440))
    calls = []
    for _ in range(2):
        browser.open(f"{page.base}/#/lobby")
        browser.find("[data-range='30d']")
        browser.wait(lambda: browser.text(".moments p").startswith("No one"))  # all is loaded
        store.config_resetstat()
        began = time.monotonic()
        choose(browser, "30d")
        browser.wait(lambda: data(browser, ".lanes canvas", "points") > 230)
        print(f"30 days were drawn after {time.monotonic() - began:.2f} s")
        calls.append(store.info("commandstats")["cmdstat_xrange"]["calls"])
    assert calls[0] <= 30 * 1440 / 400
    assert calls[1] <= 12


def test_a_picture_of_an_hour_is_drawn(browser: Browser, page: Gateway, store: Any) -> None:
    """EMOTION_SCREENSHOT names a file to keep it in; phone.png beside it is what a phone shows."""
    register(store, "lobby")
    chance = random.Random(3)
    stays = []
    for number in range(26):
        ago_s = chance.uniform(30, 3300)
        for_s = min(ago_s - 1, chance.uniform(30, 400))
        emotion = chance.choice(EMOTIONS)
        stays.append(stay(f"{number}-0.0", ago_s, for_s, emotion, chance.uniform(0.5, 0.97)))
    seen = [each for each in stays if not 20 * 60 < ago(each) < 38 * 60]
    write(store, *seen)
    start = now_ms() // MINUTE_MS * MINUTE_MS
    write_minutes(
        store,
        *(
            varied(start - number * MINUTE_MS, chance)
            for number in (*range(69, 31, -1), *range(19, 1, -1))
        ),
    )
    browser.open(f"{page.base}/#/lobby")
    choose(browser, "1h")
    browser.wait(lambda: data(browser, ".who canvas", "tracks") == len(seen))
    assert 2 <= data(browser, ".who canvas", "lanes") <= 8
    assert browser.errors() == []
    if target := os.environ.get("EMOTION_SCREENSHOT"):
        browser.size(1200, 1500)
        browser.wait(lambda: browser.js("return innerHeight") == 1500)
        keep(browser.find("#detail .chart").screenshot_as_png, Path(target))
        browser.size(390, 844, scale=2, phone=True)
        browser.wait(lambda: browser.js("return innerWidth") == 390)
        browser.js("document.querySelector('#detail .chart').scrollIntoView()")
        browser.wait(lambda: browser.js("return scrollY") > 0)
        keep(browser.driver.get_screenshot_as_png(), Path(target).with_name("phone.png"))


def ago(records: list[tuple[int, Episode]]) -> float:
    """How many seconds ago a person came."""
    return (now_ms() - records[0][0]) / 1000


def varied(start_ms: int, chance: random.Random) -> Minute:
    """A minute of a few people."""
    minute = samples.minute("lobby", start_ms)
    assert minute.people is not None
    weights = {name: chance.random() * (4 if name == "happiness" else 1) for name in EMOTIONS}
    means = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    coverage = chance.choice([1.0, 1.0, 1.0, 0.6])
    in_view = 4 * chance.random()
    face_ms = round(coverage * in_view * MINUTE_MS)
    people = replace(minute.people, people_mean=in_view, face_ms=face_ms, probabilities_mean=means)
    return replace(minute, people=people, coverage=coverage)
