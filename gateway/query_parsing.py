"""Parses the query of a request into its model."""

from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request


class Query(BaseModel):
    """A query without parameters; others add theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


Model = TypeVar("Model", bound=Query)


def parse(model: type[Model], request: Request) -> Model:
    """Return the request's query, checked.

    Raises HTTPException 400, which names every parameter that is wrong.
    """
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if is_list(model, name):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise HTTPException(400, f"{name[:60]}: given more than once")
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        reasons = (f"{_where(item['loc'])}: {_reason(item)}" for item in error.errors()[:5])
        raise HTTPException(400, "; ".join(dict.fromkeys(reasons))) from None


def is_list(model: type[Query], name: str) -> bool:
    """Return whether a parameter may be given several times."""
    field = model.model_fields.get(name)
    return field is not None and get_origin(field.annotation) is tuple


def _where(location: tuple[int | str, ...]) -> str:
    return str(location[0])[:60] if location else "query"


def _reason(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown parameter"
    if item["type"] == "missing":
        return "required"
    return str(item["msg"]).removeprefix("Value error, ")
