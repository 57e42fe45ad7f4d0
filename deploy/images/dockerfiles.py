"""The Dockerfiles under deploy/: which images exist, and what each one installs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# Gigabytes of CUDA; it is built only if it is named.
LARGE: Final = ("worker-gpu",)


@dataclass(frozen=True)
class Dockerfile:
    """One image: `deploy/Dockerfile.NAME`."""

    name: str
    path: Path

    @property
    def base_argument(self) -> str:
        """The build argument that names the base image: the first ARG, before any FROM."""
        found = re.match(r"(?:#.*\n|\n)*ARG (\w+)=", self.path.read_text())
        if found is None:
            raise ValueError(f"{self.path}: no ARG with the base image before the first FROM")
        return found[1]

    @property
    def extras(self) -> tuple[str, ...]:
        """Extras of pyproject.toml that the image installs. ValueError if it names none."""
        found = re.findall(r"pip install [^&]*'\.\[([\w,]+)\]'", self.path.read_text())
        if len(found) != 1:
            raise ValueError(f"{self.path}: expected one pip install of '.[EXTRAS]'")
        return tuple(found[0].split(","))


def find_all() -> dict[str, Dockerfile]:
    """Every image by name, in alphabetical order."""
    paths = sorted((ROOT / "deploy").glob("Dockerfile.*"))
    return {path.suffix[1:]: Dockerfile(path.suffix[1:], path) for path in paths}


def choose(names: list[str]) -> list[Dockerfile]:
    """Return the named images, or all but the large ones. ValueError for an unknown name."""
    found = find_all()
    if unknown := sorted(set(names) - found.keys()):
        raise ValueError(f"no image {', '.join(unknown)}; there are {', '.join(found)}")
    return [found[name] for name in names or found if names or name not in LARGE]
