"""A real Chromium, driven as a person would."""

import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from urllib3.exceptions import HTTPError

from tests.servers import PATIENCE_S, eventually, free_port

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# Clicks what is to be seen in the middle of an element; false if that is nothing of the element.
_CLICK = """
    const found = document.querySelectorAll(arguments[0])[arguments[1]];
    if (!found || found.disabled || !found.checkVisibility()) return false;
    found.scrollIntoView({ block: 'center' });
    const { x, y, width, height } = found.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    if (!found.contains(hit)) return false;
    return hit.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true })) || true;
"""


def missing() -> str | None:
    """Why there is no browser here, or None."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(absent)} missing (Debian: chromium, chromium-driver)" if absent else None


def require() -> None:
    """Skip without a browser; where CI is set, fail."""
    if (reason := missing()) is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def keep(png: bytes, target: Path) -> None:
    """Write a screenshot for the documentation, as small as it gets with all of its colours."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(target, format="PNG", optimize=True)


class Browser:
    """One window with a fresh profile. `flags`: further ones of its command line."""

    def __init__(self, *flags: str) -> None:
        self._flags = flags
        self._start()

    def _start(self) -> None:
        self.profile = tempfile.mkdtemp(prefix="es-chromium-")
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*_FLAGS, *self._flags, f"--user-data-dir={self.profile}"):
            options.add_argument(flag)
        options.add_experimental_option("browserStartupTimeout", int(1000 * PATIENCE_S))
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"), port=free_port())
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(PATIENCE_S)

    def revive(self) -> None:
        """Start it again if it has crashed: the test that saw that must not fail the next ones."""
        try:
            self.js("return 1")
        except (WebDriverException, HTTPError):
            self.__exit__()
            self._start()

    def size(self, width: int, height: int, scale: float = 1, phone: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def at_noon(self) -> None:
        """Set the browser to a time zone in which it is about noon, until the page is closed: its
        day does not end during the test."""
        behind = time.gmtime().tm_hour - 12
        self._zone(f"Etc/GMT{behind:+d}")

    def _zone(self, name: str) -> None:
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": name})

    def open(self, url: str) -> None:
        """Load the page again, even if only the part after # differs."""
        self.close_page()
        self.driver.get(url)

    def close_page(self) -> None:
        """Leave the page, its time zone, and what it complained of."""
        self.driver.get("about:blank")
        self._zone("")
        self.errors()

    def block(self, *urls: str) -> None:
        """Let requests to such addresses fail from now on, and to no others."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(urls)})

    def find(self, selector: str) -> WebElement:
        """The first element, as soon as there is one. The page may replace it at any time; of such
        elements see `text`, `shows` and `click`."""
        found: list[WebElement] = []

        def find() -> bool:
            found[:] = self.all(selector)
            return bool(found)

        eventually(find)
        return found[0]

    def shows(self, selector: str) -> bool:
        """Whether the first such element is there and not hidden."""
        script = "return Boolean(document.querySelector(arguments[0])?.checkVisibility())"
        return bool(self.js(script, selector))

    def click(self, selector: str, nth: int = 0) -> None:
        """Click an element as soon as it can be clicked, in one step: the page moves and replaces
        elements, and a click of two steps meets what came there meanwhile."""
        self.wait(lambda: self.js(_CLICK, selector, nth))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text there now; elements may be replaced at any time."""
        script = "return document.querySelector(arguments[0])?.textContent ?? ''"
        return str(self.js(script, selector))

    def choose(self, selector: str, text: str) -> None:
        """Choose it in a list as soon as it is there: the page writes its lists again."""

        def choose_it() -> bool:
            try:
                Select(self.find(selector)).select_by_visible_text(text)
            except (NoSuchElementException, StaleElementReferenceException):
                return False
            return True

        self.wait(choose_it)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def modules(self, script: str) -> Any:
        """Run a script that sees the page's own cameras."""
        whole = f"""
            const done = arguments[arguments.length - 1];
            import('/static/cameras.js').then(({{ cameras }}) => {{ {script} }}).catch(
                (error) => done(String(error)));
        """
        return self.driver.execute_async_script(whole)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def focused(self) -> str:
        """What has the focus: its id, or its text."""
        return str(
            self.js(
                "const e = document.activeElement; return e.id || e.dataset.camera ||"
                " e.closest('[data-camera]')?.dataset.camera || e.textContent.trim()"
            )
        )

    def errors(self) -> list[str]:
        """What the console complained of since it was last asked."""
        return [line["message"] for line in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def wait(self, predicate: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Until it holds; AssertionError with what the page shows and complained of otherwise."""
        try:
            eventually(predicate, timeout_s=timeout_s)
        except AssertionError as error:
            shown = self.js("return document.body.innerText")
            raise AssertionError(f"{error}\nshown: {shown}\nconsole: {self.errors()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(WebDriverException, HTTPError):
            self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)


def as_new(
    window: Browser, width: int, height: int, *, phone: bool = False, scheme: str = ""
) -> Iterator[Browser]:
    """Yield the window without anything of the test before, in this size and colour scheme."""
    window.revive()
    window.size(width, height, phone=phone)
    if scheme:
        window.scheme(scheme)
    yield window
    window.close_page()


def shown_tiles(browser: Browser) -> list[str]:
    """Return the cameras whose tiles the wall shows, in its order."""
    script = (
        "return [...document.querySelectorAll('.tile:not([hidden])')].map(e => e.dataset.camera)"
    )
    return list(browser.js(script))
