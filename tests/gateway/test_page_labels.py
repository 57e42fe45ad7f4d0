"""The boxes of the live page and their labels, in a real Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from selenium.webdriver.common.keys import Keys

from emotion_streams import EMOTIONS, Box, Face
from emotion_streams.emotions import Label
from tests.gateway.browser import Browser, as_new
from tests.gateway.feeder import Feeder, Scene, face, portrait
from tests.gateway.processes import Gateway


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    yield from as_new(window, 1280, 900)


def tracked(label: str, x: float = 238.0, track: str = "7-0.0") -> Face:
    """A face that shows fear in this frame; its track's label is another."""
    smoothed = dict.fromkeys(EMOTIONS, 0.04) | {"happiness": 0.72}
    found = replace(face("fear", 0.9, Box(x, 64.0, 100.0, 124.0)), smoothed=smoothed)
    return replace(found, track=track, label=label, label_since_ms=7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("faces", "shown", "styles", "spoken"),
    [
        ((tracked("happiness"),), ["1 happiness 72 %"], ["solid"], "happiness 72 %"),
        ((tracked("uncertain"),), ["?1 uncertain"], ["dashed"], "uncertain"),
        ((face("fear", 0.9),), ["fear 90 %"], ["solid"], "fear 90 %"),
        ((face("fear", 0.9, Box(9, 9, 12, 13)),), [""], ["dashed"], "uncertain"),
        (
            (tracked("uncertain", 20.0), tracked("happiness", 400.0, "8-0.0")),
            ["?1 uncertain", "2 happiness 72 %"],
            ["dashed", "solid"],
            "uncertain, happiness 72 %",
        ),
    ],
)
def test_a_box_says_the_steady_label_and_is_dashed_while_it_is_uncertain(
    browser: Browser,
    client: redis.Redis,
    redis_url: str,
    faces: tuple[Face, ...],
    shown: list[str],
    styles: list[str],
    spoken: str,
) -> None:
    with (
        Feeder(redis_url, "lobby", scene=lambda: Scene(portrait(), faces)),
        Gateway(redis_url) as gateway,
    ):
        browser.open(gateway.base)
        at_once = """
            const boxes = [...document.querySelectorAll('.picture .box')];
            return [
                boxes.map(box => box.querySelector('.tag:not([hidden])')?.textContent ?? ''),
                boxes.map(box => getComputedStyle(box).borderTopStyle),
                document.querySelector('.picture canvas')?.ariaLabel,
            ];
        """
        browser.wait(lambda: browser.js(at_once) == [shown, styles, f"lobby: {spoken}"])


@pytest.mark.parametrize(
    ("label", "first", "mood"),
    [
        ("happiness", ["happiness"], "mostly happiness"),
        ("uncertain", [], "No lasting emotion in the last minute"),
    ],
)
def test_the_bars_and_the_tile_say_what_the_box_says(
    browser: Browser,
    client: redis.Redis,
    redis_url: str,
    label: str,
    first: list[str],
    mood: str,
) -> None:
    """Each frame shows fear, which the label is not."""
    with (
        Feeder(redis_url, "lobby", scene=lambda: Scene(portrait(), (tracked(label),))),
        Gateway(redis_url) as gateway,
    ):
        browser.open(f"{gateway.base}/#/lobby")
        browser.wait(lambda: browser.text(f"#detail .box[data-emotion={label}] .tag"))
        happy = ".bars [data-emotion=happiness] .percent"  # smoothed, as beside the box
        browser.wait(lambda: browser.text(happy) == "72 %")
        marked = "return [...document.querySelectorAll('.bars .first')].map(e => e.dataset.emotion)"
        browser.wait(lambda: browser.js(marked) == first)
        browser.js("location.hash = '#/'")
        browser.wait(lambda: browser.text("[data-camera=lobby] .mood") == mood)


COLUMNS, ROWS = 9, 5


def crowd() -> Scene:
    """45 faces in rows, the rear ones smaller, as in a lecture hall."""
    faces = []
    labels: tuple[Label, ...] = ("happiness", "uncertain", "neutral")
    for row in range(ROWS):
        side = 16.0 + 7 * row
        for column in range(COLUMNS):
            box = Box(6 + column * 70 + 9 * (row % 2), 8 + row * 92, side, side * 1.2)
            found = replace(face("fear", 0.6, box), smoothed=dict.fromkeys(EMOTIONS, 0.125))
            track = f"{row}-{column}.0"
            faces.append(replace(found, track=track, label=labels[column % 3], label_since_ms=7))
    return Scene(portrait(), tuple(faces))


# Every pair of a label and a face, or two labels, that overlap; and labels outside of the picture.
COLLISIONS = """
    const view = document.querySelector('#detail .view').getBoundingClientRect();
    const rect = (element) => element.getBoundingClientRect();
    const boxes = [...document.querySelectorAll('#detail .box')].map(rect);
    const tags = [...document.querySelectorAll('#detail .tag:not([hidden])')].map(rect);
    const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
    const outside = tags.filter((tag) => tag.left < view.left - 0.5 || tag.right > view.right + 0.5
        || tag.top < view.top - 0.5 || tag.bottom > view.bottom + 0.5);
    return {
        faces: boxes.length, labels: tags.length, outside: outside.length,
        onFaces: tags.filter((tag) => boxes.some((box) => overlap(tag, box))).length,
        onLabels: tags.filter((tag, i) => tags.slice(i + 1).some((other) => overlap(tag, other)))
            .length,
        bars: document.querySelector('#detail .bars').getBoundingClientRect().bottom,
        cut: [...document.querySelectorAll('#detail .tag:not([hidden])')]
            .filter((tag) => tag.scrollWidth > tag.clientWidth).length,
    };
"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (820, 1180), (390, 844)])
def test_labels_of_a_crowd_cover_no_face_and_no_label(
    browser: Browser, client: redis.Redis, redis_url: str, width: int, height: int
) -> None:
    browser.size(width, height, phone=width < 500)
    with (
        Feeder(redis_url, "hall", fps=2, scene=crowd),
        Gateway(redis_url) as gateway,
    ):
        browser.open(f"{gateway.base}/#/hall")
        browser.wait(lambda: len(browser.all("#detail .box")) == 45)
        found: dict[str, Any] = {}

        def labelled() -> bool:
            found.update(browser.js(COLLISIONS))
            return bool(found["labels"])

        browser.wait(labelled)
        assert {found[name] for name in ("outside", "onFaces", "onLabels", "cut")} == {0}, found
        assert found["labels"] >= (40 if width == 1440 else 15), found
        if width == 1440:
            assert found["bars"] <= height, "the bars are above the fold"
        assert browser.js("return document.documentElement.scrollWidth") <= width


def test_a_face_is_chosen_by_a_click_and_by_keys(
    browser: Browser, client: redis.Redis, redis_url: str
) -> None:
    browser.size(1280, 900)
    faces = (tracked("happiness", 60.0, "1-0.0"), tracked("uncertain", 400.0, "2-0.0"))
    with (
        Feeder(redis_url, "lobby", scene=lambda: Scene(portrait(), faces)),
        Gateway(redis_url) as gateway,
    ):
        browser.open(f"{gateway.base}/#/lobby")
        browser.wait(lambda: len(browser.all("#detail .box")) == 2)
        chosen = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".map(e => e.getAttribute('aria-pressed'))"
        )
        browser.wait(lambda: browser.js(chosen, "#detail .box") == ["true", "false"])
        browser.click("#detail .box", 1)
        browser.wait(lambda: browser.js(chosen, "#detail .box") == ["false", "true"])
        browser.wait(lambda: browser.js(chosen, ".chips button") == ["false", "true"])
        browser.js("document.querySelectorAll('#detail .box')[1].focus()")
        browser.wait(lambda: browser.shows("#detail .box:focus .tip"))
        browser.wait(lambda: "uncertain" in browser.focused())
        browser.press(Keys.ARROW_UP)
        browser.wait(lambda: browser.js(chosen, "#detail .box") == ["true", "false"])
        browser.wait(lambda: "happiness" in browser.focused())
        assert browser.errors() == []
