"""The description of the API is valid, and the answers are as it describes them."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.api import API
from tests.gateway.feeder import event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import eventually

DESCRIBED = [endpoint for endpoint in API if endpoint.schema]


@pytest.fixture
def described(gateway: Gateway, store: Any, camera: str) -> str:
    register(store, camera)
    publish(store, event(camera, now_ms(), face("anger"), face()))
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
    answer = gateway.get(endpoint.path.format(name=described)).json()
    document = gateway.get("/api/openapi.json").json()
    schema = {"$ref": f"#/components/schemas/{endpoint.schema}", **document}
    Draft202012Validator(schema).validate(answer)
    # The other way round: nothing that the description does not name.
    properties = document["components"]["schemas"][endpoint.schema]["properties"]
    assert set(answer) == set(properties)
