"""The description of the API is valid, and the answers are as it describes them."""

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from emotion_streams import EMOTIONS, EndReason
from gateway.api import API
from tests import samples
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.people import write_episode, write_minutes
from tests.servers import eventually

DESCRIBED = [endpoint for endpoint in API if endpoint.schema]


@pytest.fixture
def described(gateway: Gateway, store: Any, camera: str) -> str:
    register(store, camera)
    seen = replace(face(), track="1-0.0", label="uncertain", label_since_ms=1, turn_degrees=3.0)
    landmarks = ((1.0, 2.0),) * 5
    seen = replace(seen, smoothed=seen.probabilities, landmarks=landmarks)
    publish(store, event(camera, now_ms(), face("anger"), seen))
    write_episode(store, samples.episode(camera))
    write_episode(
        store,
        samples.episode(
            camera, end_ms=1, reason=EndReason.GONE, probabilities_mean=seen.probabilities,
            emotion=None, emotion_ms=dict.fromkeys(EMOTIONS, 1),
        ),
    )  # fmt: skip
    write_minutes(
        store, replace(samples.minute(camera, 60_000), people=None), samples.minute(camera)
    )
    eventually(lambda: f'"{camera}"' in gateway.get("/api/cameras").text)
    return camera


def test_it_is_openapi(gateway: Gateway) -> None:
    validate(gateway.get("/api/openapi.json").json())


def test_it_lists_every_path_and_parameter(gateway: Gateway) -> None:
    paths = gateway.get("/api/openapi.json").json()["paths"]
    assert set(paths) == {endpoint.path for endpoint in API}
    listed = {item["name"] for item in paths["/api/cameras/{name}/events"]["get"]["parameters"]}
    assert listed == {"name", "after", "limit", "emotion"}


@pytest.mark.parametrize("endpoint", DESCRIBED, ids=lambda endpoint: endpoint.schema)
def test_an_answer_is_as_described(gateway: Gateway, described: str, endpoint: Any) -> None:
    query = {"from": "0", "to": "90000000"} if "Trend" in endpoint.schema else {}
    answer = gateway.get(endpoint.path.format(name=described), params=query).json()
    document = gateway.get("/api/openapi.json").json()
    schema = {"$ref": f"#/components/schemas/{endpoint.schema}", **document}
    Draft202012Validator(schema).validate(answer)
    # The other way round: nothing that the description does not name.
    properties = document["components"]["schemas"][endpoint.schema]["properties"]
    assert set(answer) == set(properties)
