"""Text of others on terminals, in logs and in Redis."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Küche, 東京 2", "Küche, 東京 2"),
        ("\x1b]0;title\x07\n", r"\x1b]0;title\x07\x0a"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        ("\ud800", r"\ud800"),
        ("\u202egpj", r"\u202egpj"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_any_text_becomes_one_valid_line_and_stays_as_it_is_then(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown.encode().decode() == shown
