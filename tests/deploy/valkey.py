"""A server started as in production: deploy/valkey/start.sh, with its own conf and roles."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.redis_server import find_server
from tests.servers import eventually

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "valkey"
ROLES: Final = (
    "producer", "worker", "subscriber", "gateway", "sink", "operator", "metrics", "replica",
    "admin",
)  # fmt: skip


def password(role: str) -> str:
    return f"a password of {role}"


def passwords(*roles: str) -> dict[str, str]:
    return {f"VALKEY_{role.upper()}_PASSWORD": password(role) for role in roles}


class Valkey:
    """Listens on a unix socket, and where the options say; ended and removed on exit."""

    def __init__(
        self, *options: str, server: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="es-valkey-"))
        self.socket = self.folder / "valkey.sock"
        self.process = subprocess.Popen(
            [
                str(FOLDER / "start.sh"),
                *(
                    "--port",
                    "0",
                    "--bind",
                    "127.0.0.1",
                    "--unixsocket",
                    str(self.socket),
                    "--dir",
                    str(self.folder),
                ),
                *options,
            ],
            env={
                "PATH": os.environ["PATH"],
                "VALKEY_RUN": str(self.folder),
                "VALKEY_SERVER": str(server or find_server()),
                **passwords(*ROLES),
                **(environ or {}),
            },
            stdout=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"start.sh ended with code {self.process.returncode}")
        try:
            return bool(self.client("metrics").ping())
        except redis.exceptions.ConnectionError:
            return False

    @property
    def url(self) -> str:
        """Without credentials: those come from the environment or the client."""
        return f"unix://{self.socket}"

    def client(self, role: str, secret: str | None = None) -> redis.Redis:
        """As a role, with its password or another; an error is not retried."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            username=role,
            password=secret or password(role),
            retry=Retry(NoBackoff(), 0),
            socket_timeout=30,  # the machine may be busy
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
