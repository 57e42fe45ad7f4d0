"""The live page in a real Chromium."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
import redis
from selenium.webdriver.common.keys import Keys

from emotion_streams import Box, Emotion, keys
from tests.gateway import over_time
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, as_new
from tests.gateway.feeder import (
    CALM,
    Feeder,
    Scene,
    again,
    event,
    face,
    now_ms,
    publish,
    register,
)
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess, Stopwatch

SLACK_S = 0.7
"""What asking the browser may add to the page's promise."""


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 1280, 900, scheme="light")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    with RedisProcess() as process:
        yield process


@pytest.fixture(scope="module")
def page(server: RedisProcess) -> Iterator[Gateway]:
    with Gateway(server.url) as process:
        yield process


@pytest.fixture
def store(server: RedisProcess) -> Iterator[Any]:
    with redis.Redis(unix_socket_path=str(server.socket)) as connection:
        connection.flushall()
        yield connection


class Mover:
    """A scene in which a white square moves over black; its event's box is the square."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> Scene:
        self.number += 1
        x = 20 + (self.number * 37) % 500
        picture = np.zeros((480, 640, 3), np.uint8)
        picture[200:300, x : x + 100] = 255
        jpeg = bytes(cv2.imencode(".jpg", picture)[1])
        return Scene(jpeg, (face(box=Box(x, 200, 100, 100)),))


# What the page shows at one instant: the box, and how bright the picture is in it and beside it.
SAMPLE = """
    const canvas = document.querySelector('.picture canvas');
    const box = document.querySelector('.picture .box');
    if (!box || !canvas.width) return null;
    const frame = canvas.getBoundingClientRect(), mark = box.getBoundingClientRect();
    const scale = canvas.width / frame.width;
    const pixel = (x, y) => canvas.getContext('2d').getImageData(
        Math.round((x - frame.left) * scale), Math.round((y - frame.top) * scale), 1, 1).data[0];
    const middle = mark.top + mark.height / 2;
    return {
        id: box.closest('.picture').dataset.frame,
        box: [mark.left - frame.left, mark.top - frame.top, mark.width, mark.height]
            .map(side => side * 640 / frame.width),
        corners: [pixel(mark.left + 8, middle), pixel(mark.right - 8, middle)],
        beside: [pixel(mark.left - 8, middle), pixel(mark.right + 8, middle)],
    };
"""


# The page's own event streams, for a test to speak in the gateway's place.
SOURCES = """
    window.sources = [];
    window.EventSource = class extends EventSource {
        constructor(...args) { super(...args); window.sources.push(this); }
    };
"""


# How many heartbeats each of them has brought.
BEATS = """
    window.EventSource = class extends EventSource {
        beats = 0;
        constructor(...args) {
            super(...args);
            this.addEventListener('heartbeat', () => { this.beats += 1; });
        }
    };
"""


# Lists of cameras arrive when the test says so.
HELD_LISTS = """
    window.held = [];
    const fetched = window.fetch;
    window.fetch = async (what, ...rest) => {
        const answer = await fetched(what, ...rest);
        if (String(what).endsWith('/api/cameras')) await new Promise((go) => held.push(go));
        return answer;
    };
"""


# The camera's events are left out from here on. What the page is loading may still hold some, so it
# is asked to load once more: a load that runs is followed by another one.
LOAD_ONCE_MORE = """
    const lobby = cameras.get('lobby'), load = lobby.load.bind(lobby);
    lobby.add = () => {};
    window.loaded = 0;
    lobby.load = (history) => { load(history); window.loaded += 1; };
    sources.at(-1).dispatchEvent(new MessageEvent('dropped', { data: '{}' }));
    window.due = 1 + Number(lobby.stale);
    done();
"""


def test_each_picture_is_shown_with_the_box_of_its_own_event(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    """The square jumps in each picture: with any other picture's box it would lie beside it."""
    with Feeder(server.url, "mover", scene=Mover()):
        browser.open(page.base)
        samples: dict[str, Any] = {}

        def sample() -> bool:
            found = browser.js(SAMPLE)
            if found:
                samples[found["id"]] = found
            return len(samples) >= 12

        browser.wait(sample)
        events = page.get("/api/cameras/mover/events?after=start&limit=1000").json()["events"]
    boxes = {each["frame_id"]: each["faces"][0]["box"] for each in events}
    for frame_id, sample_ in samples.items():
        assert sample_["box"] == pytest.approx(boxes[frame_id], abs=3)
        assert min(sample_["corners"]) > 200, "inside the box is the square"
        assert max(sample_["beside"]) < 60, "beside it is none of it"


def test_the_ribbon_and_the_chart_grow(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    with Feeder(server.url, "lobby"):
        browser.open(page.base)
        browser.click("[data-camera=lobby]")
        browser.wait(lambda: browser.text("#detail-title") == "lobby")
        seconds = "return Number(document.querySelector('.lanes canvas').dataset.seconds)"
        browser.wait(lambda: browser.js(seconds) >= 1)
        first = browser.js(seconds)
        browser.wait(lambda: browser.js(seconds) >= first + 2)
        shares = (
            "return [...document.querySelectorAll('.bars:not([hidden]) .track')].map("
            "bar => Number(bar.getAttribute('aria-valuenow')))"
        )
        browser.wait(lambda: len(browser.js(shares)) == 8)
        browser.wait(lambda: sum(browser.js(shares)) == pytest.approx(100, abs=4))
        label = browser.find(".lanes canvas").get_attribute("aria-label")
        assert label is not None
        assert label.startswith("Emotions of the range 5 min: ")
        assert browser.errors() == []


def test_an_export_says_how_far_back_it_reaches(
    browser: Browser, page: Gateway, store: Any
) -> None:
    with registering(store, "lobby"):
        for number in (1, 2):
            publish(store, event("lobby", number * 86_400_000))
        browser.open(f"{page.base}/#/lobby")
        shown = browser.js("return `since ${new Date(86400000).toLocaleString()}`")
        browser.wait(lambda: browser.text(".exports .reach") == shown)


def runs(browser: Browser) -> None:
    """Wait until the camera has brought events for a while."""
    browser.wait(lambda: browser.modules("done(cameras.get('lobby')?.count ?? 0)") > 20)
    browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Live")


def stopped(browser: Browser) -> float:
    """Seconds until the page says so."""
    watch = Stopwatch()
    browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Down")
    return watch.read_s()


def registering(store: Any, *cameras: str, **fields: Any) -> AbstractContextManager[list[float]]:
    """Producers that live but store nothing."""

    def register_all() -> None:
        for camera in cameras:
            register(store, camera, **{"fps": 0, **fields})

    return again(register_all)


def test_a_camera_whose_producer_stops_is_down_within_three_seconds(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    with Feeder(server.url, "lobby") as feeder:
        browser.open(page.base)
        runs(browser)
        feeder.stop()
        took = stopped(browser)
    print(f"shown as down after {took:.2f} s")
    assert took <= 3.0 + SLACK_S
    browser.wait(lambda: "no heartbeat" in browser.text("[data-camera=lobby] .veil"))
    browser.wait(lambda: "last picture" in browser.text("[data-camera=lobby] .veil"))
    browser.wait(lambda: "lobby is down" in browser.text("#announcer"))


def test_a_frozen_camera_with_a_live_producer_is_down_within_three_seconds(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    with Feeder(server.url, "lobby") as feeder:
        browser.open(page.base)
        runs(browser)
        feeder.stop()
        store.zadd(keys.CAMERAS, {"lobby": now_ms() + 60_000})  # its heartbeat is far in the future
        took = stopped(browser)
    print(f"shown as down after {took:.2f} s")
    assert took <= 3.0 + SLACK_S
    browser.wait(lambda: "no new picture" in browser.text("[data-camera=lobby] .veil"))


def test_a_quiet_camera_is_not_taken_for_a_frozen_one(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    """Frames are captured and left out on purpose: no event, yet not down."""
    with Feeder(server.url, "lobby") as feeder:
        browser.open(page.base)
        runs(browser)
        feeder.stop()
        with registering(store, "lobby") as beats:
            stays_live(browser, beats, 5)  # for as long as it would have taken to be down
            browser.wait(lambda: browser.all("[data-camera=lobby] .picture.dim"))
            browser.wait(lambda: "no new frames" in browser.text("[data-camera=lobby] .figures"))


def stays_live(browser: Browser, beats: list[float], seconds: float) -> None:
    """The camera is live for so long, in which its heartbeats came in time: if the machine held up
    the test's own producer, the time starts again."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        state = browser.text("[data-camera=lobby] .state")
        recent = [beat for beat in [*beats] if beat > began - 1] + [time.monotonic()]
        if max(later - earlier for earlier, later in pairwise([began, *recent])) > 1:
            browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Live")
            began = time.monotonic()
        else:
            assert state == "Live"
        time.sleep(0.2)


def test_the_reason_why_a_camera_is_down_is_shown_as_text(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby", state="down", error="rtsp://u:secret@10.0.0.7/ <b>timed</b> out")
    browser.open(page.base)
    browser.wait(lambda: "10.0.0.7/ <b>timed</b> out" in browser.text(".veil"))
    assert "secret" not in browser.js("return document.documentElement.outerHTML")


def test_the_banner_follows_the_reason_that_cameras_share(
    browser: Browser, page: Gateway, store: Any
) -> None:
    browser.open(page.base)
    for reason in ("timed out", "no route to host"):
        with registering(store, "lobby", "door", state="down", error=reason, lasting=True):
            browser.wait(lambda: browser.text("#banner") == f"All 2 cameras are down: {reason}.")  # noqa: B023
            # Nothing but the reason changes from here on.
            every = "done([...cameras.values()].every((c) => c.health().stale))"
            browser.wait(lambda: browser.modules(every))  # noqa: B023
    assert violations(browser) == []


def test_a_restart_of_the_gateway_loses_no_event(
    browser: Browser, server: RedisProcess, store: Any
) -> None:
    with Gateway(server.url) as page, Feeder(server.url, "lobby") as feeder:
        browser.open(page.base)
        browser.wait(lambda: browser.modules("done(cameras.get('lobby')?.events.size ?? 0)") > 5)
        page.stop()
        browser.wait(lambda: browser.text("#link") == "Reconnecting")
        browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Unknown")
        page.start()
        browser.wait(lambda: browser.text("#link") == "Connected")
        browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Live")
        feeder.stop()
        last = feeder.ids[-1]
        browser.wait(lambda: browser.modules(f"done(cameras.get('lobby').events.has('{last}'))"))
        seen = browser.modules("done([...cameras.get('lobby').events.keys()])")
        browser.close_page()
    assert seen == feeder.ids[feeder.ids.index(seen[0]) :], "every one, in order, each once"


def test_the_page_can_be_walked_by_keyboard(browser: Browser, page: Gateway, store: Any) -> None:
    with registering(store, *"abcdef", **CALM):  # three a row
        walk(browser, page)


def walk(browser: Browser, page: Gateway) -> None:
    browser.open(page.base)
    browser.wait(lambda: len(browser.all("[data-camera]")) == 6)
    browser.press(Keys.TAB)
    assert browser.focused() == "skip"
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.focused() == "cameras")
    walked = []
    for key in (Keys.TAB, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ARROW_LEFT):
        browser.press(key)
        walked.append(browser.focused())
    assert walked == ["a", "b", "e", "b", "a"]
    browser.press(Keys.ARROW_RIGHT, Keys.ENTER)
    browser.wait(lambda: browser.focused() == "detail-title")
    assert browser.text("#detail-title") == "b"
    browser.press(Keys.ARROW_RIGHT)
    browser.wait(lambda: browser.text("#detail-title") == "c")
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: browser.focused() == "c")
    assert browser.js("return document.querySelector('#detail').hidden")
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.text("#detail-title") == "c")
    browser.driver.back()
    browser.wait(lambda: browser.focused() == "c")
    outline = browser.js("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the focus can be seen"


def test_the_chart_is_read_out_by_keyboard(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    register(store, "chart")
    began, now = time.monotonic(), now_ms()
    shown: tuple[Emotion, ...] = ("fear", "happiness", "anger")
    for age_s, emotion in zip((90, 60, 30), shown, strict=True):
        publish(store, event("chart", now - age_s * 1000, face(emotion)))
    browser.open(f"{page.base}/#/chart")
    browser.wait(
        lambda: browser.js("return document.querySelector('.lanes canvas')?.dataset.seconds") == "3"
    )
    keys = (Keys.HOME, *[Keys.ARROW_RIGHT] * 5, Keys.HOME)
    texts = over_time.read(browser, ".lanes canvas", *keys)
    said = [f"{name} 86 %, 1 person in view" for name in ("fear", "happiness", "anger")]
    gap = "not seen"
    assert texts == [gap, said[0], gap, said[1], gap, said[2], gap]
    at = int(browser.js("return document.querySelector('.lanes canvas').ariaValueNow"))
    assert -91 - (time.monotonic() - began) <= at <= -60
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: browser.focused() == "chart")


@pytest.mark.parametrize("minutes", [-10, 0, 10])
def test_the_minutes_are_drawn_by_the_camera_s_own_clock(
    browser: Browser, page: Gateway, store: Any, minutes: int
) -> None:
    """However wrong it is: the newest second is at the right edge, and counts as recent."""
    name = f"clock{minutes}"
    register(store, name)
    browser.open(page.base)
    browser.wait(
        lambda: browser.text("#link") == "Connected" and browser.all(f"[data-camera='{name}']")
    )
    lit = f"""
        const canvas = document.querySelector("[data-camera='{name}'] .ribbon");
        const edge = canvas.getContext('2d').getImageData(canvas.width - 40, 0, 40, canvas.height);
        return edge.data.some((level, i) => i % 4 === 0 && level > 150);
    """
    # Again and again: the newest second is at the edge for as long only as a slow browser may take.
    with again(lambda: publish(store, event(name, now_ms() + minutes * 60_000, face("anger")))):
        for _ in range(2):
            browser.wait(lambda: browser.text(f"[data-camera='{name}'] .mood") == "mostly anger")
            browser.wait(lambda: browser.js(lit))
            browser.open(page.base)  # what it loads says the same


def test_cameras_in_view_have_their_minutes_among_very_many_cameras(
    browser: Browser, server: RedisProcess, store: Any
) -> None:
    """Though the gateway refuses most of what would be asked at once, and the page's place with so
    many cameras is more than a query may hold."""
    names = [f"warehouse-entrance-{number:03}" for number in range(240)]
    mood = "[data-camera={}] .mood"

    def run() -> None:
        with store.pipeline() as pipe:
            for name in names:
                register(pipe, name, **CALM)
                publish(pipe, event(name, now_ms(), face("anger")))
            pipe.execute()

    def count() -> int:
        return int(browser.modules(f"done(cameras.get('{names[0]}').count)"))

    run()
    with ExitStack() as ends:
        gateway = ends.enter_context(Gateway(server.url, "--max-rate", "30"))
        run()  # in the last minute, however long the gateway took
        ends.enter_context(again(lambda: publish(store, event(names[0], now_ms(), face("anger")))))
        browser.open(gateway.base)
        browser.wait(lambda: browser.text(mood.format(names[0])) == "mostly anger")
        assert browser.text(mood.format(names[-1])) == "", "it is not visible"
        publish(store, event(names[-1], now_ms(), face("anger")))
        browser.js("document.querySelector(`[data-camera=${arguments[0]}]`).scrollIntoView()",
                   names[-1])  # fmt: skip
        browser.wait(lambda: browser.text(mood.format(names[-1])) == "mostly anger")
        browser.wait(lambda: count() >= 1)
        browser.js("dispatchEvent(new Event('pagehide'))")
        browser.js("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
        browser.wait(lambda: any("414" in error for error in browser.errors()))
        browser.wait(lambda: browser.text("#link") == "Connected")
        before = count()
        browser.wait(lambda: count() > before)


def open_with(browser: Browser, page: Gateway, script: str) -> None:
    """Open the page; the script runs before any of the page's own."""
    browser.driver.execute_cdp_cmd("Page.enable", {})
    added = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": script}
    )
    browser.open(page.base)
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_camera_removed_while_the_list_is_loaded_is_not_shown(
    browser: Browser, page: Gateway, store: Any
) -> None:
    for camera in ("lobby", "door"):
        register(store, camera, **CALM)
    browser.wait(lambda: len(page.get("/api/cameras").json()["cameras"]) == 2)
    open_with(browser, page, SOURCES + HELD_LISTS)
    browser.wait(lambda: browser.js("return sources.at(-1)?.readyState === 1 && held.length === 2"))
    browser.js("sources.at(-1).addEventListener('removed', () => { window.removed = true; })")
    store.zrem(keys.CAMERAS, "door")
    browser.wait(lambda: browser.js("return window.removed"))
    browser.js("held.forEach((go) => go())")
    browser.wait(lambda: browser.all("[data-camera=lobby]"))
    assert not browser.all("[data-camera=door]")


# An event stream that never opens; and what link and banner say as the first camera appears.
NEVER_OPENS = """
    window.EventSource = class extends EventTarget {
        static OPEN = 1;
        readyState = 0;
        close() {}
    };
    const text = (id) => document.getElementById(id).textContent.trim();
    new MutationObserver(() => {
        if (!document.querySelector('[data-camera]')) return;
        window.first ??= [text('link'), text('banner')];
    }).observe(document, { subtree: true, childList: true });
"""


def test_a_page_that_opens_is_connecting_and_not_cut_off(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Until the event stream has failed to open in time."""
    with registering(store, "lobby", **CALM):
        open_with(browser, page, NEVER_OPENS)
        browser.wait(lambda: browser.js("return window.first"))
        assert browser.js("return window.first") == ["Connecting", ""]
        browser.wait(lambda: browser.text("#link") == "Reconnecting")
        browser.wait(lambda: "gateway cannot be reached" in browser.text("#banner"))
        browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Unknown")


def test_a_first_list_that_cannot_be_loaded_is_loaded_later(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """The page says why it shows no camera, and shows them without a reload."""
    register(store, "lobby", **CALM)
    browser.block("*/api/cameras")
    try:
        browser.open(page.base)
        reason = "The list of cameras cannot be loaded: no answer. The page tries again."
        browser.wait(lambda: browser.text("#banner") == reason)
        browser.wait(lambda: browser.text("#link") == "Connected")
        assert not browser.all("[data-camera]")
    finally:
        browser.block()
    browser.wait(lambda: browser.all("[data-camera=lobby]"))
    browser.wait(lambda: browser.text("#banner") == "")


def steps(browser: Browser) -> list[str]:
    script = "return [...document.querySelectorAll('.steps:not([hidden]) a')].map(e => e.hash)"
    return list(browser.js(script))


def test_a_camera_s_address_leads_to_its_neighbours_and_title_as_they_are_now(
    browser: Browser, page: Gateway, store: Any
) -> None:
    for camera in ("a1", "b2", "c3"):
        register(store, camera, **CALM)
    browser.wait(lambda: len(page.get("/api/cameras").json()["cameras"]) == 3)
    browser.open(f"{page.base}/#/a1")
    browser.wait(lambda: browser.text("#detail-title") == "a1")
    browser.wait(lambda: steps(browser) == ["#/c3", "#/b2"])
    register(store, "a2", **CALM)
    browser.wait(lambda: steps(browser) == ["#/c3", "#/a2"])
    register(store, "b2", state="down", error="timed out", **CALM)  # it comes first in the wall
    browser.wait(lambda: steps(browser) == ["#/b2", "#/a2"])
    store.zrem(keys.CAMERAS, "c3", "a2")
    browser.wait(lambda: steps(browser) == ["#/b2", "#/b2"])
    register(store, "a1", title="Front door", **CALM)
    browser.wait(lambda: browser.text("#detail-title") == "Front door")
    browser.wait(lambda: browser.driver.title == "Front door \u2013 emotion-streams")
    store.zrem(keys.CAMERAS, "b2")
    browser.wait(lambda: steps(browser) == [])


def test_events_that_were_dropped_for_a_slow_page_are_loaded(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """After a notice that events were left out, its minutes hold them all the same."""
    register(store, "lobby")
    open_with(browser, page, SOURCES)
    browser.wait(
        lambda: browser.modules("done(cameras.get('lobby')?.historyUpTo ?? null)") is not None
    )
    browser.wait(lambda: browser.text("#link") == "Connected")
    browser.modules(LOAD_ONCE_MORE)
    browser.wait(lambda: browser.js("return loaded >= due"))
    publish(store, event("lobby", now_ms(), face("anger")))
    browser.wait(lambda: page.get("/api/cameras/lobby/history").json()["seconds"])
    assert browser.text("[data-camera=lobby] .mood") == "Nothing analysed in the last minute"
    browser.js("sources.at(-1).dispatchEvent(new MessageEvent('dropped', { data: '{}' }))")
    browser.wait(lambda: browser.text("[data-camera=lobby] .mood") == "mostly anger")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any, scheme: str
) -> None:
    """axe finds nothing, contrast included, in the grid and in the large view."""
    register(store, "garage", state="down", error="timed out")
    browser.scheme(scheme)
    with Feeder(server.url, "lobby"):
        browser.open(page.base)
        for place, shown in (("#/", ".tile .box"), ("#/lobby", "#detail .box")):
            browser.js("location.hash = arguments[0]", place)
            browser.wait(lambda: browser.shows(shown))  # noqa: B023 - at once
            problems = violations(browser)
            assert problems == [], place


def test_a_comparison_of_cameras_is_accessible(browser: Browser, page: Gateway, store: Any) -> None:
    """The banner is within a landmark, where a screen reader finds it."""
    with registering(store, "lobby", "door", state="down", error="timed out", lasting=True):
        for place in ("#/", "#/lobby"):
            browser.open(f"{page.base}/{place}")
            browser.wait(lambda: browser.text("#banner") == "All 2 cameras are down: timed out.")
            assert violations(browser) == [], place


def test_on_a_phone_everything_fits(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    browser.size(360, 740, scale=2, phone=True)
    with Feeder(server.url, "a-camera-with-quite-a-long-name-as-some-people-like-them"):
        browser.open(page.base)
        browser.wait(lambda: browser.all(".box"))
        width = "return document.documentElement.scrollWidth"
        assert browser.js(width) <= 360
        browser.click("[data-camera]")
        browser.wait(lambda: browser.all(".bars .fill"))
        assert browser.js(width) <= 360


def test_a_picture_that_cannot_be_drawn_does_not_stop_the_next_ones(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    frame = "return document.querySelector('.picture')?.dataset.frame"
    with Feeder(server.url, "lobby", fps=2):
        browser.open(page.base)
        browser.wait(lambda: browser.all(".box"))
        browser.modules(
            "const lobby = cameras.get('lobby');"
            " lobby.shown.bitmap.close(); lobby.onPicture(); requestAnimationFrame(() => done());"
        )
        browser.wait(lambda: any("detached" in error for error in browser.errors()))
        shown = browser.js(frame)
        browser.wait(lambda: browser.js(frame) != shown)


def test_a_picture_that_comes_late_is_not_shown_after_a_newer_one(
    browser: Browser, page: Gateway, store: Any
) -> None:
    register(store, "lobby")
    browser.open(page.base)
    browser.wait(lambda: browser.all("[data-camera=lobby]"))
    own = [event("lobby", ms).to_dict() for ms in (1, 2)]
    shown = browser.modules(
        "const lobby = cameras.get('lobby');"
        "const bitmap = () => ({ width: 1, height: 1, close() {} });"
        f"for (const event of {json.dumps(own)}) lobby.add(event);"
        "lobby.offer('2-0', bitmap()); lobby.offer('1-0', bitmap());"
        "done(lobby.shown.event.frame_id)"
    )
    assert shown == "2-0"


@pytest.mark.parametrize("place", ["#/%", "#/%ff", "#/unknown"])
def test_a_place_that_is_none_shows_the_grid_and_lives(
    browser: Browser, page: Gateway, store: Any, place: str
) -> None:
    with registering(store, "lobby"):
        browser.open(f"{page.base}/{place}")
        if place == "#/unknown":
            browser.wait(lambda: "no camera “unknown”" in browser.text("#unknown"))
        browser.wait(lambda: browser.text("#link") == "Connected")
        browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Live")
    assert browser.errors() == []


def test_in_the_dark_it_is_dark(browser: Browser, page: Gateway, store: Any) -> None:
    browser.open(page.base)
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    browser.wait(lambda: min(browser.js(ground)) > 200)
    browser.scheme("dark")
    browser.wait(lambda: max(browser.js(ground)) < 60)


def test_nothing_is_asked_of_any_other_host(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    with Feeder(server.url, "lobby"):
        browser.open(page.base)
        browser.wait(lambda: browser.all(".box"))
        asked = browser.js("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(asked) > 8
    assert all(name.startswith(page.base + "/") for name in asked), asked
    assert browser.errors() == []


def test_without_pictures_the_boxes_are_shown_alone(
    browser: Browser, server: RedisProcess, store: Any
) -> None:
    with Gateway(server.url, "--no-pictures") as gateway, Feeder(server.url, "lobby"):
        browser.open(gateway.base)
        browser.wait(lambda: browser.all(".box"))
        browser.wait(lambda: browser.text(".off") == "Pictures are off")
        assert browser.errors() == []


def test_without_a_camera_the_page_says_what_comes(
    browser: Browser, page: Gateway, store: Any
) -> None:
    browser.open(page.base)
    browser.wait(lambda: browser.shows("#empty"))
    register(store, "lobby")
    browser.wait(lambda: browser.all("[data-camera=lobby]"))
    browser.wait(lambda: not browser.shows("#empty"))


def test_without_a_camera_heartbeats_are_signs_of_life(
    browser: Browser, page: Gateway, store: Any
) -> None:
    """Of five: they take longer than the page waits for one before it connects again."""
    open_with(browser, page, BEATS + SOURCES)
    browser.wait(lambda: browser.js("return sources.some(({ beats }) => beats >= 5)"))
    browser.wait(lambda: browser.text("#link") == "Connected")


def test_the_page_polls_nothing_that_the_event_stream_says(
    browser: Browser, page: Gateway, server: RedisProcess, store: Any
) -> None:
    """Cameras that come, change and go, and figures, come by the stream alone."""
    asked = (
        "return performance.getEntriesByType('resource')"
        ".filter(e => e.name.endsWith('/api/cameras')).length"
    )
    with Feeder(server.url, "lobby"):
        browser.open(page.base)
        runs(browser)
        before = browser.js(asked)
        register(store, "new", state="down", error="timed out")
        browser.wait(lambda: browser.text("[data-camera=new] .state") == "Down")
        browser.wait(lambda: "fps" in browser.text("[data-camera=lobby] .figures"))
        store.zrem(keys.CAMERAS, "new")
        browser.wait(lambda: not browser.all("[data-camera=new]"))
        assert browser.js(asked) == before
