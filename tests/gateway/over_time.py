"""Persons and minutes of a camera, and reading a camera's page over time."""

from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any

from emotion_streams import Emotion, EndReason, Episode, EpisodeType
from emotion_streams.minutes import MINUTE_MS
from tests import samples
from tests.gateway.browser import Browser
from tests.gateway.feeder import now_ms
from tests.people import write_episode, write_minutes

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def stay(
    track: str, ago_s: float, for_s: float, emotion: Emotion, peak: float
) -> list[tuple[int, Episode]]:
    """The records, by time, of a person who showed an emotion for the middle third of a stay."""
    now = now_ms()
    start = now - round(ago_s * 1000)
    third = round(for_s * 1000 / 3)
    ids = [f"lobby/{track}/{number}" for number in (0, 1)]
    shown = {
        "id": ids[1], "track": track, "emotion": emotion, "start_ms": start + third,
        "confidence_mean": 0.65, "confidence_peak": peak, "peak_ms": start + third + 100,
    }  # fmt: skip
    whole = {"id": ids[0], "track": track, "emotion": None, "start_ms": start}
    ended = {"end_ms": start + 2 * third, "duration_ms": third, "reason": EndReason.CHANGED}
    left = {"end_ms": start + 3 * third, "duration_ms": 3 * third, "reason": EndReason.GONE}
    return [
        (at, samples.episode(type=type_, decided_ms=at, **fields))
        for at, type_, fields in (
            (start, EpisodeType.FACE_ENTERED, whole),
            (start + third, EpisodeType.EMOTION_STARTED, shown),
            (start + 2 * third, EpisodeType.EMOTION_ENDED, shown | ended),
            (start + 3 * third, EpisodeType.FACE_LEFT, whole | left),
        )
    ]


def write(store: Any, *stays: list[tuple[int, Episode]]) -> None:
    """Write all records in the order of their times."""
    for at, episode in sorted(chain(*stays), key=itemgetter(0)):
        write_episode(store, episode, f"{at}-*")


def minutes(store: Any, *numbers: int, start_ms: int = 0) -> None:
    """A minute per number, so many minutes before the one that begins at `start_ms`, or now."""
    start = start_ms or now_ms() // MINUTE_MS * MINUTE_MS
    with store.pipeline(transaction=False) as pipe:
        write_minutes(
            pipe,
            *(
                replace(samples.minute("lobby", start - number * MINUTE_MS), coverage=1.0)
                for number in sorted(numbers, reverse=True)
            ),
        )
        pipe.execute()


def data(browser: Browser, canvas: str, name: str) -> int:
    script = "return Number(document.querySelector(arguments[0])?.dataset[arguments[1]] ?? -1)"
    return int(browser.js(script, canvas, name))


def choose(browser: Browser, range_: str) -> None:
    browser.click(f"[data-range='{range_}']")


def read(browser: Browser, canvas: str, *pressed: str) -> list[str]:
    """What is read out after each key, without its time."""
    browser.js("document.querySelector(arguments[0]).focus()", canvas)
    said = """
        const canvas = document.querySelector(arguments[0]);
        const readout = document.querySelector('.readout').textContent;
        return [canvas.getAttribute('aria-valuetext'), readout];
    """
    found = []
    for key in pressed:
        browser.press(key)
        text, shown = browser.js(said, canvas)
        assert text == shown
        found.append(str(text).partition(": ")[2])
    return found
