"""Redis URLs."""

import subprocess
import time
from collections.abc import Iterator

import pytest
import redis

from deploy.redis_server import find_server
from emotion_streams.backoff import is_permanent
from emotion_streams.connection import connect, connect_async
from emotion_streams.redaction import MAX_TEXT, redact, redact_url, register_secret, short_message
from emotion_streams.redis_url import InvalidRedisUrlError, RedisUrl, parse_url
from tests.servers import RedisProcess, eventually, free_port


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("redis://box", RedisUrl("redis", (("box", 6379),), "", "", 0, {})),
        ("redis://box:1/3", RedisUrl("redis", (("box", 1),), "", "", 3, {})),
        (
            "rediss://u:p%40x@box?ssl_ca_certs=/ca.pem",
            RedisUrl(
                "redis",
                (("box", 6379),),
                "",
                "",
                0,
                {"ssl": True, "username": "u", "password": "p@x", "ssl_ca_certs": "/ca.pem"},
            ),
        ),
        ("unix:///run/redis.sock", RedisUrl("unix", (), "/run/redis.sock", "", 0, {})),
        (
            "unix://u:p@/run/redis.sock",
            RedisUrl("unix", (), "/run/redis.sock", "", 0, {"username": "u", "password": "p"}),
        ),
        ("redis://box?db=3", RedisUrl("redis", (("box", 6379),), "", "", 3, {})),
        ("unix:///run/redis.sock?db=2", RedisUrl("unix", (), "/run/redis.sock", "", 2, {})),
        (
            "rediss://box?ssl_cert_reqs=none",
            RedisUrl("redis", (("box", 6379),), "", "", 0, {"ssl": True, "ssl_cert_reqs": "none"}),
        ),
        (
            "redis+cluster://a:1,b:2,c",
            RedisUrl("redis+cluster", (("a", 1), ("b", 2), ("c", 6379)), "", "", 0, {}),
        ),
        (
            "redis+sentinel://:secret@a,b:5/mymaster/2",
            RedisUrl(
                "redis+sentinel",
                (("a", 26379), ("b", 5)),
                "",
                "mymaster",
                2,
                {"password": "secret"},
            ),
        ),
    ],
)
def test_each_kind_of_url_is_understood(url: str, parsed: RedisUrl) -> None:
    assert parse_url(url, {}) == parsed


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "http://box", "redis://", "redis://box:x", "redis://box/x",
     "redis+sentinel://box", "redis+cluster://a,,b", "unix://run/redis.sock", "unix://",
     "redis://box/-1", "redis://box?db=x", "redis://box?db=-1", "redis+cluster://a:1/3",
     "redis+cluster://a?db=3", "redis://box?pasword=x", "redis://box?ssl_ca_certs=/ca.pem",
     "rediss://box?ssl_cert_reqs=maybe", "redis://box?db=1&colour=red", "redis://box?colour",
     "redis://caf\udce9"],
)  # fmt: skip
def test_an_invalid_redis_url_is_one_clear_error(url: str) -> None:
    with pytest.raises(InvalidRedisUrlError, match="not a Redis URL"):
        parse_url(url, {})


def test_credentials_come_from_the_environment_when_the_url_has_none() -> None:
    environ = {"EMOTION_REDIS_USERNAME": "worker", "EMOTION_REDIS_PASSWORD": "pw"}
    assert parse_url("redis://box", environ).options == {"username": "worker", "password": "pw"}
    assert parse_url("redis://me:mine@box", environ).options["password"] == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "redis://user:hunter2@box:6379",
        "cannot open rtsp://admin:hunter2@10.0.0.5/stream: refused",
        "rtsp://admin:hunter2@at@10.0.0.5/x and rtsp://b:hunter2@c/",
        "http://cam/video?user=a&password=hunter2&fps=5",
        "http://cam/video?token=hunter2",
        "http://cam/videostream.cgi?loginuse=admin&loginpas=hunter2",
        "http://cam/video?p=hunter2",
        "https://cam/video?fps=5;sig=hunter2: refused",
        "rtsp://cam/video?hunter2",
        "http://cam/video#token=hunter2",
        "redis+sentinel://:hunter2@a,b/mymaster",
        "rtsp://joe:hunter2/with/slashes@camera/x",
        "rtsp://camera/user=joe_password=hunter2_channel=1",
    ],
)
def test_no_password_survives_redaction(text: str) -> None:
    assert "hunter2" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "/key" * 4_000,
        "/key" * 1_000_000,
        "a://" * 100_000,
        "a" * 100_000,
        "a=" * 100_000,
        "/key='" * 100_000,
        "http://?" * 100_000,
        " :" * 100_000,
        "<redis.<" * 100_000,
        "<redis.>" * 100_000,
        "rtsp://joe:hunter2" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_of_strangers_takes_long_to_redact(text: str) -> None:
    began = time.thread_time()
    shown = [redact(text), redact_url(text), short_message(OSError(text))]
    assert time.thread_time() - began < 1.5  # it was minutes, and takes a tenth
    assert all(len(one) < 2 * MAX_TEXT for one in shown)


def test_no_password_survives_when_a_long_text_is_cut() -> None:
    register_secret("hunter2-registered")
    for start in range(MAX_TEXT - 60, MAX_TEXT + 5):
        for secret in ("rtsp://joe:hunter2@camera/x", "?token=hunter2", "hunter2-registered"):
            cut = redact(f"{'word ' * MAX_TEXT}"[:start] + secret + " and more" * 9)
            assert "hunt" not in cut
            assert cut.startswith("word word")
            assert len(cut) < MAX_TEXT + 3


@pytest.mark.parametrize(
    "text", ["redis://box:6379/0", "mail me@example.org", "http://cam/video.mjpg"]
)
def test_a_text_without_a_secret_is_unchanged(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "argument",
    [
        "rtsp://joe:has blanks hunter2@camera/x",
        "rtsp://joe:it's hunter2@camera/x",
        '--source=rtsp://joe:"hunter2"@camera/x',
        "redis://:has blanks hunter2@box",
        "http://camera/x?pw=has blanks hunter2",
    ],
)
def test_a_text_that_is_one_url_is_redacted_for_any_password(argument: str) -> None:
    assert "hunter2" not in redact_url(argument)
    assert redact_url(argument).startswith(argument.partition("://")[0])
    assert redact_url("--source=clip.mp4") == "--source=clip.mp4"


def test_an_error_about_a_url_does_not_show_its_password() -> None:
    with pytest.raises(InvalidRedisUrlError) as caught:
        parse_url("redis://user:hunter2@box:port", {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "names"), [("?pasword=hunter2", "pasword"), ("?db=hunter2", "database")]
)
def test_an_unsupported_parameter_of_a_url_is_named(query: str, names: str) -> None:
    with pytest.raises(InvalidRedisUrlError, match=names):
        parse_url(f"redis://box{query}", {})


def test_a_database_is_taken_over_a_socket_too() -> None:
    with RedisProcess() as server:
        for number in (0, 2):
            with connect(f"unix://{server.socket}?db={number}") as client:
                assert client.get("x") is None
                client.set("x", number)


def test_a_connection_over_tcp_and_over_a_socket_reaches_the_same_server() -> None:
    with RedisProcess(port=free_port()) as server:
        with connect(server.url) as over_tcp:
            over_tcp.set("x", "1")
        with connect(f"unix://{server.socket}") as over_socket:
            assert over_socket.get("x") == b"1"


@pytest.fixture
def sentinel() -> Iterator[str]:
    """`host:port` of a sentinel that wants a password of its own, and watches `cameras`."""
    port = free_port()
    with RedisProcess(port=free_port()) as server:
        config = server.folder / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {server.folder}\nrequirepass watchers\n"
            f"sentinel monitor cameras 127.0.0.1 {server.port} 1\n"
        )
        process = subprocess.Popen(
            [str(find_server()), str(config), "--sentinel"], stdout=subprocess.DEVNULL
        )
        try:
            with redis.Redis(port=port, password="watchers") as client:
                eventually(lambda: _answers(client))
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


@pytest.mark.parametrize("where", ["the environment", "the URL"])
async def test_sentinels_may_have_a_password_of_their_own(
    sentinel: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis+sentinel://{sentinel}/cameras"
    if where == "the URL":
        url += "?sentinel_password=watchers"
    else:
        monkeypatch.setenv("EMOTION_REDIS_SENTINEL_PASSWORD", "watchers\n")
    async with connect_async(url) as client_async:
        assert await client_async.ping()
    with connect(url) as client:
        assert client.ping()


@pytest.mark.parametrize("password", ["", "?sentinel_password=wrong-pw"])
async def test_a_sentinel_that_refuses_is_named_with_its_reason(
    sentinel: str, password: str
) -> None:
    url = f"redis+sentinel://{sentinel}/cameras{password}"
    async with connect_async(url) as client_async:
        with pytest.raises(redis.exceptions.ConnectionError) as failed:
            await client_async.ping()
    with connect(url) as client, pytest.raises(redis.exceptions.ConnectionError) as as_well:
        client.ping()
    for caught in (failed, as_well):
        assert f"{sentinel} - auth:AuthenticationError" in short_message(caught.value)
        assert "<redis" not in short_message(caught.value)
        assert "wrong-pw" not in short_message(caught.value)
        assert is_permanent(caught.value)


def test_a_line_break_at_the_end_of_a_password_is_not_part_of_it() -> None:
    environ = {"EMOTION_REDIS_USERNAME": "worker\n", "EMOTION_REDIS_PASSWORD": "p w\r\n\n"}
    assert parse_url("redis://box", environ).options == {"username": "worker", "password": "p w"}
    assert parse_url("redis://me:mine%0A@box", environ).options["password"] == "mine"
