"""Every answer that is no success: one JSON object with one field, `error`."""

import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler

from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type

log = logging.getLogger(__name__)


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that says what went wrong."""
    return JSONResponse({"error": reason}, status, headers)


async def on_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """What a handler, or the router, refused in its own words."""
    assert isinstance(refusal, HTTPException)
    reason = refusal.detail
    if refusal.status_code == 404 and reason == "Not Found":
        reason = f"nothing at {request.url.path}; /api/openapi.json lists what there is"
    return error(refusal.status_code, reason, refusal.headers)


async def on_redis_failure(request: Request, failure: Exception) -> JSONResponse:
    """Answer 503 if Redis may be asked again, 502 if a key holds what cannot be read."""
    if is_wrong_type(failure):
        return error(502, "what Redis holds for this camera is not a stream of events")
    log.warning("Redis failed during a request", extra={"path": request.url.path, "why": failure})
    return error(503, "Redis cannot be reached; try again", {"Retry-After": "1"})


async def on_defect(request: Request, defect: Exception) -> JSONResponse:  # noqa: ARG001 - a handler's form
    """A defect of ours. The trace is logged by the server; the client learns nothing of it."""
    return error(500, "the gateway failed; its log says how")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    HTTPException: on_refusal,
    **dict.fromkeys(REDIS_ERRORS, on_redis_failure),
    Exception: on_defect,
}
