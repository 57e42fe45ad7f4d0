"""Loads Lua scripts, which are stored beside the modules that call them."""

from pathlib import Path
from typing import Any

from emotion_streams.connection import Client


def load_script(client: Client, module: str, name: str) -> Any:
    """Return the script NAME.lua, to be called with `keys` and `args`.

    The file is in the same folder as `module`, which is the `__file__` of the caller.
    """
    return client.register_script(Path(module).with_name(f"{name}.lua").read_text())
