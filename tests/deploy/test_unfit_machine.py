"""The launcher on a machine that does not suit it: one line, before or instead of a traceback."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import plan
from deploy.local import main
from deploy.plan import PortUnavailableError, choose_port
from tests import samples
from tests.faults.processes import Running
from tests.homeless import HOMELESS, require_homeless
from tests.servers import PATIENCE_S, RedisProcess, free_port

ROOT = Path(__file__).parents[2]
WITHOUT_FILES = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")
"""What a command runs behind that can write no file, and so finds no temporary folder."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of the loopback on which a process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.jpg").write_bytes(samples.jpeg(320, 240))
    return folder


def test_a_port_that_is_in_use_is_said_before_anything_starts(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    started = tmp_path / "started"
    server = tmp_path / "valkey-server"
    server.write_text(f"#!/bin/sh\n: >{started}\n")
    server.chmod(0o755)
    with pytest.raises(SystemExit) as ended:
        main(["--port", str(taken)])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err == f"run: port {taken} is in use: choose another with --port\n"
    assert not started.exists()


def test_without_a_given_port_any_free_one_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "DEFAULT_PORT", taken)
    assert choose_port(None) not in (0, taken)


def test_the_port_of_an_instance_that_has_just_ended_is_free() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        socket.create_connection(("127.0.0.1", port)),
    ):
        listener.accept()[0].close()  # as the side that closes first it keeps the port for long
    assert choose_port(str(port)) == port


def test_a_port_that_this_user_may_not_use_is_said() -> None:
    require_homeless()
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first < 2:
        pytest.skip("every user may listen on every port here")
    command = (*HOMELESS, sys.executable, "-m", "deploy.local", "--port", str(first - 1))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    reason = "cannot be used (Permission denied): choose another with --port"
    assert done.stderr == f"run: port {first - 1} {reason}\n"


def test_a_given_port_that_is_free_is_used(taken: int) -> None:
    port = free_port()
    assert choose_port(str(port)) == port
    with pytest.raises(PortUnavailableError):
        choose_port(str(taken))


def test_without_any_temporary_folder_it_says_so_in_one_line() -> None:
    command = (*WITHOUT_FILES, sys.executable, "-m", "deploy.local")
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("run: no folder for the Redis server: ")
    assert "Set TMPDIR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_with_a_server_that_was_given_no_temporary_folder_is_needed(pictures: Path) -> None:
    with RedisProcess() as server:
        options = ("--source", str(pictures), "--redis", server.url)
        command = (*WITHOUT_FILES, sys.executable, "-m", "deploy.local", *options)
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all frames analysed: 2 frames" in done.stderr


def test_a_temporary_folder_that_is_read_only_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/self")  # as if it had become so
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith("run: no folder for the Redis server: ")
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_process_that_cannot_be_started_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert main([]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("run: worker: process could not be started: ")
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_user_without_a_home_folder_runs_it(tmp_path: Path, pictures: Path) -> None:
    require_homeless()
    options = ("--source", str(pictures), "--camera", "lobby")
    with Running(tmp_path, "deploy.local", *options, behind=HOMELESS) as launcher:
        assert launcher.wait(PATIENCE_S) == 0, launcher.logged()
    assert "all frames analysed: 2 frames" in launcher.logged()
    assert "Traceback" not in launcher.logged()
