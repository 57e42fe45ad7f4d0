"""Frames and events on the wire."""

import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams import EmotionEvent, Episode, Frame, MalformedMessageError, Minute
from emotion_streams.frames import MAX_FRAME_BYTES
from tests import samples


@given(samples.frames)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    assert Frame.unpack(frame.pack()) == frame


@given(samples.events)
def test_an_event_survives_the_wire(event: EmotionEvent) -> None:
    assert EmotionEvent.unpack(event.pack()) == event


@given(samples.episodes)
def test_an_episode_survives_the_wire(episode: Episode) -> None:
    assert Episode.unpack(episode.pack()) == episode


@given(samples.minutes)
def test_a_minute_survives_the_wire(minute: Minute) -> None:
    assert Minute.unpack(minute.pack()) == minute


def test_an_episode_knows_the_entry_that_it_was_read_from() -> None:
    episode = samples.episode("lobby")
    read = Episode.from_stream_entry("lobby", b"17-3", {b"episode": episode.pack()})
    assert read is not None
    assert read.entry_id == "17-3"
    assert Episode.from_stream_entry("hall", b"17-3", {b"episode": episode.pack()}) is None


def test_a_minute_under_another_id_than_its_start_is_ignored() -> None:
    minute = samples.minute("lobby", 1_700_000_040_000)
    fields = {b"minute": minute.pack()}
    assert Minute.from_stream_entry("lobby", b"1700000040000-0", fields) == minute
    assert Minute.from_stream_entry("lobby", b"1700000040000-1", fields) is None
    assert Minute.from_stream_entry("hall", b"1700000040000-0", fields) is None


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_names = st.sampled_from(
    [
        *vars(samples.frame()),
        *samples.event().to_dict(),
        *samples.episode().to_dict(),
        *samples.minute().to_dict(),
    ]
)


@given(
    st.binary() | _values.map(msgpack.packb) | st.dictionaries(_names, _values).map(msgpack.packb)
)
def test_anything_else_is_one_malformed_message(blob: bytes) -> None:
    for kind in (Frame, EmotionEvent, Episode, Minute):
        with pytest.raises(MalformedMessageError):
            kind.unpack(blob)


@given(samples.events | samples.episodes | samples.minutes, st.data())
def test_a_message_with_one_field_changed_parses_or_is_malformed(
    message: EmotionEvent | Episode | Minute, data: st.DataObject
) -> None:
    fields = message.to_dict()
    fields[data.draw(st.sampled_from(list(fields)))] = data.draw(_values)
    try:
        parsed = type(message).unpack(msgpack.packb(fields))
    except MalformedMessageError:
        return
    assert isinstance(parsed, type(message))


@pytest.mark.parametrize(
    "field", sorted(vars(samples.frame()).keys() - {"max_age_ms", "position_ms"})
)
def test_a_frame_that_lacks_a_field_is_malformed_and_says_which(field: str) -> None:
    fields = {"schema": 1, **vars(samples.frame())}
    del fields[field]
    with pytest.raises(MalformedMessageError, match=f"field {field} is missing"):
        Frame.unpack(msgpack.packb(fields))


def test_a_truncated_frame_is_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="not msgpack"):
        Frame.unpack(samples.frame().pack()[:-5])


def test_deep_nesting_is_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="not a map"):
        Frame.unpack(b"\x91" * 100_000)


def nested_lists(size: int) -> bytes:
    """Lists of 4,096 lists of 4,096 empty lists, of about this size: an object for each byte."""
    inner = b"\xdc\x10\x00" + b"\x90" * 4096
    count = size // len(inner)
    return b"\xdc" + count.to_bytes(2) + inner * count


def test_nested_containers_are_refused_before_they_are_built() -> None:
    frame = b"\x81\xa6schema" + nested_lists(15_900_000)
    event = b"\x81\xa6schema" + nested_lists(1_000_000)
    for kind, blob, most in ((Frame, frame, 40_000_000), (EmotionEvent, event, 10_000_000)):
        tracemalloc.start()
        try:
            with pytest.raises(MalformedMessageError) as refused:
                kind.unpack(blob)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < most
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize("nested", [[1], {"a": 1}, [[]], {"a": {}}])
def test_a_frame_holds_nothing_nested(nested: object) -> None:
    fields = {"schema": 1, **vars(samples.frame()), "more": nested}
    with pytest.raises(MalformedMessageError, match="not msgpack"):
        Frame.unpack(msgpack.packb(fields))


def test_bytes_after_a_frame_are_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="3 bytes after the map"):
        Frame.unpack(samples.frame().pack() + b"\x01\x02\x03")


@pytest.mark.parametrize("value", [b"x" * 900_000, "x" * 4_000, [1] * 4_000])
def test_an_error_does_not_spell_out_a_large_value(value: object) -> None:
    fields = {**samples.event().to_dict(), "captured_ms": value}
    with pytest.raises(MalformedMessageError) as refused:
        EmotionEvent.unpack(msgpack.packb(fields))
    assert len(str(refused.value)) < 150


def test_a_frame_over_the_limit_is_malformed_before_it_is_parsed() -> None:
    with pytest.raises(MalformedMessageError, match="the limit is"):
        Frame.unpack(b"\x00" * (MAX_FRAME_BYTES + 1))


def test_a_side_beyond_reason_is_malformed() -> None:
    with pytest.raises(MalformedMessageError, match="width"):
        Frame.unpack(samples.frame(width=100_000).pack())


@pytest.mark.parametrize("captured_ms", [-1, 2**62, 1.5e12, True])
def test_a_capture_time_of_which_no_date_can_be_made_is_malformed(captured_ms: object) -> None:
    for kind, fields in (
        (Frame, {"schema": 1, **vars(samples.frame())}),
        (EmotionEvent, samples.event().to_dict()),
    ):
        with pytest.raises(MalformedMessageError, match="captured_ms"):
            kind.unpack(msgpack.packb({**fields, "captured_ms": captured_ms}))


def test_a_later_schema_is_refused_rather_than_misread() -> None:
    fields = {"schema": 2, **vars(samples.frame())}
    with pytest.raises(MalformedMessageError, match="schema 2"):
        Frame.unpack(msgpack.packb(fields))


def test_fields_that_a_later_version_adds_are_ignored() -> None:
    fields = {**samples.event().to_dict(), "track": 7}
    assert EmotionEvent.unpack(msgpack.packb(fields)) == samples.event()


def test_an_unknown_emotion_is_malformed() -> None:
    fields = samples.event().to_dict()
    fields["faces"][0]["emotion"] = "boredom"
    with pytest.raises(MalformedMessageError, match="boredom"):
        EmotionEvent.unpack(msgpack.packb(fields))


def test_an_error_names_the_nested_field() -> None:
    fields = samples.event().to_dict()
    fields["faces"][0]["probabilities"]["fear"] = 2.0
    with pytest.raises(MalformedMessageError, match=r"faces\[0\]\.probabilities\.fear"):
        EmotionEvent.unpack(msgpack.packb(fields))
