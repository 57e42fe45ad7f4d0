"""Sign in and out of the live page with the token, for browsers."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.access import Access, ended_cookie
from gateway.routes.page import STATIC

SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
_MAX_FORM_BYTES: Final = 4096
_REASON: Final = "<!-- reason -->"


def sign_in_page(reason: str = "") -> HTMLResponse:
    """Return the page with the field for the token. `reason`: why the last one was refused."""
    text = (STATIC / "sign-in.html").read_text(encoding="utf-8").replace(_REASON, reason)
    # A challenge without a prompt of the browser's own.
    headers = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
    return HTMLResponse(text, HTTPStatus.UNAUTHORIZED, headers)


async def sign_in(request: Request) -> Response:
    """Begin a session if the form holds the token."""
    if request.method != "POST":
        return _back()
    access: Access = request.app.state.access
    form = parse_qs(await _body(request))
    if not access.is_token(form.get("token", [""])[0].strip()):
        return sign_in_page("This is not the token of this gateway.")
    answer = _back()
    answer.headers["Set-Cookie"] = access.cookie(_is_secure(request))
    return answer


async def sign_out(request: Request) -> Response:
    """End the session."""
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    answer.headers["Set-Cookie"] = ended_cookie(_is_secure(request))
    return answer


def _back() -> Response:
    # Relative: behind a proxy the page may lie in a folder.
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": "./"})


async def _body(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            return ""
    return body.decode("utf-8", "replace")


def _is_secure(request: Request) -> bool:
    forwarded = request.headers.get("x-forwarded-proto", "")
    return request.url.scheme == "https" or forwarded.lower() == "https"
