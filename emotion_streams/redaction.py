"""Credentials stay out of every text: logs, errors, metrics, process titles, pages.

Others write much of that text (a camera's hash, a server's answer), so each step is linear in its
length, and what is longer than MAX_TEXT is cut first.
"""

import re
from typing import Final

MAX_TEXT: Final = 32_768
"""Characters of a text that `redact` reads; the rest is dropped."""

_secrets: set[str] = set()
_MIN_SECRET: Final = 4
_CUT: Final = "..."

_QUERY: Final = re.compile(r"([?#]).+", re.DOTALL)
# Maximal runs, so that no pattern is tried again from each character of the same run.
_WORD: Final = re.compile(r"[^\s'\"]+")
_PARAMETERS: Final = re.compile(r"[&\s]?[^&\s]+")
# Each camera model has its own parameter name for a password, so all of the query is hidden.
_CAMERA_SCHEME: Final = re.compile(r"(?:rtsp|http)s?://", re.IGNORECASE)
_QUERY_START: Final = re.compile(r"[?#]")
_NAME_START: Final = re.compile(r"[/_?&;]")
_SECRET_NAME: Final = re.compile(r"pass|pwd|token|secret|auth|key|user", re.IGNORECASE)
_WHOLE_WORDS: Final = re.compile(r".*\s", re.DOTALL)
_QUOTE: Final = re.compile(r"['\"]")
_BRACKET: Final = re.compile(r"[<>]")
_CLIENT_HOST: Final = re.compile(r"\bhost=([^,]{1,255}),port=(\d{1,5})")


def redact(text: str, limit: int = MAX_TEXT) -> str:
    """Return the text without the credentials of the URLs in it.

    `***` replaces every `user:password@`, the query and the fragment of a camera's URL, the value
    of parameters whose name speaks of a secret, and each text given to `register_secret`. A text of
    more than `limit` characters is cut to them, and loses its last word, which may be half a URL.
    """
    text = _without_registered(text, limit)
    return _PARAMETERS.sub(_hide_parameters, _WORD.sub(_hide_url, text))


def redact_url(text: str) -> str:
    """Redact a text that is one URL, or an option with one (`--source=rtsp://...`).

    Its password may hold blanks and quotes.
    """
    start, separator, rest = text.partition("://")
    _, at, rest = rest.rpartition("@")
    hidden = _QUERY.sub(r"\1***", rest)
    return redact(f"{start}{separator}{'***@' if at else ''}{hidden}")


def short_message(error: BaseException) -> str:
    """Describe a failure of Redis in a few words; redis-py writes whole clients out in some."""
    return redact(_with_short_clients(str(error)[:MAX_TEXT])) or type(error).__name__


def register_secret(text: str) -> None:
    """Let `redact` replace this text from now on, wherever it is.

    Texts of less than four characters would replace much else, and are left to the patterns.
    """
    if len(text) >= _MIN_SECRET:
        _secrets.add(text)


def registered_secrets() -> list[str]:
    """Return what was registered, for another process of ours to register as well."""
    return sorted(_secrets)


def _without_registered(text: str, limit: int) -> str:
    """Replace each registered secret, and cut the text so that no part of one is left."""
    secrets = sorted(_secrets, key=len, reverse=True)
    longest = len(secrets[0]) if secrets else 0
    cut = len(text) > limit
    text = text[:limit]
    for secret in secrets:
        text = text.replace(secret, "***")
    if cut:
        # A secret that the cut divided begins within the last `longest` characters; the word there
        # may be a URL whose password was cut off before its @.
        whole_words = _WHOLE_WORDS.match(text, 0, max(0, len(text) - longest))
        text = (whole_words[0] if whole_words else "") + _CUT
    return text


def _hide_url(match: re.Match[str]) -> str:
    """Hide the credentials, or the camera's query, of a URL in one word."""
    word = match[0]
    authority = word.find("://") + 3
    # Up to the last @: passwords may hold an @.
    at = word.rfind("@")
    if 3 <= authority <= at:
        word = f"{word[:authority]}***{word[at:]}"
    if (camera := _CAMERA_SCHEME.search(word)) and (
        query := _QUERY_START.search(word, camera.end())
    ):
        hidden = word[query.end() :].rstrip(":")
        if hidden:
            word = f"{word[: query.end()]}***{word[query.end() + len(hidden) :]}"
    return word


def _hide_parameters(match: re.Match[str]) -> str:
    """Hide the values of parameters with a telling name, in a run between & and blanks."""
    done: list[str] = []
    rest = match[0]
    while "=" in rest:
        name, _, rest = rest.partition("=")
        done += (name, "=")
        start = _NAME_START.search(name)
        if start and _SECRET_NAME.search(name, start.end()):
            quote = _QUOTE.search(rest)
            value_end = quote.start() if quote else len(rest)
            if value_end:
                done.append("***")
            rest = rest[value_end:]
    return "".join((*done, rest))


def _with_short_clients(text: str) -> str:
    """Replace each client that redis-py writes out, `<redis....>`, by its `host:port`.

    A client at the end is what the text is about: it is removed.
    """
    parts: list[str] = []
    start = 0
    while (client := text.find("<redis.", start)) >= 0:
        parts.append(text[start:client])
        start = _end_of_brackets(text, client)
        if start < len(text) and (host := _CLIENT_HOST.search(text, client, start)):
            parts.append(f"{host[1]}:{host[2]}")
    parts.append(text[start:])
    return "".join(parts).rstrip().rstrip(":").rstrip()


def _end_of_brackets(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` closes, or the end of the text."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += 1 if match[0] == "<" else -1
        if depth == 0:
            return match.end()
    return len(text)
