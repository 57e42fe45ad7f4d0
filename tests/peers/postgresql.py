"""A real PostgreSQL (Debian's), a cluster of the test's own run by an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from tests.servers import eventually, free_port

PASSWORD = "p@ss/w0rd-Zq7"
_USER = "postgres"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    reason = "initdb is missing (Debian: apt install postgresql)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class PostgreSql:
    """A server on a port of its own; its files are in memory if the machine can."""

    def __init__(self) -> None:
        self._bin = _programs()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="es-postgresql-", dir=memory))
        self.port = free_port()
        # It refuses to run as root.
        self._user = _USER if os.geteuid() == 0 else None
        if self._user:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "--pgdata", "data", "--username", "emotion", "--auth", "scram-sha-256",
                  f"--pwfile={secret}", "--no-sync", "--encoding", "UTF8")  # fmt: skip
        self.start()
        self.execute("CREATE DATABASE faces", database="postgres")

    @property
    def url(self) -> str:
        """With `${PG_PASSWORD}` where the password belongs."""
        return f"postgresql://emotion:${{PG_PASSWORD}}@127.0.0.1:{self.port}/faces"

    def connect(self, database: str = "faces") -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="emotion", password=PASSWORD, dbname=database,
            autocommit=True,
        )  # fmt: skip

    def execute(self, query: str, *values: object, database: str = "faces") -> None:
        with self.connect(database) as connection:
            connection.execute(query.encode(), values or None)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                self._bin / "postgres", "-D", "data", "-p", str(self.port), "-F",
                "-c", "listen_addresses=127.0.0.1",
                "-c", f"unix_socket_directories={self.folder}",
            ],
            cwd=self.folder,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        eventually(self._answers)

    def _answers(self) -> bool:
        if code := self.process.poll():
            raise AssertionError(f"postgres ended with code {code}")
        with suppress(psycopg.OperationalError):
            self.connect("postgres").close()
            return True
        return False

    def kill(self) -> None:
        """End it and its processes at once, as a crash would."""
        # Each of its processes has a session of its own.
        children = _children(self.process.pid)
        self.process.kill()
        self.process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments], cwd=self.folder, user=self._user, check=True,
            capture_output=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in tasks.read_text().split()] if tasks.exists() else []
