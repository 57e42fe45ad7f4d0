"""The live page, the API's description, and the liveness check."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse

STATIC: Final = Path(__file__).parent.parent / "static"


async def page(request: Request) -> FileResponse:  # noqa: ARG001 - the same for every request
    """Return the live page."""
    # Revalidated each time, so that the page and its scripts are of the same version.
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def describe(request: Request) -> JSONResponse:
    """Return the description of the API, in OpenAPI 3.1."""
    return JSONResponse(request.app.state.description)


async def healthz(request: Request) -> PlainTextResponse:  # noqa: ARG001 - see page
    """Report that the process is alive."""
    return PlainTextResponse("ok\n")
