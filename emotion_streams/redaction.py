"""Removal of credentials from all text: logs, errors, metrics, process titles, pages.

Other programs write much of that text (a camera's hash, a server's answer). Therefore each step is
linear in the length of the text, and a text longer than MAX_TEXT is cut first.
"""

import re
from typing import Final

MAX_TEXT: Final = 32_768
"""Maximum characters of a text that `redact` reads; the rest is dropped."""

_secrets: set[str] = set()
_MIN_SECRET: Final = 4
_CUT: Final = "..."

_QUERY: Final = re.compile(r"([?#]).+", re.DOTALL)
# Patterns match maximal runs, so that none is retried from each character of the same run.
_WORD: Final = re.compile(r"[^\s'\"]+")
_PARAMETERS: Final = re.compile(r"[&\s]?[^&\s]+")
# The parameter name of the password differs between camera models, so the whole query is hidden.
_CAMERA_SCHEME: Final = re.compile(r"(?:rtsp|http)s?://", re.IGNORECASE)
_QUERY_START: Final = re.compile(r"[?#]")
_NAME_START: Final = re.compile(r"[/_?&;]")
_SECRET_NAME: Final = re.compile(r"pass|pwd|token|secret|auth|key|user", re.IGNORECASE)
_WHOLE_WORDS: Final = re.compile(r".*\s", re.DOTALL)
_QUOTE: Final = re.compile(r"['\"]")
_BRACKET: Final = re.compile(r"[<>]")
_REFERENCE: Final = re.compile(r"\$\{[^}]*\}")
_CLIENT_HOST: Final = re.compile(r"\bhost=([^,]{1,255}),port=(\d{1,5})")


def redact(text: str, limit: int = MAX_TEXT) -> str:
    """Return the text without the credentials of the URLs in it.

    `***` replaces every `user:password@`, the query and the fragment of a camera's URL, the value
    of parameters whose name suggests a secret, and each text given to `register_secret`. A longer
    text is cut to `limit` characters, and its last word, which may be half of a URL, is removed.
    """
    text = _without_registered(text, limit)
    return _PARAMETERS.sub(_hide_parameters, _WORD.sub(_hide_url, text))


def redact_url(text: str) -> str:
    """Redact a text that is one URL, or an option with one (`--source=rtsp://...`).

    The password may contain blanks and quotes.
    """
    start, separator, rest = text.partition("://")
    _, at, rest = rest.rpartition("@")
    hidden = _QUERY.sub(r"\1***", rest)
    return redact(f"{start}{separator}{'***@' if at else ''}{hidden}")


def short_message(error: BaseException) -> str:
    """Describe a Redis error briefly; some redis-py errors contain the repr of a whole client."""
    return redact(_with_short_clients(str(error)[:MAX_TEXT])) or type(error).__name__


def register_secret(text: str) -> None:
    """Let `redact` replace this text from now on, wherever it occurs.

    A text of less than four characters occurs in many others; it is not registered, and only the
    patterns apply to it. Neither is `${NAME}`: it names a secret, and an error must show the name.
    """
    if len(text) >= _MIN_SECRET and not _REFERENCE.fullmatch(text):
        _secrets.add(text)


def registered_secrets() -> list[str]:
    """Return the registered secrets, so that another of our processes can register them too."""
    return sorted(_secrets)


def _without_registered(text: str, limit: int) -> str:
    """Replace each registered secret, and cut the text so that no part of a secret remains."""
    secrets = sorted(_secrets, key=len, reverse=True)
    longest = len(secrets[0]) if secrets else 0
    cut = len(text) > limit
    text = text[:limit]
    for secret in secrets:
        text = text.replace(secret, "***")
    if cut:
        # A secret divided by the cut begins within the last `longest` characters; the word there
        # may be a URL that was cut before the @ after its password.
        whole_words = _WHOLE_WORDS.match(text, 0, max(0, len(text) - longest))
        text = (whole_words[0] if whole_words else "") + _CUT
    return text


def _hide_url(match: re.Match[str]) -> str:
    """Hide the credentials, or the camera's query, of a URL in one word."""
    word = match[0]
    authority = word.find("://") + 3
    # Up to the last @: a password may contain an @.
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
    """Hide the values of parameters whose name suggests a secret, in a run between & and blanks."""
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
    """Replace the repr of each redis-py client, `<redis....>`, by its `host:port`.

    A client at the end of the text is removed.
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
    """Return the offset after the bracket that closes the one at `start`, or the text's length."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        depth += 1 if match[0] == "<" else -1
        if depth == 0:
            return match.end()
    return len(text)
