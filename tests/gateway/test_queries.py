"""Any query gets an answer, or a 4xx that says what is wrong. Never a 500."""

import string
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emotion_streams import EMOTIONS
from emotion_streams.stream_id import MAX_NUMBER, StreamId
from gateway import cursor
from gateway.api import API
from gateway.cursor import Positions
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess, eventually

NAMES = sorted({name for endpoint in API for name in endpoint.query.model_fields})
VALUES = st.one_of(
    st.text(max_size=60),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        [
            *EMOTIONS, "start", "now", "csv", "jsonl", "fuzz", "1-1", "0-0", "1-", "-1", "$",
            "+", "(1", "\uff11",
            f"{2**63}-{2**63}", f"{2**64}-0", "2026-01-01", "2026-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1e999", "NaN", "\x00",
        ]
    ),
)  # fmt: skip
QUERIES = st.lists(
    st.tuples(st.one_of(st.sampled_from([*NAMES, "from", "to"]), st.text(max_size=8)), VALUES),
    max_size=5,
)
PATHS = [e.path for e in API]
SEGMENTS = st.one_of(st.just("fuzz"), st.text(max_size=80), st.text(string.printable, max_size=20))


@pytest.fixture(scope="module")
def fuzzed(gateway: Gateway, redis_server: RedisProcess) -> Gateway:
    import redis

    with redis.Redis(unix_socket_path=str(redis_server.socket)) as store:
        register(store, "fuzz")
        for n in range(5):
            publish(store, event("fuzz", now_ms() + n, face()))
    eventually(lambda: '"fuzz"' in gateway.get("/api/cameras").text)
    return gateway


def check(answer: httpx.Response) -> None:
    if answer.status_code == 200:
        return
    assert 400 <= answer.status_code < 500, answer.status_code
    answer.read()
    assert isinstance(answer.json()["error"], str), answer.text


@pytest.mark.parametrize("path", [path for path in PATHS if not path.endswith("frame.jpg")])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(query=QUERIES, segment=SEGMENTS)
@example(query=[("limit", "0")], segment="fuzz")
@example(query=[("after", "1-1"), ("after", "1-1")], segment="fuzz")
def test_no_query_makes_the_gateway_fail(
    fuzzed: Gateway, path: str, query: list[tuple[str, str]], segment: str
) -> None:
    text = "&".join(f"{quote(name)}={quote(value, errors='replace')}" for name, value in query)
    url = path.replace("{name}", quote(segment, safe="")) + "?" + text
    with fuzzed.stream(url) as answer:
        check(answer)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=60))
def test_no_bytes_in_the_query_make_the_gateway_fail(fuzzed: Gateway, raw: bytes) -> None:
    text = "".join(chr(byte) if chr(byte).isalnum() else f"%{byte:02X}" for byte in raw)
    check(fuzzed.get(f"/api/cameras/fuzz/events?{text}"))
    check(fuzzed.get(f"/api/cameras/fuzz/events?after={text}"))
    check(fuzzed.get(f"/{text}"))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=0", "limit: "),
        ("limit=1001", "limit: "),
        ("limit=1&limit=2", "limit: given more than once"),
        ("emotion=joy", "emotion: Input should be 'fear', 'anger'"),
        ("after=yesterday", "after: "),
        ("colour=blue", "colour: unknown parameter"),
    ],
)
def test_a_wrong_parameter_is_named(fuzzed: Gateway, query: str, reason: str) -> None:
    answer = fuzzed.get(f"/api/cameras/fuzz/events?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(reason)


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "soon", "-5", "1" * 16, ""])
def test_a_time_without_a_meaning_is_refused(fuzzed: Gateway, moment: str) -> None:
    answer = fuzzed.get("/api/cameras/fuzz/export", params={"from": moment})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("from: must be Unix milliseconds")


camera_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)
numbers = st.integers(0, MAX_NUMBER)


stream_ids = st.builds(StreamId, numbers, numbers)


@given(st.dictionaries(camera_names, st.tuples(stream_ids, stream_ids), max_size=20))
def test_positions_survive_the_way_through_a_client(found: dict[str, Any]) -> None:
    positions = Positions(
        {camera: event for camera, (event, _) in found.items()},
        {camera: episode for camera, (_, episode) in found.items()},
    )
    assert cursor.parse(cursor.format_positions(positions)) == positions


def test_a_position_of_very_many_cameras_is_bounded() -> None:
    text = cursor.format_positions(Positions({f"camera-{n}": StreamId(n, 0) for n in range(1000)}))
    kept = cursor.parse(text).emotion
    assert len(kept) == cursor.MAX_CAMERAS
    assert min(kept.values()) == (1000 - cursor.MAX_CAMERAS, 0), "those furthest behind are out"


def test_the_longest_position_is_accepted() -> None:
    names = [f"{n:063d}" for n in range(cursor.MAX_CAMERAS)]
    far = dict.fromkeys(names, StreamId(MAX_NUMBER, MAX_NUMBER))
    assert len(cursor.format_positions(Positions(far, far))) <= cursor.MAX_CHARACTERS


def test_the_place_of_an_event_alone_is_that_of_the_episodes_since_its_capture() -> None:
    assert cursor.parse("lobby=7-1") == Positions(
        {"lobby": StreamId(7, 1)}, {"lobby": StreamId(7, 0)}
    )


@given(st.text(max_size=100))
def test_any_other_text_is_not_a_position(text: str) -> None:
    try:
        found = cursor.parse(text)
    except ValueError:
        return
    assert cursor.parse(cursor.format_positions(found)) == found
