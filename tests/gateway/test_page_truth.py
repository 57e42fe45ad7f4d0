"""The page in a real Chromium, while a real worker, Redis or producer stops and comes back."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.faults.processes import MAX_AGE_MS, Running, start_producer, start_worker
from tests.gateway.browser import Browser, require
from tests.gateway.feeder import Feeder
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess, free_port

CAMERAS = ("door", "lobby")

# So few frames that a busy machine keeps up with them, and none of which is too old for it.
SOURCE = ("--source", "demo", "--fps", "1", "--max-age-ms", str(MAX_AGE_MS))


@pytest.fixture
def browser() -> Iterator[Browser]:
    require()
    with Browser() as opened:
        opened.size(1280, 900)
        yield opened


class Wall:
    """What the page shows of all cameras."""

    def __init__(self, browser: Browser, cameras: int = len(CAMERAS)) -> None:
        self._browser = browser
        self._cameras = cameras

    def becomes(self, state: str, banner: str) -> None:
        self._browser.wait(
            lambda: self.states() == [state] * self._cameras and banner in self.banner()
        )

    def says(self, selector: str, text: str) -> None:
        self._browser.wait(lambda: self._browser.text(selector) == text)

    def states(self) -> list[str]:
        return self._texts(".tile .state")

    def banner(self) -> str:
        return self._browser.text("#banner")

    def is_grey(self) -> bool:
        pictures = len(self._browser.all(".tile .picture.dim"))
        return pictures == self._cameras

    def _texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        found: list[str] = self._browser.js(script, selector)
        return found


@pytest.mark.timeout(1200)
def test_the_page_says_what_stopped(browser: Browser, tmp_path: Path) -> None:
    """Worker, Redis, producer: each is stopped, named as the common cause, and comes back."""
    with ExitStack() as stack:
        server = stack.enter_context(RedisProcess(port=free_port()))
        gateway = stack.enter_context(Gateway(server.url))

        def produce() -> list[Running]:
            return [
                stack.enter_context(start_producer(tmp_path, server.url, camera, *SOURCE))
                for camera in CAMERAS
            ]

        producers = produce()
        browser.open(gateway.base)
        wall = Wall(browser)
        wall.becomes("Not analysed", "No worker")
        wall.says(".tile .mood", "Nothing analysed in the last minute")

        worker = stack.enter_context(start_worker(tmp_path, server.url))
        wall.becomes("Live", "")
        browser.wait(lambda: not wall.is_grey())
        wall.says("#totals", "2 cameras: 2 live")
        wall.says("#link", "Connected")

        worker.kill()
        wall.becomes("Not analysed", "No worker")
        browser.wait(wall.is_grey)
        wall.says("#totals", "2 cameras: 2 not analysed")
        assert "No face" not in browser.js("return document.body.innerText")

        worker = stack.enter_context(start_worker(tmp_path, server.url))
        wall.becomes("Live", "")

        server.kill()
        wall.becomes("No data", "No data from Redis")
        browser.wait(wall.is_grey)
        wall.says("#link", "No data from Redis")
        server.restart()
        wall.becomes("Live", "")

        for producer in producers:
            producer.kill()
        wall.becomes("Down", "All 2 cameras are down: no heartbeat from the producer")
        browser.wait(wall.is_grey)
        producers = produce()
        wall.becomes("Live", "")


def test_a_camera_whose_file_was_played_to_its_end_has_ended(
    browser: Browser, tmp_path: Path
) -> None:
    """It is neither down nor live, does not cause a banner, and its picture is grey."""
    film = tmp_path / "film.avi"
    video = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 250, 50):
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    with (
        RedisProcess() as server,
        Gateway(server.url) as gateway,
        start_producer(tmp_path, server.url, "lobby", "--source", str(film)),
    ):
        browser.open(gateway.base)
        browser.wait(lambda: browser.text("[data-camera=lobby] .state") == "Ended")
        browser.wait(lambda: browser.text("#totals") == "1 camera: 1 ended")
        assert browser.text("#banner") == ""
        browser.wait(lambda: browser.all("[data-camera=lobby] .picture.dim"))
        reason = "the file was played to its end"
        browser.wait(lambda: reason in browser.text("[data-camera=lobby] .veil"))
        browser.js("location.hash = '#/lobby'")
        browser.wait(lambda: browser.text("#detail .state") == "Ended")


def test_a_worker_that_hangs_leaves_its_camera_behind_then_unowned(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        RedisProcess() as server,
        Gateway(server.url) as gateway,
        start_producer(tmp_path, server.url, "lobby", *SOURCE),
        start_worker(tmp_path, server.url, "--lease-ms", "20000") as worker,
    ):
        browser.open(f"{gateway.base}/#/lobby")
        # Live also before anything is known: the worker must own the camera before it hangs.
        browser.wait(lambda: browser.all(".box"))
        worker.pause()
        browser.wait(lambda: browser.text("#detail .state").startswith("Falling behind"))
        browser.wait(lambda: "falling behind" in browser.text("#banner"))
        browser.wait(lambda: browser.text("#detail .state") == "Not analysed")
        browser.wait(lambda: browser.text("#detail .noface") == "No picture analysed now")
        browser.wait(lambda: "People in view\u2013Newest event" in browser.text("#detail .facts"))
        worker.resume()
        browser.wait(lambda: browser.text("#detail .state") == "Live")


def test_a_gateway_that_hangs_is_not_shown_as_connected(browser: Browser) -> None:
    """Its connections stay open, and nothing comes: the page finds out, and resumes afterwards."""
    with RedisProcess() as server, Gateway(server.url) as gateway, Feeder(server.url, "lobby"):
        browser.open(gateway.base)
        wall = Wall(browser, cameras=1)
        wall.becomes("Live", "")
        browser.wait(lambda: browser.all(".box"))
        browser.wait(lambda: not wall.is_grey())
        gateway.process.send_signal(signal.SIGSTOP)
        try:
            wall.becomes("Unknown", "The gateway cannot be reached")
            wall.says("#link", "Reconnecting")
            browser.wait(wall.is_grey)
        finally:
            gateway.process.send_signal(signal.SIGCONT)
        wall.becomes("Live", "")
        wall.says("#link", "Connected")
        browser.wait(lambda: not wall.is_grey())
        frame = "return document.querySelector('.picture').dataset.frame"
        shown = browser.js(frame)
        browser.wait(lambda: browser.js(frame) != shown)


def test_a_picture_that_no_longer_changes_turns_grey_beside_its_events(browser: Browser) -> None:
    """Pictures have a connection of their own: without it, the last one must not look live."""
    with RedisProcess() as server, Gateway(server.url) as gateway, Feeder(server.url, "lobby"):
        browser.open(gateway.base)
        browser.wait(lambda: browser.all(".box"))
        browser.wait(lambda: not browser.all(".picture.dim"))
        browser.modules("cameras.get('lobby').offer = (_, bitmap) => bitmap.close(); done()")
        browser.wait(lambda: browser.all("[data-camera=lobby] .picture.dim"))
        assert browser.text("[data-camera=lobby] .state") == "Live"
