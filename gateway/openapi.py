"""The OpenAPI 3.1 document, from the list of endpoints and the models that check their queries."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import emotion_streams
from gateway.api import Endpoint
from gateway.query_parsing import is_list
from gateway.schemas import SCHEMAS, ref


def describe(endpoints: Iterable[Endpoint], with_token: bool) -> dict[str, Any]:
    """Return the document. `with_token`: whether the gateway requires one."""
    components: dict[str, Any] = {"schemas": SCHEMAS}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "emotion-streams gateway",
            "version": emotion_streams.__version__,
            "description": "Emotion events and analysed pictures of cameras, over HTTP.",
        },
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in endpoints},
        "components": components,
    }
    if with_token:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {
                "type": "http",
                "scheme": "basic",
                "description": "Any user, with the token as password.",
            },
        }
        document["security"] = [{"bearer": []}, {"basic": []}]
    return document


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    about = " ".join((inspect.getdoc(endpoint.handler) or "").split())
    schema = ref(endpoint.schema) if endpoint.schema else {}
    return {
        "operationId": endpoint.handler.__name__,
        "summary": re.split(r"[.;:] ?", about, maxsplit=1)[0],
        "description": about,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            "200": {
                "description": "Success.",
                "content": {endpoint.media_type: {"schema": schema}},
            },
            "4XX": _failure("The request is invalid or not permitted."),
            "503": _failure("Temporarily unavailable; see Retry-After."),
        },
    }


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.pop("description", ""),
            "schema": field,
            **({"explode": True} if is_list(endpoint.query, name) else {}),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _failure(about: str) -> dict[str, Any]:
    return {
        "description": about,
        "content": {"application/json": {"schema": ref("Error")}},
    }
