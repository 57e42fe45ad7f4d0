"""Ids of stream entries: as Redis writes and orders them."""

from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams import StreamId
from emotion_streams.stream_id import MAX_NUMBER, ZERO

NUMBERS = st.integers(0, MAX_NUMBER)
LARGEST = f"{MAX_NUMBER}-{MAX_NUMBER}"


@given(NUMBERS, NUMBERS)
def test_an_id_survives_its_text(ms: int, number: int) -> None:
    text = f"{ms}-{number}"
    assert StreamId.parse(text) == StreamId(ms, number)
    assert str(StreamId(ms, number)) == f"{StreamId(ms, number)}" == text


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "5", "5-", "-5", "-5-0", "5--1", "1-2-3", "+1-0", "1-+0", " 1-0", "1-0 ", "1-0\n",
        "1_0-0", "1.0-0", "0x1-0", "\u0663-0", "1-\u00b2", "*", "$", "+", "1-*", "(1-0", "now",
        f"{MAX_NUMBER + 1}-0", f"0-{MAX_NUMBER + 1}", f"{'0' * 20}1-0", "9" * 5000 + "-0",
    ],
)  # fmt: skip
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an id such as 1700000000000-0"):
        StreamId.parse(text)


def test_ids_compare_as_numbers() -> None:
    texts = ["10-0", "9-10", "9-9", LARGEST, "0-0"]
    ordered = sorted(map(StreamId.parse, texts))
    assert list(map(str, ordered)) == ["0-0", "9-9", "9-10", "10-0", LARGEST]
    assert ordered[0] == ZERO


def test_redis_has_the_same_order_and_the_same_limits(client: redis.Redis) -> None:
    texts = ["0-1", f"0-{MAX_NUMBER}", "9-9", "9-10", "10-0", LARGEST]
    for text in texts:
        client.xadd("ids", {"field": 1}, id=text)
    entries: Any = client.xrange("ids")
    found = [StreamId.parse(entry_id.decode()) for entry_id, _ in entries]
    assert found == sorted(found)
    assert list(map(str, found)) == texts
    with pytest.raises(redis.ResponseError, match="Invalid stream ID"):
        client.xadd("larger", {"field": 1}, id=f"{MAX_NUMBER + 1}-0")
    with pytest.raises(redis.ResponseError, match="must be greater than 0-0"):
        client.xadd("larger", {"field": 1}, id=str(ZERO))
