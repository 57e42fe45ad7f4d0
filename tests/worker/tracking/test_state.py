import math
import struct
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams.fields import MalformedMessageError
from tests.worker.tracking.walk import Walk, rows, sighting
from worker.tracking import TrackingState, close_minute, close_silent
from worker.tracking.constants import MAX_DWELLS, MAX_STATE_BYTES, MAX_TRACKS
from worker.tracking.state import SCHEMA


@pytest.fixture
def busy() -> TrackingState:
    """Two people, one of whom is happy, a candidate, and a minute under way."""
    walk = Walk()
    walk.frames(0, 2_000, (0.0, "happiness"), (300.0, None))
    walk.frame(2_000, (0.0, "happiness"), (300.0, None), (600.0, "anger"))
    return walk.state


def test_an_empty_state_is_closed_and_goes_through() -> None:
    state = TrackingState.empty("door")
    assert not state.is_open
    assert TrackingState.unpack("door", state.pack()) == state


def test_a_state_is_open_while_a_track_or_a_minute_is() -> None:
    walk = Walk()
    walk.frames(0, 1_000, (0.0, None))
    assert walk.state.is_open
    walk.take(close_silent(walk.state, walk.policy))
    assert walk.state.is_open, "the minute is"
    walk.take(close_minute(walk.state, 2**42, walk.policy))
    assert not walk.state.is_open


def test_a_busy_state_goes_through(busy: TrackingState) -> None:
    assert len(busy.people) == 2
    assert len(busy.tracks.items) == 3
    assert TrackingState.unpack("door", busy.pack()) == busy


def test_sixty_four_tracks_fit_with_room_to_spare() -> None:
    walk = Walk()
    for n in range(8):
        faces = [sighting(150.0 * x) for x in range(100)]
        walk.see(100 * n, faces, rows(["happiness"] * 100))
    assert len(walk.state.people) == MAX_TRACKS
    assert all(person.showing for person in walk.state.people)
    state = replace(walk.state, minute=walk.state.minute._replace(dwells=(60_000,) * MAX_DWELLS))
    assert len(state.pack()) < 0.75 * MAX_STATE_BYTES
    assert len(walk.state.pack()) / MAX_TRACKS < 600
    assert TrackingState.unpack("door", state.pack()) == state


def test_the_state_of_a_newer_worker_or_of_another_camera_is_refused(busy: TrackingState) -> None:
    fields = msgpack.unpackb(busy.pack())
    with pytest.raises(MalformedMessageError, match=f"schema {SCHEMA + 1}"):
        TrackingState.unpack("door", msgpack.packb(fields | {"schema": SCHEMA + 1}))
    with pytest.raises(MalformedMessageError, match="another camera"):
        TrackingState.unpack("gate", busy.pack())


def test_a_field_that_a_later_worker_adds_is_ignored(busy: TrackingState) -> None:
    fields = msgpack.unpackb(busy.pack())
    fields["new"] = fields["tracks"][0]["new"] = fields["minute"]["new"] = 1
    assert TrackingState.unpack("door", msgpack.packb(fields)) == busy


def test_a_state_of_an_older_worker_is_gone_on_with(busy: TrackingState) -> None:
    """It does not say how many people were in view at once: one at least, if a track was."""
    for state, known in ((busy, 1), (TrackingState.empty("door"), 0)):
        fields = msgpack.unpackb(state.pack())
        del fields["minute"]["people_max"]
        minute = state.minute._replace(people_max=known)
        assert TrackingState.unpack("door", msgpack.packb(fields)) == replace(state, minute=minute)


@given(blob=st.binary(max_size=200))
def test_garbage_is_refused(blob: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        TrackingState.unpack("door", blob)


@given(data=st.data())
def test_a_damaged_state_is_refused_or_can_be_gone_on_with(data: st.DataObject) -> None:
    """A state that is accepted packs again, closes, and makes records that readers accept."""
    walk = Walk()
    walk.frames(0, 2_000, (0.0, "happiness"), (300.0, None))
    blob = bytearray(walk.state.pack())
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        state = TrackingState.unpack("door", bytes(blob))
    except MalformedMessageError:
        return
    assert TrackingState.unpack("door", state.pack()) == state
    walk.state = state
    for n in range(3):
        walk.frame(2_100 + 100 * n, (0.0, "anger"))
    step = walk.take(close_silent(walk.state, walk.policy))
    for episode in step.episodes:
        episode.pack()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_numbers_that_would_spoil_every_later_one_are_refused(
    bad: float, busy: TrackingState
) -> None:
    fields = msgpack.unpackb(busy.pack())
    for name, at in (("track", -8), ("person", -40), ("person", -8 * 8 - 32), ("showing", -8)):
        blob = fields["tracks"][0][name]
        end = len(blob) + at + 8
        broken = blob[: len(blob) + at] + struct.pack("<d", bad) + blob[end:]
        tracks = [fields["tracks"][0] | {name: broken}, *fields["tracks"][1:]]
        with pytest.raises(MalformedMessageError, match=name):
            TrackingState.unpack("door", msgpack.packb(fields | {"tracks": tracks}))


def test_a_track_that_was_seen_after_the_last_frame_is_refused(busy: TrackingState) -> None:
    """A negative time since then would overflow the average."""
    fields = msgpack.unpackb(busy.pack())
    with pytest.raises(MalformedMessageError, match="after the last frame"):
        TrackingState.unpack("door", msgpack.packb(fields | {"clock_ms": 1_000}))


def test_an_id_that_is_there_twice_is_refused(busy: TrackingState) -> None:
    fields = msgpack.unpackb(busy.pack())
    with pytest.raises(MalformedMessageError, match="twice"):
        TrackingState.unpack("door", msgpack.packb(fields | {"tracks": fields["tracks"] * 2}))
