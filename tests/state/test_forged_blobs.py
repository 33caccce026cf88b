"""Bytes that were not signed by this key for this place are refused, and nothing in them runs."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.errors import RefusedBlobError
from cascade_nb.state.codec.codec import Codec
from tests.state.values import KEY, PLACE, blob_of

OTHER_KEY = b"the key of somebody else on this machine"
OTHER_PLACE = "lab/result/fedcba9876543210"
FIRED: list[str] = []


def fire() -> str:
    FIRED.append("fired")
    return "fired"


class Canary:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> Any:
        return fire, ()


class CanaryArray:
    """The same with an array beside the stream."""

    def __init__(self) -> None:
        self.canary = Canary()
        self.array = np.arange(50)


#: A canary is in each: that what is plain has none is no reason to read it unverified.
VALUES: list[Any] = [Canary(), [1, "two", Canary()], CanaryArray()]


@pytest.fixture(autouse=True)
def silent_canaries() -> None:
    FIRED.clear()


def refused(blob: bytes, place: str = PLACE) -> str:
    """Why a blob is not read."""
    with pytest.raises(RefusedBlobError) as caught:
        Codec(KEY).decode(blob, place)
    assert FIRED == []
    assert place in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_the_canaries_fire_when_they_are_read(value: Any) -> None:
    # what makes the other tests worth something
    Codec(KEY).decode(blob_of(value), PLACE)
    assert FIRED == ["fired"]


def flipped(blob: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(blob))
    return blob[:at] + bytes([blob[at] ^ 1 << chance.randrange(8)]) + blob[at + 1 :]


def several_flipped(blob: bytes, chance: random.Random) -> bytes:
    changed = bytearray(blob)
    for at in chance.sample(range(len(blob)), chance.randrange(2, 9)):
        changed[at] ^= chance.randrange(1, 256)
    return bytes(changed)


def truncated(blob: bytes, chance: random.Random) -> bytes:
    return blob[: chance.randrange(len(blob))]


def extended(blob: bytes, chance: random.Random) -> bytes:
    return blob + chance.randbytes(chance.randrange(1, 100))


def beheaded(blob: bytes, chance: random.Random) -> bytes:
    return blob[chance.randrange(1, len(blob)) :]


def without_a_part(blob: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(blob) + 1), 2))
    return resized(blob[:start] + blob[end:])


def with_a_part_twice(blob: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(blob) + 1), 2))
    return resized(blob[:end] + blob[start:])


def crossed(blob: bytes, chance: random.Random) -> bytes:
    """The head of one and the tail of another, both genuine."""
    other = blob_of([Canary(), chance.random()])
    at = chance.randrange(40, min(len(blob), len(other)))  # somewhere after the signature began
    return resized(blob[:at] + other[at:])


def replaced(blob: bytes, chance: random.Random) -> bytes:
    value = chance.choice(VALUES)
    return blob_of(value, chance.choice(["", OTHER_PLACE, PLACE + "0", PLACE[:-1], PLACE.upper()]))


def place_rewritten(blob: bytes, chance: random.Random) -> bytes:
    """Signed for another place; what the text in it says is made to fit."""
    there = f"{PLACE[:-1]}{chance.choice('abcde')}"
    return blob_of(chance.choice(VALUES), there).replace(there.encode(), PLACE.encode())


def foreign(blob: bytes, chance: random.Random) -> bytes:
    return blob_of(chance.choice(VALUES), key=chance.choice([OTHER_KEY, chance.randbytes(32)]))


def foreign_in_disguise(blob: bytes, chance: random.Random) -> bytes:
    """Signed with another key, under the mark of the user's."""
    other = blob_of(chance.choice(VALUES), key=OTHER_KEY)
    return other[:12] + blob[12:20] + other[20:]


def unsigned(blob: bytes, chance: random.Random) -> bytes:
    """With anything but the right signature, which an attacker can make without the key."""
    unkeyed = hashlib.sha256(blob[:20] + blob[52:]).digest()
    empty = hmac.digest(b"", blob[:20] + blob[52:], "sha256")
    return blob[:20] + chance.choice([bytes(32), unkeyed, empty, chance.randbytes(32)]) + blob[52:]


def naked(blob: bytes, chance: random.Random) -> bytes:
    """A pickle as it is, as many stores have it."""
    return pickle.dumps(
        chance.choice(VALUES), protocol=chance.randrange(6) if chance.random() < 0.5 else 5
    )


def noise(blob: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"", b"CNB\x01"]) + chance.randbytes(chance.randrange(300))


def resized(blob: bytes) -> bytes:
    """With the length in the head as it should be, where there is a head."""
    return blob if len(blob) < 12 else blob[:4] + struct.pack("<Q", len(blob)) + blob[12:]


FORGERIES: list[Callable[[bytes, random.Random], bytes]] = [
    flipped,
    several_flipped,
    truncated,
    extended,
    beheaded,
    without_a_part,
    with_a_part_twice,
    crossed,
    replaced,
    place_rewritten,
    foreign,
    foreign_in_disguise,
    unsigned,
    naked,
    noise,
]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_none_of_a_thousand_forgeries_is_read(forge: Callable[..., bytes]) -> None:
    chance = random.Random(forge.__name__)
    tried = 0
    while tried < 1000 // len(FORGERIES) + 1:
        blob = blob_of(VALUES[tried % len(VALUES)])
        forged = forge(blob, chance)
        if forged != blob:  # a part that was left out may have been empty
            refused(forged)
            tried += 1
    assert FIRED == []


def test_every_bit_counts() -> None:
    blob = blob_of([Canary()])
    for at in range(len(blob)):
        for bit in range(8):
            refused(blob[:at] + bytes([blob[at] ^ 1 << bit]) + blob[at + 1 :])


def test_every_length_counts() -> None:
    blob = blob_of([Canary()])
    for end in range(len(blob)):
        refused(blob[:end])
        refused(resized(blob[:end]))
        refused(resized(blob + blob[:end] + b"\0"))


@given(st.binary(max_size=400))
def test_no_bytes_from_nowhere_are_read(data: bytes) -> None:
    for blob in (data, b"CNB\x01" + data, resized(b"CNB\x01" + bytes(8) + data)):
        refused(blob)


@given(st.data())
def test_no_edit_of_a_blob_is_read(data: st.DataObject) -> None:
    blob = blob_of(data.draw(st.sampled_from(VALUES)))
    start = data.draw(st.integers(0, len(blob)))
    end = data.draw(st.integers(start, len(blob)))
    edited = blob[:start] + data.draw(st.binary(max_size=60)) + blob[end:]
    for forged in {edited, resized(edited)} - {blob}:
        refused(forged)


@given(st.text(), st.text())
def test_a_blob_is_good_for_its_own_place_alone(place: str, other: str) -> None:
    blob = blob_of("x", place)
    assert Codec(KEY).decode(blob, place) == "x"
    if other != place:
        with pytest.raises(RefusedBlobError, match="signed for another place"):
            Codec(KEY).decode(blob, other)


def test_place_and_value_do_not_run_into_each_other() -> None:
    # signed one after the other without their sizes, these two would have the same signature
    blob = blob_of(b"", PLACE)
    assert "another place" in refused(blob_of(b"", PLACE + "N"))
    shifted = bytearray(blob)
    struct.pack_into("<I", shifted, 52, len(PLACE) - 1)
    assert "altered or damaged" in refused(bytes(shifted), PLACE[:-1])


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "is empty"),
        (pickle.dumps([1]), "is nothing that this library wrote"),
        (b"CNB\x07" + bytes(100), "in the format of another version"),
        (blob_of([1])[:3], "cut off: only 3 bytes are there"),
        (blob_of([1])[:-1], r"cut off: \d+ of \d+ bytes are there"),
        (blob_of([1]) + b"xy", "longer than what was written, by 2 bytes"),
        (blob_of([1], key=OTHER_KEY), "signed with another key.*need the same key file"),
        (blob_of([1], OTHER_PLACE), f"signed for another place, '{OTHER_PLACE}'"),
        (blob_of([1])[:-1] + b"\xff", "altered or damaged.*has to be computed again"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value.partition(":")[0].partition(",")[0],
)
def test_a_refusal_says_what_is_wrong(blob: bytes, words: str) -> None:
    with pytest.raises(RefusedBlobError, match=words):
        Codec(KEY).decode(blob, PLACE)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        compared.append((bytes(a), bytes(b)))
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    blob = blob_of([Canary()])
    refused(blob[:20] + bytes(32) + blob[52:])
    assert [there for _, there in compared] == [bytes(32)]
    assert compared[0][0] == blob[20:52]


def test_the_signature_is_the_hmac_that_others_would_compute() -> None:
    blob = blob_of({"a": 1})
    assert blob[20:52] == hmac.digest(KEY, blob[:20] + blob[52:], "sha256")


def test_the_mark_tells_keys_apart_and_is_no_part_of_them() -> None:
    mark = blob_of(1)[12:20]
    assert mark == blob_of("other value", OTHER_PLACE)[12:20]
    assert mark != blob_of(1, key=OTHER_KEY)[12:20]
    assert mark not in KEY
