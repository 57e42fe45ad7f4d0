"""A real Chromium, driven as a person would."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.servers import eventually

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


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
    """One window with a fresh profile."""

    def __init__(self) -> None:
        self.profile = tempfile.mkdtemp(prefix="es-chromium-")
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*_FLAGS, f"--user-data-dir={self.profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)

    def size(self, width: int, height: int, scale: float = 1, phone: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, url: str) -> None:
        """The page anew, even where only what follows # differs."""
        self.close_page()
        self.driver.get(url)

    def close_page(self) -> None:
        """Leave the page, and what it complained of."""
        self.driver.get("about:blank")
        self.errors()

    def find(self, selector: str) -> WebElement:
        """The first element, as soon as there is one."""
        eventually(lambda: self.all(selector))
        return self.all(selector)[0]

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What stands there now; elements may be replaced at any time."""
        script = "return document.querySelector(arguments[0])?.textContent ?? ''"
        return str(self.js(script, selector))

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

    def wait(self, predicate: Callable[[], object], timeout_s: float = 30) -> None:
        """Until it holds; AssertionError with what the page shows and complained of otherwise."""
        try:
            eventually(predicate, timeout_s=timeout_s)
        except AssertionError as error:
            shown = self.js("return document.body.innerText")
            raise AssertionError(f"{error}\nshown: {shown}\nconsole: {self.errors()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)
