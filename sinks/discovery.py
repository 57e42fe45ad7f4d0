"""Home Assistant's MQTT discovery: one message that describes a camera as a device."""

import json
import re
import zlib
from typing import Any, Final

import emotion_streams
from emotion_streams import EMOTIONS, EpisodeType
from emotion_streams.emotions import UNCERTAIN

EVENT_TYPES: Final = {
    EpisodeType.FACE_ENTERED: "face_entered",
    EpisodeType.FACE_LEFT: "face_left",
    EpisodeType.EMOTION_STARTED: "emotion_started",
    EpisodeType.EMOTION_ENDED: "emotion_ended",
}
"""The types of episodes that are events in Home Assistant, with their names there."""


def config_topic(prefix: str, base: str, camera: str) -> str:
    """Return the topic of the camera's discovery message."""
    return f"{prefix}/device/{device_id(base, camera)}/config"


def device_id(base: str, camera: str) -> str:
    """Return the device's id: letters, digits, `_` and `-` only, different for each camera."""
    plain = f"{base}/{camera}"
    text = re.sub(r"[^A-Za-z0-9_]", "_", plain)
    # Names that differ only in what was replaced need another difference.
    unambiguous = re.fullmatch(r"[A-Za-z0-9]+", camera) and base == "emotion-streams"
    return text if unambiguous else f"{text}_{zlib.crc32(plain.encode()):08x}"


def config(base: str, camera: str) -> bytes:
    """Return the discovery message of a camera, whose topics are below `base`."""
    device = device_id(base, camera)
    version = emotion_streams.__version__
    message = {
        "dev": {
            "ids": [device],
            "name": camera,
            "mf": "emotion-streams",
            "mdl": "camera",
            "sw": version,
        },
        "o": {"name": "emotion-streams", "sw": version},
        "cmps": _components(device, base, camera),
        "availability": [{"topic": f"{base}/status"}, {"topic": f"{base}/{camera}/status"}],
        "availability_mode": "all",
        "qos": 1,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def _components(device: str, base: str, camera: str) -> dict[str, dict[str, Any]]:
    """Return the entities of the device."""
    state = f"{base}/{camera}/state"

    def component(platform: str, name: str, label: str, **fields: Any) -> dict[str, Any]:
        return {"p": platform, "unique_id": f"{device}_{name}", "name": label, **fields}

    return {
        "people": component(
            "sensor",
            "people",
            "People",
            icon="mdi:account-group",
            state_topic=state,
            state_class="measurement",
            value_template="{{ value_json.people }}",
        ),
        "emotion": component(
            "sensor",
            "emotion",
            "Emotion",
            icon="mdi:emoticon-outline",
            state_topic=state,
            device_class="enum",
            options=[*EMOTIONS, UNCERTAIN],
            # Without a person it is None, which Home Assistant shows as unknown.
            value_template="{{ value_json.emotion }}",
            json_attributes_topic=state,
        ),
        "occupancy": component(
            "binary_sensor",
            "occupancy",
            "Occupancy",
            state_topic=state,
            device_class="occupancy",
            value_template="{{ 'ON' if value_json.people > 0 else 'OFF' }}",
        ),
        "moment": component(
            "event",
            "moment",
            "Moment",
            icon="mdi:emoticon-happy-outline",
            state_topic=f"{base}/{camera}/episode",
            event_types=list(EVENT_TYPES.values()),
        ),
    }
