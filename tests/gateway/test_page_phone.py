"""The page on a phone, with long names and large faces, in a real Chromium."""

from collections.abc import Iterator

import pytest
import redis

from emotion_streams import Box
from tests.gateway.axe import violations
from tests.gateway.browser import Browser, as_new
from tests.gateway.feeder import CALM, Feeder, Scene, again, face, portrait, register
from tests.gateway.processes import Gateway

LONG = "L" * 80
WIDTH = "return document.documentElement.scrollWidth"


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 390, 844, phone=True)


def test_the_longest_names_fit_and_cameras_are_counted_by_state(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    def run() -> None:
        register(client, "long", title=LONG, group=LONG, **CALM)
        register(client, "x" * 63, state="down", error=LONG, **CALM)

    with again(run), Gateway(redis_url) as gateway:
        browser.open(gateway.base)
        browser.wait(lambda: browser.text("#totals") == "2 cameras: 1 live, 1 down")
        assert browser.shows("#totals")
        browser.choose("#groups", LONG)
        browser.click("#overview-toggle")
        browser.wait(lambda: browser.all("#overview tbody tr"))
        assert browser.js(WIDTH) <= 390
        assert violations(browser) == []
        title = "return document.querySelector('[data-camera=long]').title"
        assert browser.js(title) == f"{LONG} · {LONG}", "what small tiles cut off"
        browser.js("location.hash = '#/long'")
        browser.wait(lambda: browser.text("#detail-title") == LONG)
        browser.choose(".compare select", "x" * 63)
        browser.wait(lambda: browser.shows(".compared"))
        assert browser.js(WIDTH) <= 390
        browser.js("location.hash = '#/' + arguments[0]", "x" * 63)
        browser.wait(lambda: browser.text("#detail-title") == "x" * 63)
        assert browser.js(WIDTH) <= 390
        assert browser.errors() == []


OUTSIDE = """
    const tip = document.querySelector('#detail .box .tip').getBoundingClientRect();
    const view = document.querySelector('#detail .view').getBoundingClientRect();
    if (!tip.height) return null;
    return [view.left - tip.left, view.top - tip.top, tip.right - view.right,
        tip.bottom - view.bottom].filter((pixels) => pixels > 0);
"""


@pytest.mark.parametrize(
    "box",
    [Box(8, 8, 624, 460), Box(100, 20, 400, 400), Box(100, 60, 400, 410), Box(5, 300, 150, 170)],
)
def test_the_details_of_a_large_face_stay_in_the_picture(
    browser: Browser, client: redis.Redis, redis_url: str, box: Box
) -> None:
    scene = Scene(portrait(), (face("fear", 0.9, box),))
    with Feeder(redis_url, "lobby", scene=lambda: scene), Gateway(redis_url) as gateway:
        browser.open(f"{gateway.base}/#/lobby")
        browser.wait(lambda: browser.all("#detail .box"))
        browser.js("document.querySelector('#detail .chips, #detail-title').focus()")
        browser.wait(
            lambda: (
                browser.js("document.querySelector('#detail .box').focus({ focusVisible: true })")
                or browser.js(OUTSIDE) is not None
            )
        )
        assert browser.js(OUTSIDE) == []
