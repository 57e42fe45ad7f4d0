"""Values for settings files that no process may end at."""

from typing import Final

HOSTILE_YAML: Final = (
    "~", "-1", "nan", ".inf", "1e999", "9" * 5_000, "0x_", "2024-13-45", "'\u00b2'", "'\u0663'",
    "[]", "{}", "[[]]", "[[[]]]", "[nan, nan, nan, nan]", "[[[1e308, 0], [1, 0], [1, 1]]]",
    r'"\0"', r'"\ud800"', r'"\udce9"', r'"/a\0b"', r'"\x1b"', r'"x\ny"', "'" + "a" * 5_000 + "'",
    "'${'", "'${NOWHERE}'", "!!int x", "!!binary x", "!!python/object x", "[1, 2",
    "'rtsp://['", "'rtsp://u:p@[::1/x'", "'http://a:99999999/'", "'http://\u0130/'",
    "'rtsp://\u2177\u2488/'", "'rtsp://a\u2100b/'", "'sqlite:///" + "a" * 5_000 + "'",
)  # fmt: skip
"""Values in YAML that once were, or easily are, errors of another kind than a refusal."""
