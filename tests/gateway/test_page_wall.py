"""The wall of cameras in a real Chromium: order, search, filters, density, cells."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from emotion_streams import keys
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, keep, require
from tests.gateway.feeder import Feeder, now_ms, register
from tests.gateway.processes import Gateway
from tests.people import write_minutes


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require()
    with Browser() as window:
        window.size(1440, 900)
        yield window


@contextmanager
def again(action: Callable[[], None]) -> Iterator[None]:
    """Producers that live: the action four times a second."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.25):
            action()

    action()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def shown(browser: Browser) -> list[str]:
    script = (
        "return [...document.querySelectorAll('.tile:not([hidden])')].map(e => e.dataset.camera)"
    )
    return list(browser.js(script))


def house(client: Any) -> None:
    register(client, "cam1", title="Küche", group="Erdgeschoss")
    register(client, "cam2", title="玄関", group="Erdgeschoss")
    register(client, "cam3", state="down", error="timed out", group="Keller")
    register(client, "cam4")


def test_cameras_that_need_attention_come_first_and_others_are_found(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    with again(lambda: house(client)), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: shown(browser) == ["cam3", "cam1", "cam2", "cam4"])
        assert browser.text("[data-camera=cam2] h2") == "玄関"
        search = browser.find("#search")
        search.send_keys("küche")
        browser.wait(lambda: shown(browser) == ["cam1"])
        search.send_keys("nothing")
        browser.wait(lambda: browser.find("#none").is_displayed())
        search.clear()
        search.send_keys(" ")
        groups = Select(browser.driver.find_element(By.ID, "groups"))
        groups.select_by_visible_text("Erdgeschoss")
        browser.wait(lambda: shown(browser) == ["cam1", "cam2"])
        groups.select_by_visible_text("All groups")
        Select(browser.driver.find_element(By.ID, "states")).select_by_visible_text("Down")
        browser.wait(lambda: shown(browser) == ["cam3"])
        (found,) = [
            each
            for each in gateway.get("/api/cameras").json()["cameras"]
            if each["camera"] == "cam1"
        ]
        assert (found["title"], found["group"]) == ("Küche", "Erdgeschoss")
        assert browser.errors() == []


def test_so_many_cameras_are_to_be_seen_at_once_as_chosen(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    names = [f"cam{number:02}" for number in range(60)]
    whole = """
        return [...document.querySelectorAll('.tile')].filter((tile) =>
            tile.getBoundingClientRect().bottom <= innerHeight).length;
    """

    def run() -> None:
        for name in names:
            register(client, name)

    with (
        again(run),
        Gateway(redis_url) as gateway,
    ):
        browser.open(gateway.base)
        browser.wait(lambda: len(shown(browser)) == 60)
        # The longest text: a cell must not grow by it.
        browser.wait(lambda: "Nothing analysed" in browser.find(".tile .mood").text)
        seen = {}
        for button in browser.all(".density button"):
            button.click()
            seen[int(button.text)] = 0
            browser.wait(lambda: browser.js(whole) >= max(seen))
        assert list(seen) == [6, 12, 20, 40]
        browser.open(gateway.base)
        browser.wait(lambda: len(shown(browser)) == 60)
        pressed = browser.find(".density [aria-pressed=true]")
        assert pressed.text == "40", "the choice is kept"
        browser.all(".density button")[0].click()


def test_a_cell_is_as_high_whatever_shape_its_picture_has(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    """The page does not jump when the first picture comes, and the boxes stay on the picture."""
    heights = (
        "return [...document.querySelectorAll('.picture')].map(e =>"
        " Math.round(e.getBoundingClientRect().height * 16 / e.getBoundingClientRect().width))"
    )
    with Feeder(redis_url, "lobby"), Gateway(redis_url) as gateway:
        register(client, "empty")
        browser.open(gateway.base)
        browser.wait(lambda: browser.all(".box"))
        assert set(browser.js(heights)) == {9}
        view = "const r = document.querySelector('.tile .view').getBoundingClientRect();"
        ratio = browser.js(view + "return r.width / r.height")
        assert ratio == pytest.approx(4 / 3, abs=0.01)


def test_the_overview_sums_today_up_and_is_sorted(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    now = now_ms() // MINUTE_MS * MINUTE_MS
    with again(lambda: house(client)), Gateway(redis_url) as gateway:
        write_minutes(client, samples.minute("cam1", now))
        people = samples.minute("cam2", now).people
        assert people is not None
        crowd = replace(samples.minute("cam2", now), people=replace(people, entered=7))
        write_minutes(client, crowd)
        browser.open(gateway.base)
        browser.wait(lambda: len(shown(browser)) == 4)
        browser.find("#overview-toggle").click()
        browser.wait(lambda: "happiness 60 %, neutral 40 %" in browser.text(".today"))
        browser.js("document.querySelectorAll('#overview thead button')[3].click()")
        browser.wait(lambda: browser.all("#overview .sparkline rect"))
        hours = browser.js(
            "return [...document.querySelectorAll('.sparkline')].map(e => e.ariaLabel)"
        )
        assert hours.count("Last hour: 0.9 people on average, mostly happiness 30 %") == 2
        asked = browser.js(
            "return performance.getEntriesByType('resource')"
            ".filter(e => e.name.includes('/api/trends')).length"
        )
        assert asked == 2, "one for the day and one for the hour, not one per camera"
        rows = "return [...document.querySelectorAll('#overview tbody tr')].map(e => e.innerText)"
        browser.wait(lambda: browser.js(rows)[0].split("\t")[:4] == ["玄関", "Live", "0", "7"])
        assert browser.js(rows)[1].split("\t")[:4] == ["Küche", "Live", "0", "1"]
        head = "return document.querySelectorAll('#overview th')[3].getAttribute('aria-sort')"
        assert browser.js(head) == "descending"
        for scheme in ("dark", "light"):
            browser.scheme(scheme)
            assert violations(browser) == [], scheme
        assert browser.errors() == []


def test_a_camera_alone_has_an_overview_and_nothing_to_choose_from(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    with Feeder(redis_url, "lobby"), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(
            lambda: browser.text("#overview-toggle") == "Overview: 1 person now", timeout_s=60
        )
        choices = browser.all("#search, #states, #groups, .density")
        assert not any(each.is_displayed() for each in choices)
        browser.find("#overview-toggle").click()
        rows = "return [...document.querySelectorAll('#overview tbody tr')].map(e => e.innerText)"
        browser.wait(lambda: browser.js(rows)[0].split("\t")[:3] == ["lobby", "Live", "1"])
        assert violations(browser) == []
        register(client, "door")
        browser.wait(lambda: browser.find("#search").is_displayed())
        browser.find("#search").send_keys("nothing")
        client.zrem(keys.CAMERAS, "door")
        browser.wait(lambda: len(browser.all(".tile")) == 1)
        assert browser.find("#search").is_displayed(), "else nothing would show the camera again"


ON_PAGE = """
    return [...document.querySelectorAll('.tile')].filter((tile) => {
        const { width, bottom } = tile.getBoundingClientRect();
        return width && bottom <= innerHeight;
    }).map((tile) => tile.dataset.camera);
"""


@contextmanager
def full_screen(browser: Browser, client: Any, redis_url: str) -> Iterator[None]:
    """Eleven cameras, one of which is down, six on a page."""
    names = [f"cam{number:02}" for number in range(11)]

    def run() -> None:
        for name in names:
            register(client, name, state="down" if name == "cam07" else "up", error="timed out")

    with again(run), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: shown(browser)[:1] == ["cam07"] and len(shown(browser)) == 11)
        browser.find("#full-screen").click()
        browser.wait(lambda: len(browser.js(ON_PAGE)) == 6)
        yield


def test_in_full_screen_pages_take_turns_and_those_that_need_attention_stay(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    with full_screen(browser, client, redis_url):
        assert browser.js("return Boolean(document.fullscreenElement)")
        assert not browser.find(".top").is_displayed()
        assert browser.js(ON_PAGE) == ["cam07", "cam00", "cam01", "cam02", "cam03", "cam04"]
        browser.press(Keys.ARROW_RIGHT)
        browser.wait(lambda: "Page 2 of 2" in browser.text("#wall-bar"))
        assert browser.js(ON_PAGE) == ["cam07", "cam05", "cam06", "cam08", "cam09", "cam10"]
        for scheme in ("dark", "light"):
            browser.scheme(scheme)
            assert violations(browser) == [], scheme
        browser.press(Keys.ARROW_RIGHT)
        browser.wait(lambda: "Page 1 of 2" in browser.text("#wall-bar"))
        browser.js(
            "const select = document.querySelector('#wall-bar select');"
            " select.options[0].value = 0.5; select.selectedIndex = 0;"
            " select.dispatchEvent(new Event('change'))"
        )
        browser.wait(lambda: "Page 2 of 2" in browser.text("#wall-bar"))
        browser.wait(lambda: "Page 1 of 2" in browser.text("#wall-bar"))
        browser.press(Keys.ESCAPE)
        browser.wait(lambda: browser.focused() == "full-screen")
        assert not browser.js("return Boolean(document.fullscreenElement)")
        assert len(shown(browser)) == 11
        assert browser.errors() == []


def test_pages_stand_still_if_the_system_asks_for_less_motion(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    """A button still starts them."""
    reduced = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", reduced)
    try:
        with full_screen(browser, client, redis_url):
            assert browser.text("#wall-bar .pause") == "Rotate"
            browser.press(" ")
            browser.wait(lambda: browser.text("#wall-bar .pause") == "Pause")
            browser.js("location.hash = '#/cam01'")
            browser.wait(lambda: browser.text("#detail-title") == "cam01")
            assert not browser.js("return Boolean(document.fullscreenElement)")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


NOTE_CHANGES = """
    window.changedAt = performance.now();
    new MutationObserver(() => { window.changedAt = performance.now(); }).observe(
        document.getElementById('cameras'),
        { subtree: true, childList: true, attributes: true, characterData: true });
"""


def test_tiles_that_show_the_same_are_not_written_to(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    """The page redraws each second; each write would cost the browser a layout."""
    names = [f"cam{number}" for number in range(6)]

    def run() -> None:
        for name in names:
            register(client, name)

    with again(run), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: "Nothing analysed" in browser.text(".tile .mood"))
        browser.js(NOTE_CHANGES)
        browser.wait(lambda: browser.js("return performance.now() - window.changedAt > 3500"))
        assert browser.errors() == []


def test_a_picture_of_the_wall_is_drawn(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    """EMOTION_SCREENSHOT names a file to keep it in."""
    names = ("counter", "door", "hall", "kitchen", "lobby")
    browser.scheme("light")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(Feeder(redis_url, name))
        stack.enter_context(again(lambda: register(client, "garage", "down", "timed out")))
        gateway = stack.enter_context(Gateway(redis_url))
        browser.open(gateway.base)
        browser.wait(lambda: len(browser.all(".box")) == len(names))
        browser.wait(lambda: shown(browser) == ["garage", *names])
        assert browser.errors() == []
        if target := os.environ.get("EMOTION_SCREENSHOT"):
            lately = "done(cameras.get('lobby').seconds.length)"
            browser.wait(lambda: browser.modules(lately) > 45, timeout_s=90)
            browser.size(1000, 640)
            browser.all(".density button")[1].click()
            browser.wait(lambda: len(browser.js(ON_PAGE)) == len(names) + 1)
            keep(browser.driver.get_screenshot_as_png(), Path(target))
            browser.all(".density button")[0].click()
            browser.size(1440, 900)
