"""Code as users write it: `mypy --strict` knows every type, and none is Any."""

from typing import Literal, assert_type

from emotion_streams import AsyncClient, CameraStatus, Client, EmotionEvent, Ledger, subscribe

Emotion = Literal[
    "fear", "anger", "happiness", "disgust", "contempt", "neutral", "sadness", "surprise"
]


def blocking() -> None:
    with Client("redis://localhost:6379") as client:
        assert_type(client, Client)
        for event in client.subscribe("lobby", after="start"):
            assert_type(event, EmotionEvent)
            for face in event.faces:
                assert_type(face.emotion, Emotion)
                assert_type(face.box.x, float)
        assert_type(client.cameras(), list[CameraStatus])
        assert_type(client.ledger("lobby"), Ledger)
        assert_type(client.ledger("lobby").balanced, bool)


async def waiting() -> None:
    async with AsyncClient("redis://localhost:6379") as client:
        async for event in client.subscribe(["lobby", "door"], after={"lobby": "1-0"}):
            assert_type(event, EmotionEvent)
        assert_type(await client.cameras(), list[CameraStatus])
        assert_type(await client.ledger("lobby"), Ledger)


def function() -> None:
    assert_type(next(subscribe("redis://localhost:6379")), EmotionEvent)
