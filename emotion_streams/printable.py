"""Text that others wrote, made safe to print, to log and to store."""

from typing import Final

_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)


def printable(text: str) -> str:
    r"""Return the text on one line of valid, printable characters; all others are escaped.

    Cameras, file names and other clients can contain terminal control characters, line breaks that
    forge a line of a log, and bytes that are not UTF-8. Those bytes, which Python represents as
    surrogates, become `\xff`.
    """
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if code in _ESCAPED_BYTES:
        code -= 0xDC00  # the byte, as os.fsdecode made it a surrogate
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
