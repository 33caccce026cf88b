"""What a control message says of itself is read strictly, and its signature is what it was signed
with, where, and nothing else.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.control.remote.envelope import (
    KEY_VARIABLE,
    MOST_BYTES,
    Envelope,
    Latest,
    control_key,
    opened,
    read_envelope,
    sealed,
)
from cascade_nb.errors import RefusedMessageError

KEY = b"a key of the test"


@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_sealed_is_opened_the_same(key: bytes | None) -> None:
    message = json.dumps({"id": "1", "words": "größe \u2028 \ud83d\ude00"})
    assert opened(sealed(message, "here", key), "here", key) == json.loads(message)


def test_a_signed_message_is_read_where_nobody_asks_for_signatures() -> None:
    assert opened(sealed('{"id": "1"}', "here", KEY), "here", None) == {"id": "1"}


@given(st.binary(max_size=300), st.integers(0, 10_000), st.integers(1, 255))
def test_nothing_counts_as_signed_that_was_not(noise: bytes, where: int, change: int) -> None:
    good = sealed('{"id": "1", "scope": "global"}', "here", KEY)
    place = where % len(good)
    changed = bytes([*good[:place], good[place] ^ change, *good[place + 1 :]])
    for data in (noise, changed):
        try:
            content = opened(data, "here", KEY)
        except RefusedMessageError:
            continue
        assert content == {"id": "1", "scope": "global"}  # only how it is written has changed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"id": "1"}', "it is not signed"),
        (b"", "it is not signed"),
        (b"{}", "it is not signed"),
        (b'{"message": "{}"}', "it is not signed"),
        (b'{"message": "{}", "signature": ""}', "not made with the key"),
        (b'{"message": "{}", "signature": "\\ud800"}', "not made with the key"),
        (b'{"message": {}, "signature": "00"}', "are no texts"),
        (b'{"message": "{}", "signature": 3}', "are no texts"),
        (sealed("{}", "here", b"another"), "not made with the key"),
        (sealed("{}", "there", KEY), "not made with the key"),
        (sealed("[]", "here", KEY), "no JSON object"),
        (sealed("{", "here", KEY), "no JSON"),
        (sealed('{"x": NaN}', "here", KEY), "no JSON"),
        (b"x" * (MOST_BYTES + 1), "more than the 65536 allowed"),
    ],
)
def test_with_a_key_what_is_not_signed_with_it_for_this_place_is_refused(
    data: bytes, words: str
) -> None:
    with pytest.raises(RefusedMessageError, match=words) as refused:
        opened(data, "here", KEY)
    assert KEY.decode() not in str(refused.value)


def test_the_key_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert control_key() is None
    monkeypatch.setenv(KEY_VARIABLE, "")
    assert control_key() is None
    monkeypatch.setenv(KEY_VARIABLE, "schlüssel")
    assert control_key() == "schlüssel".encode()


def test_an_envelope_has_what_the_message_says() -> None:
    said = {"id": "7", "run": "r-1", "sender": "me", "sequence": 3, "issued_at": 5, "expires_at": 9}
    assert read_envelope({**said, "scope": "global"}) == Envelope(**said)  # type: ignore[arg-type]
    assert read_envelope({}) == Envelope()
    assert read_envelope({"run": None, "sequence": None}) == Envelope()
    assert Envelope(expires_at=9.0).ttl(5.0) == 4.0
    assert Envelope().ttl(5.0) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("run", "a/b", "no id of a run"),
        ("run", "x" * 200, "no id of a run"),
        ("run", 3, "its run is no text"),
        ("sender", [], "its sender is no text"),
        ("sequence", -1, "its sequence is no whole number"),
        ("sequence", 1.0, "its sequence is no whole number"),
        ("sequence", True, "its sequence is no whole number"),
        ("sequence", "1", "its sequence is no whole number"),
        ("sequence", 10**400, "its sequence is no whole number"),
    ],
)
def test_a_field_of_it_that_is_nothing_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(RefusedMessageError, match=words):
        read_envelope({name: value})


def test_a_message_is_known_again_by_its_sequence() -> None:
    latest = Latest()
    latest.take("a", Envelope(sender="me", sequence=5))
    assert latest.is_repeated("a", Envelope(sender="me", sequence=5))
    assert not latest.is_repeated("a", Envelope(sender="me", sequence=6))
    assert not latest.is_repeated("a", Envelope(sender="you", sequence=1))
    assert not latest.is_repeated("b", Envelope(sender="me", sequence=1))
    with pytest.raises(RefusedMessageError, match="a later one of its sender came first: sequence"):
        latest.is_repeated("a", Envelope(sender="me", sequence=4))


def test_or_by_when_it_was_sent_and_its_id() -> None:
    latest = Latest()
    latest.take("a", Envelope(id="1", issued_at=5.0))
    assert latest.is_repeated("a", Envelope(id="1", issued_at=5.0))
    assert not latest.is_repeated("a", Envelope(id="2", issued_at=5.0))
    assert not latest.is_repeated("a", Envelope(id="1", issued_at=6.0))
    with pytest.raises(RefusedMessageError, match=r"came first: issued 1\.5 s after it"):
        latest.is_repeated("a", Envelope(id="0", issued_at=3.5))


def test_one_that_does_not_say_when_is_taken_whenever_it_comes() -> None:
    latest = Latest()
    latest.take("a", Envelope(id="1"))
    assert not latest.is_repeated("a", Envelope(id="1"))


def test_what_may_return_is_taken_once_more() -> None:
    latest = Latest()
    latest.take("a", Envelope(sequence=5))
    latest.may_return("a")
    assert not latest.is_repeated("a", Envelope(sequence=5))
    latest.take("a", Envelope(sequence=5))
    assert latest.is_repeated("a", Envelope(sequence=5))
    with pytest.raises(RefusedMessageError):
        latest.is_repeated("a", Envelope(sequence=4))
