"""Lua scripts beside the modules that call them."""

from pathlib import Path
from typing import Any

from emotion_streams.connection import Client


def load_script(client: Client, module: str, name: str) -> Any:
    """Return the script NAME.lua beside `module` (its `__file__`): call it with keys and args."""
    return client.register_script(Path(module).with_name(f"{name}.lua").read_text())
