"""The live page, the API's description, and whether the process lives."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse

STATIC: Final = Path(__file__).parent.parent / "static"


async def page(request: Request) -> FileResponse:  # noqa: ARG001 - the same for every request
    """Return the live page."""
    # Asked for again each time, so that a newer gateway's page and scripts come together.
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def describe(request: Request) -> JSONResponse:
    """Return the description of the API, in OpenAPI 3.1."""
    return JSONResponse(request.app.state.description)


async def healthz(request: Request) -> PlainTextResponse:  # noqa: ARG001 - see page
    """Whether the process lives."""
    return PlainTextResponse("ok\n")
