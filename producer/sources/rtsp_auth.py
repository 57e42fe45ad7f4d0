"""Authentication of RTSP requests, as the camera demands it: Basic or Digest (RFC 7616)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

# A name begins where a word begins and is short, so that the time is linear in the length.
_PARAMETER: Final = re.compile(r'(?<![\w-])([\w-]{1,32})\s{0,8}=\s{0,8}(?:"([^"]*)"|([^\s,"]+))')
_LONGEST: Final = 2_000
"""Characters of a challenge that are read. Those of real cameras have about 200."""
_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}
_TEXT: Final = ("utf-8", "surrogateescape")
_SESSION: Final = "-SESS"


class UnsupportedAuthError(Exception):
    """The camera demands an authentication that is not supported. The text names it."""


class Credentials:
    """User and password of a camera. They are sent only after a challenge, and only as it asks."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._digest: Mapping[str, str] | None = None
        self._is_basic = False
        self._count = 0

    def accept(self, challenges: Sequence[str]) -> None:
        """Answer these values of WWW-Authenticate from now on. Digest is preferred to Basic.

        Raises UnsupportedAuthError.
        """
        self._digest, self._is_basic, self._count = None, False, 0
        refused = []
        for challenge in challenges:
            scheme, _, rest = challenge[:_LONGEST].strip().partition(" ")
            values = {name.lower(): a or b for name, a, b in _PARAMETER.findall(rest)}
            algorithm = values.get("algorithm", "MD5")
            if scheme.lower() == "digest" and _base(algorithm) not in _HASHES:
                refused.append(f"Digest {algorithm[:40]}")
            elif scheme.lower() == "digest":
                self._digest = self._digest or values
            elif scheme.lower() == "basic":
                self._is_basic = True
        if self._digest is None and not self._is_basic:
            raise UnsupportedAuthError(" or ".join(refused) or "an unknown authentication")

    def authorization(self, method: str, uri: str) -> str | None:
        """Return the value of Authorization for a request, None before the first challenge."""
        if self._digest is not None:
            return self._digest_response(self._digest, method, uri)
        if self._is_basic:
            pair = f"{self._user}:{self._password}".encode(*_TEXT)
            return f"Basic {base64.b64encode(pair).decode()}"
        return None

    def _digest_response(self, asked: Mapping[str, str], method: str, uri: str) -> str:
        algorithm = asked.get("algorithm", "MD5")
        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        client_nonce = secrets.token_hex(8)

        def digest(*parts: str) -> str:
            function = hashlib.new(_HASHES[_base(algorithm)], usedforsecurity=False)
            function.update(":".join(parts).encode(*_TEXT))
            return function.hexdigest()

        secret = digest(self._user, realm, self._password)
        if algorithm.upper().endswith(_SESSION):
            secret = digest(secret, nonce, client_nonce)
        user = self._user.replace("\\", r"\\").replace('"', r"\"")
        values = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
        bare = ""
        if "auth" in re.split(r"[\s,]+", asked.get("qop", "")):
            self._count += 1
            count = f"{self._count:08x}"
            values["response"] = digest(
                secret, nonce, count, client_nonce, "auth", digest(method, uri)
            )
            values["cnonce"] = client_nonce
            bare = f", qop=auth, nc={count}"
        else:
            values["response"] = digest(secret, nonce, digest(method, uri))
        if "opaque" in asked:
            values["opaque"] = asked["opaque"]
        if "algorithm" in asked:
            bare += f", algorithm={algorithm}"
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in values.items()) + bare


def _base(algorithm: str) -> str:
    return algorithm.upper().removesuffix(_SESSION)
