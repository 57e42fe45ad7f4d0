"""The discovery message, against what Home Assistant documents of device discovery.

A real Home Assistant has taken it as well: see docs/sinks.md.
"""

import json
import re
from typing import Any, Final

import pytest

from emotion_streams import EpisodeType
from sinks import discovery

# Keys that the documentation of MQTT discovery and of each platform names.
DEVICE: Final = {"ids", "name", "mf", "mdl", "sw"}
COMMON: Final = {"p", "unique_id", "name", "icon", "state_topic", "value_template"}
PLATFORMS: Final = {
    "sensor": COMMON | {"state_class", "device_class", "options", "json_attributes_topic"},
    "binary_sensor": COMMON | {"device_class"},
    "event": COMMON | {"event_types"},
}


@pytest.fixture
def message() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(discovery.config("emotion-streams", "lobby"))
    return parsed


def test_it_has_a_device_an_origin_and_components_with_known_keys(message: dict[str, Any]) -> None:
    assert set(message) == {"dev", "o", "cmps", "availability", "availability_mode", "qos"}
    assert set(message["dev"]) <= DEVICE
    assert message["dev"]["ids"]
    assert message["o"]["name"]
    for component in message["cmps"].values():
        assert set(component) <= PLATFORMS[component["p"]]
    unique = [component["unique_id"] for component in message["cmps"].values()]
    assert len(set(unique)) == len(unique) == 4


def test_it_is_available_while_both_sink_and_camera_are(message: dict[str, Any]) -> None:
    topics = [one["topic"] for one in message["availability"]]
    assert topics == ["emotion-streams/status", "emotion-streams/lobby/status"]
    assert message["availability_mode"] == "all"


def test_every_type_of_episode_but_updates_is_an_event(message: dict[str, Any]) -> None:
    assert message["cmps"]["moment"]["event_types"] == list(discovery.EVENT_TYPES.values())
    assert set(EpisodeType) - set(discovery.EVENT_TYPES) == {EpisodeType.EMOTION_UPDATED}


@pytest.mark.parametrize("camera", ["lobby", "a.b", "a_b", "a-b", "0101"])
def test_a_topic_has_only_characters_that_are_allowed_there(camera: str) -> None:
    topic = discovery.config_topic("homeassistant", "emotion-streams", camera)
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)


def test_cameras_with_similar_names_are_different_devices() -> None:
    pairs = [("emotion-streams", name) for name in ("a.b", "a_b", "a-b")]
    pairs += [("site", "lobby"), ("emotion-streams", "lobby"), ("emotion", "streams_lobby")]
    assert len({discovery.device_id(*pair) for pair in pairs}) == len(pairs)
