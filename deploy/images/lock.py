"""The images' packages with their sha256: deploy/requirements, from constraints.txt.

Part of `make lock`. A list holds the files of every platform: one serves amd64 and arm64.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.images.dockerfiles import ROOT, find_all

FOLDER: Final = ROOT / "deploy" / "requirements"
# What builds the wheel in the images, and the package whose portrait the demo camera shows.
BUILD: Final = "hatchling"
PORTRAIT: Final = "scikit-image"
_COMPILE: Final = (
    "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate",
    "--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11",
    "--constraint", "constraints.txt",
)  # fmt: skip


def main() -> None:
    """Write every list again, at the versions of constraints.txt."""
    FOLDER.mkdir(exist_ok=True)
    for dockerfile in find_all().values():
        extras = [word for extra in dockerfile.extras for word in ("--extra", extra)]
        _compile(FOLDER / f"{dockerfile.name}.txt", *extras, "pyproject.toml")
    _compile(FOLDER / "build.txt", "-", stdin=BUILD)
    _compile(FOLDER / "portrait.txt", "--no-deps", "-", stdin=PORTRAIT)


def _compile(target: Path, *words: str, stdin: str = "") -> None:
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=f"{beside}:{os.environ['PATH']}") or "uv"
    command = [uv, *_COMPILE, *words, "--output-file", str(target.relative_to(ROOT))]
    subprocess.run(  # noqa: S603 - uv on files of this checkout
        command, cwd=ROOT, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
