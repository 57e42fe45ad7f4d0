"""The boxes of the live page carry the steady label of a face's track, in a real Chromium."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from emotion_streams import EMOTIONS, Box, Face
from tests.gateway.browser import Browser, require
from tests.gateway.feeder import Feeder, Scene, face, portrait
from tests.gateway.processes import Gateway


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require()
    with Browser() as window:
        window.size(1280, 900)
        yield window


def tracked(label: str, x: float = 238.0) -> Face:
    """A face that shows fear in this frame; its track's label is another."""
    smoothed = dict.fromkeys(EMOTIONS, 0.04) | {"happiness": 0.72}
    found = replace(face("fear", 0.9, Box(x, 64.0, 100.0, 124.0)), smoothed=smoothed)
    return replace(found, track="7-0.0", label=label, label_since_ms=7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("faces", "shown", "styles", "spoken"),
    [
        ((tracked("happiness"),), ["happiness 72 %"], ["solid"], "happiness 72 %"),
        ((tracked("uncertain"),), ["uncertain"], ["dashed"], "uncertain"),
        ((face("fear", 0.9),), ["fear 90 %"], ["solid"], "fear 90 %"),
        (
            (tracked("uncertain", 20.0), tracked("happiness", 400.0)),
            ["?", ""],
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
        boxes = "[...document.querySelectorAll('.picture .box')]"
        browser.wait(lambda: browser.js(f"return {boxes}.length") == len(faces))
        assert browser.js(f"return {boxes}.map(box => box.textContent)") == shown
        assert (
            browser.js(f"return {boxes}.map(box => getComputedStyle(box).borderTopStyle)") == styles
        )
        said = "return document.querySelector('.picture canvas').getAttribute('aria-label')"
        assert browser.js(said) == f"lobby: {spoken}"
