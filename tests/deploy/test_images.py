"""The Dockerfiles: held to rules, and their install steps run. tests/images builds the images."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import cv2
import pytest

from gateway.settings import GatewaySettings
from producer.config import ProducerSettings
from service.settings import ServiceSettings
from sinks.settings import SinkSettings
from tests.deploy import dockerfile
from tests.deploy.processes import MODULES, ROOT
from worker.app import DRAIN_S
from worker.inference.detect.choose import YUNET_FILE
from worker.settings import WorkerSettings

IMAGES: Final = ("worker", "worker-gpu", "producer", "gateway", "sink")
SETTINGS: Final[dict[str, type[ServiceSettings]]] = {
    "worker": WorkerSettings,
    "producer": ProducerSettings,
    "gateway": GatewaySettings,
    "sink": SinkSettings,
}


def stages(image: str) -> list[dockerfile.Stage]:
    return dockerfile.read(ROOT / "deploy" / f"Dockerfile.{image}")


def process_of(image: str) -> str:
    return image.partition("-")[0]


def test_no_dockerfile_is_left_out() -> None:
    found = {path.suffix[1:] for path in (ROOT / "deploy").glob("Dockerfile.*")}
    assert found == set(IMAGES)


@pytest.mark.parametrize("image", IMAGES)
class TestRules:
    def test_hadolint_finds_nothing(self, image: str) -> None:
        program = Path(sys.executable).with_name("hadolint")
        path = ROOT / "deploy" / f"Dockerfile.{image}"
        done = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")

    def test_build_tools_are_left_behind_and_processes_run_unprivileged(self, image: str) -> None:
        build, final = stages(image)
        assert build.name == "build"
        assert final.all("USER") == ["10001:10001"]
        assert not any("pip install" in run for run in final.all("RUN"))

    def test_every_package_is_checked_by_its_hash(self, image: str) -> None:
        runs = " && ".join(run for stage in stages(image) for run in stage.all("RUN"))
        *downloads, ours = re.findall(r"pip install [^&]*", runs)
        assert downloads
        assert all("--require-hashes" in install for install in downloads)
        assert "--no-index" in ours
        assert "--no-build-isolation" in ours, "or it would download what builds the wheel"
        assert "pip check" in runs, "or a list that is behind pyproject.toml would go unnoticed"

    def test_the_health_check_asks_the_port_that_answers(self, image: str) -> None:
        final = stages(image)[-1]
        (check,) = final.all("HEALTHCHECK")
        port = SETTINGS[process_of(image)].model_fields["metrics_port"].default
        assert f"http://127.0.0.1:{port}/healthz" in check
        assert str(port) in final.all("EXPOSE")[0].split()

    def test_it_sets_only_settings_that_exist(self, image: str) -> None:
        process = process_of(image)
        prefix = f"EMOTION_{process.upper()}_"
        environment = dict(
            pair.split("=", 1) for pair in shlex.split(stages(image)[-1].all("ENV")[0])
        )
        ours = {name for name in environment if name.startswith("EMOTION_")}
        known = {prefix + name.upper() for name in SETTINGS[process].model_fields}
        assert ours
        assert ours <= known

    def test_it_listens_on_every_address_of_either_kind(self, image: str) -> None:
        environment = shlex.split(stages(image)[-1].all("ENV")[0])
        hosts = [pair.partition("=")[2] for pair in environment if "HOST=" in pair]
        assert hosts
        assert set(hosts) == {"::"}

    def test_it_carries_the_notices_of_what_it_holds(self, image: str) -> None:
        assert "deploy/NOTICE /app/NOTICE" in stages(image)[-1].all("COPY")

    def test_it_copies_what_exists_and_the_context_lets_through(self, image: str) -> None:
        allowed = {
            line[1:]
            for line in (ROOT / ".dockerignore").read_text().splitlines()
            if line.startswith("!")
        }
        for stage in stages(image):
            for copy in stage.all("COPY"):
                if copy.startswith("--from"):
                    continue
                *sources, _ = copy.split()
                assert all({source, str(Path(source).parent)} & allowed for source in sources)
                assert all((ROOT / source).exists() for source in sources)


def test_the_notice_is_true_of_the_ffmpeg_that_the_images_install() -> None:
    notice = (ROOT / "deploy" / "NOTICE").read_text()
    site = Path(cv2.__file__).parents[1]
    names = ("avcodec", "avformat", "avutil", "swscale", "swresample")
    for name in names:
        (library,) = (site / "opencv_python_headless.libs").glob(f"lib{name}-*")
        assert b"license: LGPL version 2.1 or later" in library.read_bytes()
        assert f"lib{name}" in notice
    license_text = (site / "cv2" / "LICENSE-3RD-PARTY.txt").read_text()
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in license_text
    assert "cv2/LICENSE-3RD-PARTY.txt" in notice


@pytest.mark.parametrize("image", ["worker", "worker-gpu"])
def test_a_worker_finds_its_detector_in_the_image(image: str, tmp_path: Path, shared: Path) -> None:
    build, final = stages(image)
    (fetch,) = [run for run in build.all("RUN") if "fetch_yunet" in run]
    shutil.copy(shared / "models" / "yunet" / YUNET_FILE, tmp_path)  # in place of the download
    here = fetch.replace("/opt/venv/bin/python", sys.executable).replace(
        "/opt/models", str(tmp_path)
    )
    subprocess.run(["sh", "-euc", here], cwd=ROOT, check=True)
    assert "--from=build /opt/models /opt/models" in final.all("COPY")
    assert f"EMOTION_WORKER_DETECTOR_MODEL=/opt/models/{YUNET_FILE}" in final.all("ENV")[0]


def test_the_worker_drains_in_less_than_any_platform_waits() -> None:
    """compose.yaml and the chart grant more; see their tests."""
    assert DRAIN_S <= 8


@pytest.mark.skipif(
    "EMOTION_CHECK_IMAGES" not in os.environ,
    reason="installs images' packages again: EMOTION_CHECK_IMAGES=worker,..., or check-deploy-full",
)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("image", IMAGES)
def test_the_install_steps_give_a_process_that_runs(
    image: str, tmp_path: Path, shared: Path
) -> None:
    """The build stage's RUN lines but apt-get's, with its folders moved under tmp_path."""
    chosen = os.environ["EMOTION_CHECK_IMAGES"].split(",")
    if chosen != ["all"] and image not in chosen:
        pytest.skip(f"EMOTION_CHECK_IMAGES={','.join(chosen)} leaves it out")
    source, models = tmp_path / "src", tmp_path / "models"
    source.mkdir()
    models.mkdir()
    yunet = shared / "models" / "yunet" / YUNET_FILE
    shutil.copy(yunet, models)  # in place of the download, which checks the same sha256
    build, final = stages(image)
    for instruction in build.instructions:
        if instruction.word == "COPY":
            *sources, target = instruction.rest.split()
            for name in sources:
                inside = Path(name).name if target.endswith("/") else ""
                _copy(ROOT / name, source / target / inside)
        elif instruction.word == "RUN":
            command = _moved(instruction.rest, tmp_path)
            subprocess.run(["sh", "-euc", command], cwd=source, check=True)
    app = tmp_path / "app"
    for copy in final.all("COPY"):
        if not copy.startswith("--from"):
            name, target = copy.split()
            _copy(ROOT / name, tmp_path / target.lstrip("/"))
    process = process_of(image)
    subprocess.run(
        [tmp_path / "venv/bin/python", "-m", MODULES.get(process, process), "--help"],
        cwd=app,
        check=True,
    )
    if process == "worker":
        engine = "MNN" if image == "worker" else "tensorflow"
        subprocess.run([tmp_path / "venv/bin/python", "-c", f"import {engine}"], check=True)
    size = subprocess.check_output(["du", "-sm", tmp_path / "venv"], text=True)
    print(f"{image}: {size.split()[0]} MB in /opt/venv")


def _moved(command: str, folder: Path) -> str:
    """A RUN line without apt-get, with the image's folders under `folder`."""
    steps = command.partition("&& python3 -m venv")
    command = f"python3 -m venv{steps[2]}" if steps[1] else command
    python = os.environ.get("EMOTION_IMAGE_PYTHON", sys.executable)
    command = re.sub(r"^python3? ", f"{python} ", command)
    for path in ("/opt/venv", "/opt/models", "/tmp/portrait", "/tmp/build"):
        command = command.replace(path, str(folder / Path(path).name))
    # An image should hold no cache; here one saves most of the time.
    return command.replace(" --no-cache-dir", "")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
