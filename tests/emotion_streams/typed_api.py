"""Code as users write it: `mypy --strict` knows every type, and none is Any."""

from datetime import UTC, datetime
from typing import Literal, assert_type

from emotion_streams import (
    AsyncClient,
    CameraState,
    CameraStatus,
    Client,
    EmotionEvent,
    Episode,
    Ledger,
    Minute,
    People,
    StreamId,
    read_minutes,
    subscribe,
    subscribe_episodes,
)

Emotion = Literal[
    "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise"
]


def blocking() -> None:
    with Client("redis://localhost:6379") as client:
        assert_type(client, Client)
        for event in client.subscribe("lobby", after="start"):
            assert_type(event, EmotionEvent)
            assert_type(StreamId.parse(event.frame_id), StreamId)
            assert_type(StreamId.parse(event.frame_id).ms, int)
            for face in event.faces:
                assert_type(face.emotion, Emotion)
                assert_type(face.box.x, float)
        for episode in client.subscribe_episodes("lobby", after="1795346599061-0"):
            assert_type(episode, Episode)
            assert_type(episode.emotion, Emotion | None)
            assert_type(episode.entry_id, str | None)
        for minute in client.read_minutes("lobby", start=datetime.now(UTC)):
            assert_type(minute, Minute)
            assert_type(minute.people, People | None)
        assert_type(list(client.read_episodes("lobby", 0, 60_000)), list[Episode])
        assert_type(client.cameras(), list[CameraStatus])
        assert_type([status.state for status in client.cameras()], list[CameraState])
        assert_type(client.ledger("lobby"), Ledger)
        assert_type(client.ledger("lobby").balanced, bool)


async def waiting() -> None:
    async with AsyncClient("redis://localhost:6379") as client:
        async for event in client.subscribe(["lobby", "door"], after={"lobby": "1-0"}):
            assert_type(event, EmotionEvent)
        async for episode in client.subscribe_episodes():
            assert_type(episode, Episode)
        assert_type([each async for each in client.read_minutes("lobby")], list[Minute])
        assert_type(await client.cameras(), list[CameraStatus])
        assert_type(await client.ledger("lobby"), Ledger)


def function() -> None:
    assert_type(next(subscribe("redis://localhost:6379")), EmotionEvent)
    assert_type(next(subscribe_episodes("redis://localhost:6379")), Episode)
    assert_type(next(read_minutes("redis://localhost:6379", "lobby")), Minute)
