"""What a release checks before it makes anything, and what it says about licenses."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.images.build import build
from deploy.images.dockerfiles import ROOT, choose, find_all
from deploy.images.engine import Engine
from deploy.images.licenses import find_surprises, is_permissive
from deploy.images.release import changes_of, empty, find_mistakes

CHANGELOG = "# Changelog\n\n## 0.2.0 (unreleased)\n\n- More.\n\n## 0.1.0\n\n- A camera.\n"


def test_every_dockerfile_names_its_base_and_its_extras() -> None:
    assert {one.base_argument for one in find_all().values()} == {"PYTHON", "CUDA"}
    assert all(one.extras for one in find_all().values())


def test_the_gigabytes_of_a_gpu_are_built_only_by_name() -> None:
    assert {one.name for one in choose([])} == find_all().keys() - {"worker-gpu"}
    assert [one.name for one in choose(["worker-gpu"])] == ["worker-gpu"]
    with pytest.raises(ValueError, match="no image wroker"):
        choose(["wroker"])


@pytest.mark.parametrize(
    ("program", "keeps"), [("docker", False), ("podman", True), ("buildah", True)]
)
def test_an_engine_that_would_drop_the_health_check_is_asked_to_keep_it(
    program: str, keeps: bool
) -> None:
    command = Engine(program).build_command("Dockerfile", "x", arguments={"A": "b"}, labels={})
    assert ("--format" in command) == keeps
    assert command[-1] == "."
    assert "A=b" in command


def test_a_build_that_fails_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        build(Engine("no-such-engine"), choose(["worker"])[0], "x", options=[])


@pytest.mark.parametrize(
    ("version", "mistake"),
    [
        ("", "VERSION='' is not a version"),
        ("1.2", "VERSION='1.2' is not a version"),
        ("99.0.0", "CHANGELOG.md: no section 99.0.0"),
        ("99.0.0", "emotion_streams/__init__.py"),
        ("99.0.0", "Chart.yaml: appVersion"),
    ],
)
def test_a_version_that_is_not_set_everywhere_stops_the_release(version: str, mistake: str) -> None:
    assert any(mistake in found for found in find_mistakes(version))


def test_the_changes_of_a_version_are_its_section_alone() -> None:
    assert changes_of("0.1.0", CHANGELOG) == "- A camera.\n"
    with pytest.raises(ValueError, match="unreleased"):
        changes_of("0.2.0", CHANGELOG)


def test_all_that_an_earlier_release_left_is_removed_folders_too(tmp_path: Path) -> None:
    dist, elsewhere = tmp_path / "dist", tmp_path / "elsewhere"
    (dist / "unpacked" / "inner").mkdir(parents=True)
    (dist / "unpacked" / "inner" / "file").touch()
    (dist / "wheel.whl").touch()
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (dist / "link").symlink_to(elsewhere)
    empty(dist)
    assert list(dist.iterdir()) == []
    assert (elsewhere / "kept").exists()


def test_a_file_that_cannot_be_removed_is_named_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^cannot be removed: /proc/self/fd[^\n]*$"):
        empty(Path("/proc/self/fdinfo"))


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("(Apache-2.0 OR BSD-2-Clause)", True),
        ("GPL-2.0-only OR MIT", True),
        ("License :: OSI Approved :: Apache Software License", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("BSD and GPL", False),
        ("LGPL-2.1-or-later", False),
        ("MPL-2.0", False),
        ("Proprietary", False),
    ],
)
def test_only_licenses_without_conditions_on_other_code_pass(text: str, fine: bool) -> None:
    assert is_permissive(text) == fine


def test_a_package_without_a_license_is_a_surprise() -> None:
    package = {"name": "x", "version": "1", "purl": "pkg:pypi/x@1"}
    debian = {"name": "libc6", "version": "2.36", "purl": "pkg:deb/debian/libc6@2.36"}
    assert list(find_surprises({"components": [package, debian]})) == ["x 1: no license"]


def test_the_options_of_a_release_are_not_those_of_each_target(tmp_path: Path) -> None:
    step = "from pathlib import Path; from deploy.images.release import run_make as make; "
    step += f"make('inner', root=Path('{tmp_path}'))"
    (tmp_path / "Makefile").write_text(
        f'outer:\n\t@"{sys.executable}" -c "{step}"\ninner:\n\t@echo "given: $(ARGS)."\n'
    )
    command = ["make", "--no-print-directory", "--file", str(tmp_path / "Makefile"), "outer"]
    shown = subprocess.check_output([*command, "ARGS=--base x"], cwd=ROOT, text=True)
    assert shown == "given: .\n"
