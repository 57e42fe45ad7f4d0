"""Fixtures: the engine, the images built on a base of their own, and the stack that runs them."""

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.images.build import build
from deploy.images.dockerfiles import choose
from deploy.images.engine import Engine, NoEngineError, find_engine
from tests.images.base import build_valkey, import_base
from tests.images.stack import Stack, running
from worker.inference.detect.choose import YUNET_FILE

# For a machine whose kernel or user may not raise limits, or that mixes two kinds of cgroups.
_MODEST = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""


@pytest.fixture(scope="session")
def engine() -> Engine:
    if "EMOTION_CHECK_CONTAINERS" not in os.environ:
        pytest.skip("builds and runs images: make check-images")
    try:
        found = find_engine()
    except NoEngineError as error:
        pytest.fail(str(error))
    if found.program == "buildah":
        pytest.fail("Buildah builds images and does not run them; apt install podman")
    return found


@pytest.fixture(scope="session")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image, on an engine that can run it."""
    image = import_base(engine)
    if not _runs(engine, image):
        conf = tmp_path_factory.mktemp("engine") / "containers.conf"
        conf.write_text(_MODEST)
        os.environ["CONTAINERS_CONF"] = str(conf)
        print("limits: runc, and fewer open files and processes than the engine's default")
        assert _runs(engine, image), f"{engine.program} runs no container here"
    return image


def _runs(engine: Engine, image: str) -> bool:
    command = [engine.program, "run", "--rm", image, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def yunet_url(shared: Path) -> Iterator[str]:
    """The detector's file at an address of the loopback, in place of GitHub."""
    folder = shared / "models" / "yunet"
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{YUNET_FILE}"
        server.shutdown()


@pytest.fixture(scope="session")
def images(engine: Engine, base: str, yunet_url: str) -> dict[str, str]:
    """Names of the built images by kind; worker-gpu is left out."""
    names = {}
    for dockerfile in choose([]):
        image = names[dockerfile.name] = f"localhost/emotion-streams-check/{dockerfile.name}:check"
        options = ["--network=host"]
        if "ARG YUNET_URL" in dockerfile.path.read_text():
            options.append(f"--build-arg=YUNET_URL={yunet_url}")
        build(engine, dockerfile, image, base=base, options=options)
        size = engine.size_bytes(image) - engine.size_bytes(base)
        print(f"{dockerfile.name}: {size / 1e6:.0f} MB without its base")
    return names


@pytest.fixture(scope="session")
def stack(engine: Engine, images: dict[str, str]) -> Iterator[Stack]:
    with running(engine, images, build_valkey(engine)) as containers:
        yield containers
