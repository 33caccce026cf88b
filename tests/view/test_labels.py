"""Names as text, as a width and as an id."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.view.picture.labels import clean, dom_id, width_of

# Everything Python holds for text, lone surrogates among it.
anything = st.text(st.characters(exclude_categories=()), max_size=300)


@given(anything, st.integers(2, 80))
def test_clean_text_is_one_bounded_line_that_xml_can_hold(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert len(line) <= limit
    element = ET.Element("t")
    element.text = line
    assert (ET.fromstring(ET.tostring(element, "unicode")).text or "") == line
    assert line.encode("utf-8").decode("utf-8") == line
    assert line.isprintable()


@given(st.text(st.characters(categories=("L", "Nd", "P")), max_size=40))
def test_clean_text_stays_as_it_is(text: str) -> None:
    assert clean(text, 40) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("a\n\t b ", "a b"),
        ("abc\u202etxt.exe", "abc\ufffdtxt.exe"),  # would be read backwards
        ("a\ufffeb", "a\ufffdb"),  # no character, so no XML
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\U0001f4bb"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),  # escaping is the writer's, not the cleaner's
    ],
)
def test_what_no_document_may_hold_is_replaced(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_long_name_keeps_both_ends() -> None:
    assert clean("NFCORE.ALIGN." + "x" * 100 + ".SORT", 20) == "NFCORE…xxxxxxxx.SORT"


def test_a_name_of_megabytes_is_cut_too() -> None:
    assert clean("a" * 50_000_000, 30) == "a" * 9 + "…" + "a" * 20


@given(anything)
def test_a_dom_id_is_short_and_of_letters_digits_and_dashes(name: str) -> None:
    assert re.fullmatch(r"node-[A-Za-z0-9_-]{0,100}", dom_id("node", name))
    assert len(dom_id("node", name)) <= 105


@given(anything, anything)
def test_different_names_have_different_ids(one: str, other: str) -> None:
    assert (dom_id("node", one) == dom_id("node", other)) == (one == other)


def test_no_name_has_the_id_of_a_longer_one() -> None:
    # A hash that stands behind half an escape would read as the end of a short name.
    for odd in ("#", "_", "é", "a"):
        for length in range(45, 56):
            long = "a" * length + odd * 60
            encoded = dom_id("node", long).removeprefix("node-")
            assert _named_by(encoded) is None


def _named_by(encoded: str) -> str | None:
    """The short name that has this id, if there is one."""
    pieces = re.fullmatch(r"(?:[A-Za-z0-9-]|__|_x[0-9a-f]+_)*", encoded)
    return pieces and encoded


def test_wide_characters_are_wide_and_marks_have_no_width() -> None:
    assert width_of("漢字", 10) > width_of("ab", 10)
    assert width_of("e\u0301", 10) == width_of("e", 10)
    assert width_of("iii", 10) < width_of("mmm", 10)
    assert width_of("abc", 20) == 2 * width_of("abc", 10)
