"""The container engine at hand: Docker, Podman or Buildah, which take the same build options."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ENGINES: Final = ("docker", "podman", "buildah")


class NoEngineError(Exception):
    """No container engine was found, or the one that was asked for does not answer."""


@dataclass(frozen=True)
class Engine:
    """One engine's command line."""

    program: str

    def build_command(
        self,
        dockerfile: str,
        tag: str,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        options: Sequence[str] = (),
    ) -> list[str]:
        """Build `dockerfile` with the current folder as its context."""
        command = [self.program, "build", "--file", dockerfile, "--tag", tag]
        if self.program != "docker":
            # OCI's format, the default of the others, has no HEALTHCHECK.
            command += ["--format", "docker"]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        for name, value in labels.items():
            command += ["--label", f"{name}={value}"]
        return [*command, *options, "."]

    def output(self, *words: str) -> str:
        """Return what a command prints. CalledProcessError if it fails."""
        return subprocess.check_output([self.program, *words], text=True)  # noqa: S603

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """`inspect` of an image or a container."""
        (found,) = json.loads(self.output(kind, "inspect", name))
        return dict(found)

    def has_image(self, image: str) -> bool:
        """Whether the engine has the image at hand, without a registry."""
        command = [self.program, "image", "inspect", image]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603

    def size_bytes(self, image: str) -> int:
        """Size of all layers, the base's included."""
        return int(self.inspect("image", image)["Size"])


def find_engine(name: str = "") -> Engine:
    """Return the named engine, or the first that answers. NoEngineError if there is none."""
    for program in [name] if name else ENGINES:
        # Docker's client alone, without its daemon, cannot build.
        if shutil.which(program) and _answers(program):
            return Engine(program)
    wanted = name or ", ".join(ENGINES)
    raise NoEngineError(f"no container engine answers ({wanted}); on Debian: apt install podman")


def _answers(program: str) -> bool:
    command = [program, "info"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    return done.returncode == 0
