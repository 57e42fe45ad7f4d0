"""deploy/requirements: the images' packages, locked, for both processors."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.images.dockerfiles import find_all
from deploy.images.lock import FOLDER
from tests.deploy.processes import ROOT

LISTS: Final = [path.name for path in sorted(FOLDER.glob("*.txt"))]
# TensorFlow's gigabytes exist for both as well, but are not looked up in every run.
SMALL: Final = [name for name in LISTS if name != "worker-gpu.txt"]


def pins(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def test_every_image_has_a_list_and_every_list_is_used() -> None:
    text = "".join(dockerfile.path.read_text() for dockerfile in find_all().values())
    assert set(LISTS) == set(re.findall(r"--requirement deploy/requirements/(\S+)", text))
    assert {f"{image}.txt" for image in find_all()} <= set(LISTS)


@pytest.mark.parametrize("name", LISTS)
class TestLists:
    def test_has_the_versions_that_the_tests_run_with(self, name: str) -> None:
        locked = pins((ROOT / "constraints.txt").read_text())
        names = {package for package, _ in locked}
        ours = {pin for pin in pins((FOLDER / name).read_text()) if pin[0] in names}
        assert ours
        assert ours <= locked, "run make lock"

    def test_has_a_sha256_for_every_package(self, name: str) -> None:
        text = (FOLDER / name).read_text().replace("\\\n", " ")
        assert all("--hash=sha256:" in line for line in text.splitlines())


@pytest.mark.skipif(
    os.environ.get("EMOTION_CHECK_IMAGES") != "all",
    reason="asks the package index: make check-deploy-full",
)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("processor", ["aarch64", "x86_64"])
@pytest.mark.parametrize("name", SMALL)
def test_every_package_has_a_wheel_for(name: str, processor: str, tmp_path: Path) -> None:
    """For Python 3.12 of the base image on Debian 12, whose glibc is 2.36."""
    platforms = [f"--platform=manylinux_2_{minor}_{processor}" for minor in range(17, 37)]
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps",
            "--ignore-installed", "--only-binary=:all:", "--require-hashes",
            "--python-version=3.12", "--implementation=cp",
            f"--platform=manylinux2014_{processor}", *platforms, f"--target={tmp_path}",
            f"--requirement={FOLDER / name}",
        ],
        check=True,
    )  # fmt: skip
