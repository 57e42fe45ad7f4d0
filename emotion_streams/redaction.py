"""Credentials stay out of every text: logs, errors, metrics, process titles, pages."""

import re
from typing import Final

_secrets: set[str] = set()
_LEAST_SECRET: Final = 4

# Greedy up to the last @ of the authority: passwords may hold an @.
_CREDENTIALS: Final = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s'\"]*@", re.IGNORECASE)
_QUERY: Final = re.compile(r"([?#]).+", re.DOTALL)
# Every camera has its own words for a password there.
_CAMERA_QUERY: Final = re.compile(
    r"((?:rtsp|http)s?://[^\s'\"?#]*[?#])[^\s'\"]*[^\s'\":]", re.IGNORECASE
)
_SECRET_PARAMETERS: Final = re.compile(
    r"([/_?&;][^=&\s]*(?:pass|pwd|token|secret|auth|key|user)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE
)
_CLIENT: Final = re.compile(r"\s*:?\s*<redis\..*", re.DOTALL)


def redact(text: str) -> str:
    """The text without the credentials of the URLs in it: `***` for every `user:password@`, for all
    that stands in the query and the fragment of a camera's URL, for the value of parameters whose
    name speaks of a secret, and for what `register_secret` was told."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _CAMERA_QUERY.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", text))
    return _SECRET_PARAMETERS.sub(r"\1***", text)


def redact_url(text: str) -> str:
    """As `redact`, of a text that is one URL, or an option with one (`--source=rtsp://...`):
    whatever blanks or quotes its password may hold."""
    start, separator, rest = text.partition("://")
    _, at, rest = rest.rpartition("@")
    hidden = _QUERY.sub(r"\1***", rest)
    return redact(f"{start}{separator}{'***@' if at else ''}{hidden}")


def short_message(error: BaseException) -> str:
    """A failure of Redis in a few words; redis-py spells a whole client out in some."""
    return redact(_CLIENT.sub("", str(error)) or type(error).__name__)


def register_secret(text: str) -> None:
    """From now on `redact` replaces this text wherever it stands in this process' words. Texts of
    less than four characters would replace much else, and are left to the patterns."""
    if len(text) >= _LEAST_SECRET:
        _secrets.add(text)


def registered_secrets() -> list[str]:
    """What `register_secret` was told, for another process of ours to keep as well."""
    return sorted(_secrets)
