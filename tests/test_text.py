"""Text of others, made fit for where it is shown."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.text import carryable, coloured, encodable, readable

ANYTHING = st.text(st.characters(codec=None, categories=None))


class Pair(NamedTuple):
    one: str
    two: object


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \U0001f600", "plain \u00e9 \U0001f600"),
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("x\x1b]0;a title\x07y", "xy"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq..\x1b\\z", "z"),
        ("a\x1b\n plain \x07", "a\n plain \ufffd"),
        ("lone \ud83d", "lone \ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\x9b2J\x00\x7f", "\ufffd\ufffd"),
        ("tab\t, bar\r, line\n", "tab\t, bar\r, line\n"),
    ],
)
def test_what_a_terminal_obeys_or_no_message_carries_is_cleaned(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(ANYTHING)
def test_a_readable_text_can_be_written_anywhere_and_is_the_same_again(text: str) -> None:
    shown = readable(text)
    shown.encode()
    assert all(char in "\t\n\r" for char in shown if unicodedata.category(char) == "Cc")
    assert readable(shown) == shown


@given(ANYTHING)
def test_a_coloured_text_is_a_readable_one_with_its_colours(text: str) -> None:
    assert re.sub(r"\x1b\[[0-9;:]*m", "", coloured(text)) == readable(coloured(text))
    assert coloured(coloured(text)) == coloured(text)


def test_colours_stay_and_whatever_else_a_terminal_obeys_goes() -> None:
    text = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;t\x07 \x1b[1m\x07 \ud83d\n"
    assert coloured(text) == "\x1b[31mred\x1b[0m  \x1b[1m\ufffd \ufffd\n"


@given(ANYTHING)
def test_an_encodable_text_loses_only_half_characters(text: str) -> None:
    kept = encodable(text)
    kept.encode()
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert kept == text


def test_data_is_cleaned_wherever_a_text_stands_and_keeps_its_shape() -> None:
    half = "\udc00"
    data = {half: [half, (1, half), Pair(half, {"n": None})], "n": 1.5}
    clean = carryable(data)
    assert clean == {"\ufffd": ["\ufffd", (1, "\ufffd"), Pair("\ufffd", {"n": None})], "n": 1.5}
    assert isinstance(clean["\ufffd"][2], Pair)
    json.dumps(clean, ensure_ascii=False).encode()
