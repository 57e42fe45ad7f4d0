"""Error responses: a JSON object with one field, `error`."""

import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler

from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type

log = logging.getLogger(__name__)


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error response with its reason."""
    return JSONResponse({"error": reason}, status, headers)


async def handle_http_exception(request: Request, refusal: Exception) -> JSONResponse:
    """Return the reason that a handler or the router gave."""
    assert isinstance(refusal, HTTPException)
    reason = refusal.detail
    if refusal.status_code == 404 and reason == "Not Found":
        reason = f"not found: {request.url.path}; see /api/openapi.json"
    return error(refusal.status_code, reason, refusal.headers)


async def handle_redis_error(request: Request, failure: Exception) -> JSONResponse:
    """Return 503 if Redis fails, 502 if a key holds another type of value."""
    if is_wrong_type(failure):
        return error(502, "the camera's events in Redis have the wrong type")
    log.warning("Redis failed during a request", extra={"path": request.url.path, "why": failure})
    return error(503, "Redis unreachable; try again", {"Retry-After": "1"})


async def handle_unexpected(request: Request, defect: Exception) -> JSONResponse:  # noqa: ARG001 - a handler's form
    """Return 500. The traceback is logged and not sent."""
    return error(500, "internal error; see the gateway log")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    HTTPException: handle_http_exception,
    **dict.fromkeys(REDIS_ERRORS, handle_redis_error),
    Exception: handle_unexpected,
}
