"""Who may read: clients that show the token, and browsers that signed in with it."""

import base64
import binascii
import hmac
import re
from typing import Final

COOKIE: Final = "emotion_session"
_MAX_AGE_S: Final = 30 * 86_400
# Not http.cookies: before Python 3.11.10 and 3.12.6 a quoted value takes it seconds. Strangers send
# this header, and it is read before the rate limit.
_SESSION: Final = re.compile(rf"(?:\A|;)[ \t]*{COOKIE}=([0-9a-f]{{64}})(?=[ \t;]|\Z)")


class Access:
    """Compares what a client shows with the token, in constant time.

    A browser's cookie holds a value that only the token gives, so that the token is not stored in
    it, and another token ends all sessions.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._session = hmac.digest(self._token, b"emotion-streams session", "sha256").hex()

    def is_token(self, shown: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._token)

    def allows(self, authorization: str | None, cookie: str | None) -> bool:
        """Whether one of the two headers shows the token, or a session that it began."""
        if authorization is not None:
            return self._header_matches(authorization)
        return cookie is not None and hmac.compare_digest(_session_of(cookie), self._session)

    def cookie(self, secure: bool) -> str:
        """Return the header that begins a session. `secure`: the browser came over TLS."""
        return _set_cookie(self._session, _MAX_AGE_S, secure)

    def _header_matches(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        shown = value.strip().encode("latin-1", "replace")
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(shown, self._token)


def ended_cookie(secure: bool) -> str:
    """Return the header that ends a session."""
    return _set_cookie("", 0, secure)


def has_session(cookie: str | None) -> bool:
    """Whether the header holds a session, of any token."""
    return cookie is not None and bool(_session_of(cookie))


def _set_cookie(value: str, max_age_s: int, secure: bool) -> str:
    # Without a path it is sent to the folder that it came from only: /emotions/ behind a proxy.
    tail = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{tail}"


def _session_of(cookie: str) -> str:
    """Return the value of the session's cookie, empty if there is none of the form that we set.

    Of several, the first counts: browsers send that of the longest path first.
    """
    found = _SESSION.search(cookie)
    return found[1] if found else ""
