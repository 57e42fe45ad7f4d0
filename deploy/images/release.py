"""`make release VERSION=`: everything that a release publishes, made and checked in dist/.

Nothing is tagged, pushed or uploaded: the last lines say how a person does it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.images.dockerfiles import ROOT
from emotion_streams import __version__
from service.parser import Parser, exit_with_error


@dataclass(frozen=True)
class Release:
    """The version, the folder that gets what is published, and options of the images' build."""

    version: str
    folder: Path
    build: tuple[str, ...] = ()


def main(arguments: list[str] | None = None) -> None:
    """Make a release: versions, lock, checks, wheel and sdist, images, SBOM, changes, checksums."""
    parser = Parser(prog="deploy.images.release", description=main.__doc__)
    parser.add_argument("--version-to-release", required=True)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="STEP")
    parser.add_argument("--base", help="base image in place of the Dockerfiles'")
    parser.add_argument("--option", action="append", default=[], help="for the engine's build")
    options = parser.parse_args(arguments)
    build = [f"--option={option}" for option in options.option]
    if options.base:
        build.append(f"--base={options.base}")
    release = Release(options.version_to_release, ROOT / "dist", tuple(build))
    release.folder.mkdir(exist_ok=True)
    for name in options.only:
        print(f"release {release.version}: {name}", flush=True)
        try:
            STEPS[name](release)
        except ValueError as error:
            exit_with_error("deploy.images.release", str(error))
        except subprocess.CalledProcessError as error:
            exit_with_error("deploy.images.release", f"{name}: {error}")
    if options.only != list(STEPS):
        return
    print(
        f"{release.folder} is complete. To publish it: git tag v{release.version}, push the tag, "
        f"upload wheel and sdist, push the images with the tag {release.version}"
    )


def find_mistakes(version: str) -> Iterator[str]:
    """Yield each place that does not name `version` as it must before a release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        yield f"VERSION={version!r} is not a version such as 1.2.3 or 1.2.3rc1"
        return
    if __version__ != version:
        yield f"emotion_streams/__init__.py: {__version__}"
    chart = yaml.safe_load((ROOT / "deploy/helm/emotion-streams/Chart.yaml").read_text())
    for key in ("version", "appVersion"):
        if str(chart[key]) != version:
            yield f"Chart.yaml: {key} {chart[key]}"
    try:
        changes_of(version, (ROOT / "CHANGELOG.md").read_text())
    except ValueError as error:
        yield str(error)


def changes_of(version: str, changelog: str) -> str:
    """Return the changelog's section of a version. ValueError if it is missing or unreleased."""
    found = re.search(
        rf"^## {re.escape(version)}\b([^\n]*)\n(.*?)(?=^## |\Z)",
        changelog,
        re.DOTALL | re.MULTILINE,
    )
    if found is None:
        raise ValueError(f"CHANGELOG.md: no section {version}")
    if "unreleased" in found[1]:
        raise ValueError(f"CHANGELOG.md: {version} is marked as unreleased")
    return found[2].strip() + "\n"


def _versions(release: Release) -> None:
    if mistakes := list(find_mistakes(release.version)):
        raise ValueError("; ".join(mistakes))
    _require_clean("commit or remove what git status shows")
    if _git("tag", "--list", f"v{release.version}"):
        raise ValueError(f"the tag v{release.version} exists")
    empty(release.folder)


def empty(folder: Path) -> None:
    """Remove all that is in a folder. Raises ValueError that names what cannot be removed."""
    try:
        for old in folder.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            else:
                old.unlink()
    except OSError as error:
        raise ValueError(f"cannot be removed: {error.filename}: {error.strerror}") from error


def _lock(_: Release) -> None:
    """Compile the images' lists again: they follow constraints.txt and pyproject.toml."""
    _run("pip", "install", "--quiet", "uv")
    _run("python", "-m", "deploy.images.lock")
    _require_clean("deploy/requirements did not follow constraints.txt; they do now: commit them")


def _checks(_: Release) -> None:
    run_make("check")


def _packages(release: Release) -> None:
    _run("python", "-m", "hatchling", "build", "--directory", str(release.folder))


def _images(release: Release) -> None:
    _run("python", "-m", "deploy.images.build", "--tag", release.version, *release.build)


def _containers(_: Release) -> None:
    run_make("check-images")


def _sbom(release: Release) -> None:
    run_make("sbom", f"TAG={release.version}")


def _changes(release: Release) -> None:
    text = changes_of(release.version, (ROOT / "CHANGELOG.md").read_text())
    (release.folder / "CHANGES.md").write_text(text)


def _checksums(release: Release) -> None:
    files = filter(Path.is_file, release.folder.iterdir())
    names = sorted(path for path in files if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in names]
    (release.folder / "SHA256SUMS").write_text("".join(lines))


def run_make(*words: str, root: Path = ROOT) -> None:
    """Make targets in `root`, without the ARGS of `make release`. Raises CalledProcessError."""
    subprocess.run(["make", *words, "ARGS="], cwd=root, check=True)  # noqa: S603, S607


def _run(program: str, *words: str) -> None:
    command = [str(Path(sys.executable).with_name(program)), *words]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - programs of this environment


def _git(*words: str) -> str:
    return subprocess.check_output(["git", *words], cwd=ROOT, text=True).strip()  # noqa: S603, S607


def _require_clean(advice: str) -> None:
    if changed := _git("status", "--porcelain"):
        raise ValueError(f"{advice}:\n{changed}")


STEPS: dict[str, Callable[[Release], None]] = {
    "versions": _versions,
    "lock": _lock,
    "checks": _checks,
    "packages": _packages,
    "containers": _containers,
    "images": _images,
    "sbom": _sbom,
    "changes": _changes,
    "checksums": _checksums,
}

if __name__ == "__main__":
    main()
