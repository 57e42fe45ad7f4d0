"""The chart's schema takes cameras and settings as the processes do: its `definitions` are made of
their models by `python -m tests.deploy.values_schema`. (Here, since deploy/ imports no process.)"""

import json
from collections.abc import Collection
from typing import Any, Final

from pydantic import BaseModel

from gateway.settings import GatewaySettings
from producer.settings import CameraSettings
from service.settings import ServiceSettings
from sinks.options import TYPES
from tests.deploy.processes import ROOT
from worker.settings import WorkerSettings

PATH: Final = ROOT / "deploy" / "helm" / "emotion-streams" / "values.schema.json"

# All that a process is given by the chart itself, or by its image. A pod has one worker: each more
# would have metrics on a port of its own, which is not scraped.
FIXED: Final = {
    *ServiceSettings.model_fields,
    *("metrics_port", "detector_model", "gpus", "processes"),
    *("host", "port", "token"),
}

# A URL with a password in plain text, not as ${NAME} from a secret.
PLAIN_PASSWORD: Final = r"://[^@/:]*:([^@/?#$]|\$[^{])[^@/?#]*@"

Schema = dict[str, Any]


def definitions() -> dict[str, Schema]:
    """What a camera, a worker, a gateway and a sink accept."""
    camera = _object(CameraSettings, ())
    camera["properties"]["source"] = {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "minLength": 1, "not": {"pattern": PLAIN_PASSWORD}},
        ]
    }
    # The producer itself names the first mistake in a polygon.
    camera["properties"]["mask"] = {"type": ["array", "string"]}
    return {
        "camera": camera,
        "worker": _object(WorkerSettings, FIXED),
        "gateway": _object(GatewaySettings, FIXED),
        "sink": {"oneOf": [_sink(model) for model in TYPES.values()]},
    }


def _sink(model: type[BaseModel]) -> Schema:
    """The options of a type of sink, with no password but as ${NAME}."""
    schema = _object(model, ())
    schema["properties"]["url"] = {"type": "string", "not": {"pattern": PLAIN_PASSWORD}}
    return {**schema, "required": ["type", "url"]}


def _object(model: type[BaseModel], without: Collection[str]) -> Schema:
    # By field name: an alias is the environment's.
    whole = model.model_json_schema(by_alias=False)
    properties = _inlined(whole["properties"], whole.get("$defs", {}))
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: _value(properties[name]) for name in sorted(properties) if name not in without
        },
    }


def _inlined(part: Any, definitions: Schema) -> Any:
    """A part of a schema with each reference replaced by what it refers to."""
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if reference := part.get("$ref"):
        return _value(definitions[reference.rpartition("/")[2]])
    return {name: _inlined(one, definitions) for name, one in part.items()}


def _value(schema: Schema) -> Schema:
    """A field's schema in draft 7, without None: in a chart, null takes the default."""
    (some,) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if "prefixItems" in some:  # x,y,width,height
        return {"type": ["array", "string"]}
    return {name: some[name] for name in some if name not in ("title", "description", "default")}


def to_text(schema: Schema) -> str:
    """The file's text."""
    return json.dumps(schema, indent=2) + "\n"


def main() -> None:
    """Write the definitions into the file."""
    PATH.write_text(to_text({**json.loads(PATH.read_text()), "definitions": definitions()}))


if __name__ == "__main__":
    main()
