"""Services of compose.yaml as options of an engine's `run`: the hardening that users get."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from tests.deploy.processes import ROOT

DEPLOY: Final = ROOT / "deploy"
SERVICES: Final[dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Fill in ${NAME}, with its default or the reason why it has none."""
    return re.sub(
        r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: values.get(found[1], found[2] or ""), text
    )


def run_options(name: str, values: Mapping[str, str]) -> Iterator[str]:
    """Everything that the service has but its image, its networks and its ports."""
    service = SERVICES[name]
    assert service["read_only"]
    yield "--read-only"
    for capability in service["cap_drop"]:
        yield f"--cap-drop={capability}"
    for option in service["security_opt"]:
        yield f"--security-opt={option.removesuffix(':true')}"
    yield f"--pids-limit={service['pids_limit']}"
    yield f"--memory={service['mem_limit']}"
    for mount in service.get("tmpfs", ()):
        yield f"--tmpfs={mount}"
    for variable, value in service["environment"].items():
        yield f"--env={variable}={substitute(value, values)}"
    for volume in service.get("volumes", ()):
        source, rest = substitute(volume, values).split(":", 1)
        yield f"--volume={DEPLOY / source}:{rest}"
    if "user" in service:
        yield f"--user={service['user']}"
    if "entrypoint" in service:
        (entrypoint,) = service["entrypoint"]
        yield f"--entrypoint={entrypoint}"


def command(name: str) -> list[str]:
    return list(SERVICES[name].get("command", ()))


def grace_s(name: str) -> int:
    """Seconds between SIGTERM and SIGKILL."""
    return int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
