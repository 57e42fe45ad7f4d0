"""Authentication of HTTP requests, as the server demands it: Basic or Digest."""

import re
from collections.abc import Generator, Sequence
from typing import Final

import httpx

_UNAUTHORIZED: Final = 401
_ALGORITHM: Final = re.compile(r'(?i)\balgorithm\s*=\s*"?([\w-]{1,40})')


class UnsupportedAuthError(Exception):
    """The server demands an authentication that is not supported. The text names it."""


class ChallengedAuth(httpx.Auth):
    """Sends user and password only after the server asked for them, and only as it asked.

    Digest is preferred to Basic, because it does not reveal the password. After the first
    challenge, requests are authenticated at once.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._chosen: httpx.Auth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request, and yield it again with credentials if the server asks for them.

        Raises UnsupportedAuthError.
        """
        algorithm = "of an unknown kind"
        if self._chosen is None:
            response = yield request
            if response.status_code != _UNAUTHORIZED:
                return
            challenges = response.headers.get_list("www-authenticate")
            self._chosen = self._choose(challenges)
            if named := _ALGORITHM.search(" ".join(challenges)):
                algorithm = named[1]
        try:
            yield from self._chosen.auth_flow(request)
        except (KeyError, ValueError, NotImplementedError):  # of a challenge that httpx cannot use
            self._chosen = None
            raise UnsupportedAuthError(f"Digest {algorithm}") from None

    def _choose(self, challenges: Sequence[str]) -> httpx.Auth:
        schemes = {challenge.lower().partition(" ")[0] for challenge in challenges}
        if "digest" in schemes:
            return httpx.DigestAuth(self._user, self._password)
        if "basic" in schemes:
            return httpx.BasicAuth(self._user, self._password)
        raise UnsupportedAuthError("an authentication other than Basic and Digest")
