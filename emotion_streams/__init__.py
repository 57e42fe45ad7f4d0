"""The wire contract of emotion-streams and the client for subscribers."""

from emotion_streams.cameras import CameraState, CameraStatus, list_cameras
from emotion_streams.client import AsyncClient, Client
from emotion_streams.connection import connect_async
from emotion_streams.emotions import EMOTIONS, Emotion, Label
from emotion_streams.episodes import EndReason, Episode, EpisodeType
from emotion_streams.events import EmotionEvent, Latency, Model
from emotion_streams.faces import Box, Face
from emotion_streams.fields import MalformedMessageError
from emotion_streams.frames import Frame
from emotion_streams.ledger import Ledger, Outcome, read_ledger
from emotion_streams.minutes import Minute, People
from emotion_streams.ranges import (
    read_episodes,
    read_episodes_async,
    read_minutes,
    read_minutes_async,
)
from emotion_streams.redis_url import InvalidRedisUrlError
from emotion_streams.stream_id import StreamId
from emotion_streams.subscribe import (
    NOW,
    START,
    subscribe,
    subscribe_async,
    subscribe_episodes,
    subscribe_episodes_async,
)

__version__ = "0.1.0"

__all__ = [
    "EMOTIONS",
    "NOW",
    "START",
    "AsyncClient",
    "Box",
    "CameraState",
    "CameraStatus",
    "Client",
    "Emotion",
    "EmotionEvent",
    "EndReason",
    "Episode",
    "EpisodeType",
    "Face",
    "Frame",
    "InvalidRedisUrlError",
    "Label",
    "Latency",
    "Ledger",
    "MalformedMessageError",
    "Minute",
    "Model",
    "Outcome",
    "People",
    "StreamId",
    "connect_async",
    "list_cameras",
    "read_episodes",
    "read_episodes_async",
    "read_ledger",
    "read_minutes",
    "read_minutes_async",
    "subscribe",
    "subscribe_async",
    "subscribe_episodes",
    "subscribe_episodes_async",
]
