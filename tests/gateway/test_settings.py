"""What the gateway refuses to start with."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.server import listen
from gateway.settings import GatewaySettings, check, is_loopback
from service.settings import resolve
from service.settings_file import InvalidSettingsError
from tests.gateway.processes import ROOT, Gateway
from tests.servers import PATIENCE_S, eventually, free_port

SECRET = "hunter2hunter"  # made up


def run(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *options],
        env={"PATH": "/usr/bin:/bin", **environment},
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_beyond_the_loopback_it_takes_a_token(host: str) -> None:
    with pytest.raises(InvalidSettingsError, match=f"token: required to listen on {host}"):
        check(resolve(GatewaySettings, {"host": host}, {}))
    check(resolve(GatewaySettings, {"host": host, "token": SECRET * 2}, {}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_on_the_loopback_it_needs_none(host: str) -> None:
    assert is_loopback(host)
    check(resolve(GatewaySettings, {"host": host}, {}))


def test_a_short_token_is_refused_in_one_line_that_does_not_repeat_it() -> None:
    ended = run(EMOTION_GATEWAY_TOKEN=SECRET)
    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway: token: shorter than 16")
    assert ended.stderr.count("\n") == 1
    assert SECRET not in ended.stderr


def test_a_client_that_takes_nothing_is_cut_off_by_the_kernel() -> None:
    """What connections inherit: little to send, and half a minute to take it."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            unread_ms = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            held = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            probed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle_s, every_s, probes = (
                connection.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
    assert unread_ms == 30_000
    assert probed, "also one that is sent nothing, and is gone without a word"
    assert idle_s + every_s * probes == 30
    assert held <= 512 << 10, "Linux doubles what it is asked for"


def test_a_token_from_a_file_may_end_with_a_line_break() -> None:
    settings = resolve(GatewaySettings, {"token": f"{SECRET * 2}\n"}, {})
    check(settings)
    assert settings.token == SECRET * 2
    ended = run(EMOTION_GATEWAY_TOKEN=f"{SECRET}\n{SECRET}")
    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway: token: contains a line break")


def test_an_invalid_proxy_address_is_named() -> None:
    ended = run("--trusted-proxies", "10.0.0.0/8, proxy.example")
    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway: trusted_proxies.1: ")
    assert "proxy.example" in ended.stderr


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for ended in (run("--port", str(port)), run("--port", "0", "--metrics-port", str(port))):
            assert ended.returncode == 2
            assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
            assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [("--token", SECRET * 2), (f"--token={SECRET * 2}",)])
def test_a_token_on_the_command_line_is_refused_and_not_repeated(options: tuple[str, ...]) -> None:
    ended = run(*options)
    assert ended.returncode == 2
    assert "EMOTION_GATEWAY_TOKEN" in ended.stderr
    assert SECRET not in ended.stderr


def test_a_password_in_the_url_of_redis_is_not_in_the_list_of_processes() -> None:
    """It starts, waits for a Redis that is not there, and shows *** to other users."""
    url = f"redis://reader:{SECRET}@127.0.0.1:{free_port()}"
    with Gateway(url, awaited="/healthz") as gateway:
        shown = Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes()
        assert b"redis://***@127.0.0.1" in shown
        assert SECRET.encode() not in shown
        eventually(lambda: "cannot read the cameras" in gateway.log())
        assert SECRET not in gateway.log()
