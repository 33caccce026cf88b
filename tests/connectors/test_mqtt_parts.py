"""The parts of the connector for MQTT that need no broker."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.connectors.local import topic_matches
from cascade_nb.connectors.mqtt.presence import (
    STANDS,
    Presence,
    Presences,
    parse_status,
    status_payload,
    status_topic,
)
from cascade_nb.connectors.mqtt.subscriptions import covers
from cascade_nb.errors import RefusedMessageError

words = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3)
filters = st.tuples(words, st.booleans()).map(lambda x: "/".join([*x[0], *["#"] * x[1]])) | st.just(
    "#"
)
TOPICS = ["/".join(t) for n in range(1, 6) for t in itertools.product("abc", repeat=n)]


@given(filters, filters)
def test_a_filter_covers_another_exactly_where_it_matches_all_of_its_topics(
    wide: str, narrow: str
) -> None:
    theirs = [topic for topic in TOPICS if topic_matches(narrow, topic)]
    assert covers(wide, narrow) == all(topic_matches(wide, topic) for topic in theirs)


KEY, NOW = b"secret words", 1_000_000.0
HERE = Presence(online=True, answers=True, source="desk:1", since=NOW - 50, at=NOW - 5)
GONE = dataclasses.replace(HERE, online=False)


def heard(*said: tuple[Presence, bytes | None] | bytes, key: bytes | None = KEY) -> Presences:
    """What is known of `c` after these messages, each signed with its key where there is one."""
    known = Presences()
    for one in said:
        data = one if isinstance(one, bytes) else status_payload("c", *one)
        known.hear(status_topic("c"), data, NOW, key)
    return known


@pytest.mark.parametrize("forged", [(GONE, None), (GONE, b"other words"), b"", b"{}", b"\xff"])
def test_with_a_key_nobody_else_says_that_a_connector_is_gone(forged: Any) -> None:
    assert heard((HERE, KEY), forged).answering == {"c": "desk:1"}
    assert not heard((HERE, KEY), forged).has_left("c")
    assert heard((HERE, KEY), (GONE, KEY)).has_left("c")


def test_with_a_key_nobody_else_says_that_a_connector_is_there() -> None:
    other = status_payload("other", HERE, KEY)  # signed for a topic that is not its own
    for forged in ((HERE, None), (HERE, b"other words"), other):
        assert heard(forged).answering == {}


def test_what_somebody_kept_of_a_connector_counts_neither_after_later_words_nor_for_long() -> None:
    before = dataclasses.replace(HERE, since=NOW - 90, at=NOW - 80)
    assert heard((HERE, KEY), (GONE, KEY), (HERE, KEY)).has_left("c")
    assert heard((HERE, KEY), (dataclasses.replace(before, online=False), KEY)).answering
    assert heard((GONE, KEY), (before, KEY)).answering == {}
    for late in (NOW - STANDS - 1, NOW + STANDS + 1):
        assert heard((dataclasses.replace(HERE, since=0.0, at=late), KEY)).answering == {}
    again = dataclasses.replace(HERE, since=NOW - 1, at=NOW)
    assert heard((HERE, KEY), (GONE, KEY), (again, KEY)).answering


def test_without_a_key_an_empty_status_says_that_a_connector_has_left() -> None:
    assert heard((HERE, None), key=None).answering == {"c": "desk:1"}
    assert heard((HERE, None), b"", key=None).has_left("c")
    assert not heard(b"", key=None).has_left("c")  # nobody knew it


def test_over_whom_engines_answer_no_more_has_left_and_over_whom_they_never_did_has_not() -> None:
    quiet = dataclasses.replace(HERE, answers=False)
    later = dataclasses.replace(quiet, at=NOW - 1)
    assert not heard((quiet, KEY)).has_left("c")  # its engine may answer before that is said
    assert heard((quiet, KEY), (HERE, KEY), (later, KEY)).has_left("c")
    back = dataclasses.replace(HERE, at=NOW)
    assert not heard((HERE, KEY), (later, KEY), (back, KEY)).has_left("c")


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(Presence)])
@pytest.mark.parametrize("odd", [None, "", "x", 7, 1e15, 10**400, -(10**16), [], {}, [True]])
def test_a_status_with_an_odd_field_says_nothing_or_what_it_has_to(name: str, odd: object) -> None:
    payload = json.dumps({**dataclasses.asdict(HERE), name: odd}).encode()
    try:
        read = parse_status(status_topic("c"), payload, None)
    except RefusedMessageError:
        return
    kinds: dict[str, Any] = {"online": bool, "answers": bool, "source": str}
    assert isinstance(getattr(read, name), kinds.get(name, (int, float)))
    assert getattr(read, name) == odd
