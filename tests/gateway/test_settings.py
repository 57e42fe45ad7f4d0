"""What the gateway refuses to start with."""

import socket
import subprocess
import sys

import pytest

from tests.gateway.processes import ROOT

SECRET = "hunter2hunter"


def run(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *options],
        env={"PATH": "/usr/bin:/bin", **environment},
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_beyond_the_loopback_it_takes_a_token(host: str) -> None:
    ended = run("--host", host)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"gateway: token: listening on {host}")
    assert ended.stderr.count("\n") == 1


def test_a_short_token_is_refused_and_not_repeated() -> None:
    ended = run(EMOTION_GATEWAY_TOKEN=SECRET)
    assert ended.returncode == 2
    assert "shorter than 16" in ended.stderr
    assert SECRET not in ended.stderr


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port))
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_an_unknown_setting_is_named() -> None:
    ended = run("--colour", "blue")
    assert ended.returncode == 2
    assert "--colour" in ended.stderr
