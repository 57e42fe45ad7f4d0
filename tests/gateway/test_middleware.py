"""Who may ask, how often, how many at once; and what a browser may do with the answer."""

import base64
import ipaddress
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.datastructures import Headers

from gateway.api import API
from gateway.middleware import RateLimiter, client_address, host_name
from tests.gateway.clients import never_reading
from tests.gateway.feeder import register
from tests.gateway.processes import Gateway
from tests.servers import PATIENCE_S, RedisProcess, eventually

TOKEN = "correct horse battery Ståple"
RARELY = "0.001"
"""Requests a second: one, and no second one as long as any test lasts, however slow the machine."""
PATHS = [
    *(endpoint.path.format(name="lobby") for endpoint in API),
    *("/", "/static/main.js", "/static/nothing", "/nothing", "/metrics"),
]


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"visitor:{password}".encode()).decode()


@pytest.fixture(scope="module")
def locked(redis_server: RedisProcess) -> Iterator[Gateway]:
    with Gateway(redis_server.url, "--max-rate", "1000", token=TOKEN) as process:
        yield process


WRONG = [
    None,
    "Bearer",
    "Bearer wrong",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
    TOKEN,
    f"Token {TOKEN}",
    basic("wrong"),
    basic(""),
    "Basic !!!",
    "Basic " + base64.b64encode(TOKEN.encode()).decode(),
]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_answers(locked: Gateway, path: str) -> None:
    for wrong in WRONG:
        headers = {} if wrong is None else {"Authorization": wrong.encode()}
        answer = locked.get(path, headers=headers)
        assert answer.status_code == 401, (path, wrong)
        assert "token" in answer.json()["error"]
        assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(TOKEN)])
def test_the_token_opens_as_bearer_and_as_password(locked: Gateway, shown: str) -> None:
    headers = {"Authorization": shown.encode()}
    assert locked.get("/", headers=headers).status_code == 200
    assert locked.get("/api/cameras", headers=headers).status_code == 200


def test_healthz_answers_without_a_token(locked: Gateway) -> None:
    answer = locked.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_the_token_is_in_no_log(locked: Gateway) -> None:
    locked.get("/api/cameras", headers={"Authorization": f"Bearer {TOKEN}".encode()})
    assert "battery" not in locked.log()


@pytest.mark.parametrize("path", ["/", "/api/cameras", "/static/main.js", "/nothing"])
def test_every_answer_carries_the_security_headers(gateway: Gateway, path: str) -> None:
    headers = gateway.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_a_page_that_rebinds_its_name_to_the_loopback_reads_nothing(gateway: Gateway) -> None:
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "[::1", ""):
        answer = gateway.get("/api/cameras", headers={"Host": host})
        assert answer.status_code == 421, host
    for host in (f"localhost:{gateway.port}", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        assert gateway.get("/api/cameras", headers={"Host": host}).status_code == 200, host


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_nothing_can_be_changed(gateway: Gateway, method: str) -> None:
    answer = gateway.request(method, "/api/cameras", content=b"x" * 1000)
    assert answer.status_code == 405
    assert "error" in answer.json()


def test_a_head_request_for_a_stream_ends(gateway: Gateway) -> None:
    answer = gateway.request("HEAD", "/api/events/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_long_query_is_refused(gateway: Gateway) -> None:
    answer = gateway.get("/api/events/stream?after=" + "x" * 9000)
    assert answer.status_code == 414
    assert "8192" in answer.json()["error"]


def test_requests_beyond_the_rate_are_refused_and_healthz_is_not(
    redis_server: RedisProcess,
) -> None:
    with Gateway(redis_server.url, "--max-rate", RARELY) as gateway:
        answers = [gateway.get("/api/cameras") for _ in range(20)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200
        assert len(refused) == 19
        assert int(refused[0].headers["retry-after"]) >= 1
        assert "too many requests" in refused[0].json()["error"]
        assert gateway.get("/healthz").status_code == 200


def test_the_page_s_files_do_not_count_but_for_those_who_guess_the_token(
    redis_server: RedisProcess,
) -> None:
    right, wrong = {"Authorization": f"Bearer {'x' * 20}"}, {"Authorization": "Bearer guess"}
    with Gateway(redis_server.url, "--max-rate", RARELY, token="x" * 20) as gateway:
        answers = [gateway.get("/static/main.js", headers=right) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert gateway.get("/api/cameras", headers=right).status_code == 200
        guesses = [gateway.get("/static/main.js", headers=wrong).status_code for _ in range(3)]
        assert guesses == [401, 429, 429]


def test_a_client_that_guesses_the_token_locks_no_other_out(redis_server: RedisProcess) -> None:
    """As strangers behind the same proxy do: they come from the same address."""
    right, wrong = {"Authorization": f"Bearer {'x' * 20}"}, {"Authorization": "Bearer guess"}
    with Gateway(redis_server.url, "--max-rate", RARELY, token="x" * 20) as gateway:
        guesses = [gateway.get("/", headers=wrong).status_code for _ in range(20)]
        assert guesses == [401] + [429] * 19
        assert [gateway.get("/nothing").status_code for _ in range(20)] == [401] * 20
        assert gateway.get("/api/cameras", headers=right).status_code == 200


def test_behind_a_trusted_proxy_each_client_has_a_rate_of_its_own(
    redis_server: RedisProcess,
) -> None:
    options = ("--max-rate", RARELY, "--trusted-proxies", "127.0.0.1,10.0.0.0/8")

    def ask(forwarded_for: str) -> int:
        headers = {"X-Forwarded-For": forwarded_for}
        return gateway.get("/api/cameras", headers=headers).status_code

    with Gateway(redis_server.url, *options) as gateway:
        # What a client claims before the proxies' word changes nothing.
        first = [ask(f"192.0.2.{n}, 198.51.100.1, 10.0.0.9") for n in range(20)]
        assert first == [200] + [429] * 19
        assert ask("198.51.100.2, 10.0.0.9") == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7, 198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:40001"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2:443"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:40001"], "2001:db8::7"),
        ("10.0.0.1", ['"[2001:db8::7]"'], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8:0::7"], "2001:db8::7"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["unknown, 10.0.0.2"], "10.0.0.2"),
        ("unix", ["198.51.100.1"], "unix"),
    ],
)
def test_the_address_of_a_client_behind_proxies(
    peer: str, forwarded: list[str], client: str
) -> None:
    raw = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    proxies = [ipaddress.ip_network("10.0.0.0/8")]
    assert client_address({"client": (peer, 1)}, Headers(raw=raw), proxies) == client


@pytest.mark.parametrize("said", [b"GET /\xff HTTP/1.1", b"GET /?a=\xff HTTP/1.1", b"\x16\x03\x01"])
def test_an_invalid_request_is_refused_like_all_others(gateway: Gateway, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        client.sendall(said + b"\r\nHost: localhost\r\n\r\n")
        head, _, body = b"".join(iter(lambda: client.recv(4096), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/json" in head.lower()
    assert b"content-security-policy: default-src 'none'" in head.lower()
    assert isinstance(json.loads(body)["error"], str)


def test_streams_beyond_the_limit_are_refused_until_one_ends(
    redis_server: RedisProcess, store: Any
) -> None:
    register(store, "limit")
    with Gateway(redis_server.url, "--max-clients", "2") as gateway, ExitStack() as streams:

        def open_stream() -> socket.socket:
            return streams.enter_context(never_reading(gateway.port, "/api/events/stream"))

        first, _ = open_stream(), open_stream()
        eventually(lambda: gateway.metric("emotion_gateway_streams") == 2)
        answer = gateway.get("/api/events/stream")
        assert answer.status_code == 503
        assert "too many clients" in answer.json()["error"]
        first.close()
        eventually(lambda: gateway.metric("emotion_gateway_streams") == 1)
        open_stream()
        eventually(lambda: gateway.metric("emotion_gateway_streams") == 2)


def test_addresses_of_one_ipv6_network_share_a_rate() -> None:
    limiter = RateLimiter(0.5, clock=lambda: 0.0)
    assert limiter.wait_s("2001:db8::1") == 0
    assert limiter.wait_s("2001:db8::2") > 0
    assert limiter.wait_s("2001:db8:0:1::1") == 0
    assert limiter.wait_s("::ffff:192.0.2.1") == 0
    assert limiter.wait_s("192.0.2.1") > 0, "the same client, by a socket for both"


def test_the_rate_limiter_lets_a_burst_pass_and_then_the_rate() -> None:
    now = [0.0]
    limiter = RateLimiter(10, clock=lambda: now[0])
    assert [limiter.wait_s("a") == 0 for _ in range(21)] == [True] * 20 + [False]
    assert limiter.wait_s("a") == pytest.approx(0.1)
    assert limiter.wait_s("b") == 0, "another address has its own bucket"
    now[0] = 0.1
    assert limiter.wait_s("a") == 0
    assert limiter.wait_s("a") > 0


@pytest.mark.parametrize(
    ("host", "name"), [("a:80", "a"), ("[::1]:80", "::1"), ("A", "a"), ("[", ""), ("", "")]
)
def test_the_name_in_a_host_header(host: str, name: str) -> None:
    assert host_name(host) == name
