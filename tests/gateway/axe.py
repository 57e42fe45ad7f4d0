"""What axe finds wrong with the page that a browser shows."""

from pathlib import Path
from typing import Any

import axe_core_python

from tests.gateway.browser import Browser

_AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()


def violations(browser: Browser) -> list[tuple[Any, list[Any]]]:
    """Rules that are violated, each with the elements, contrast included."""
    browser.js(_AXE)
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(done)"
    )
    return [(item["id"], [node["html"] for node in item["nodes"]]) for item in found["violations"]]
