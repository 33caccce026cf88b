"""Plain values come back as they were, whatever else cannot be written is said so."""

from __future__ import annotations

import collections
import enum
import inspect
import math
import sys
import threading
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.errors import CodecError, RefusedBlobError, UsageError
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.codec.leaves import NotPlainError
from cascade_nb.state.codec.plain import read_plain, write_plain
from tests.state.values import KEY, PLACE, PLAIN, blob_of, plainly, same, there_and_back


def is_plain(value: Any) -> bool:
    """Whether a value is written without pickle."""
    try:
        write_plain(value)
    except NotPlainError:
        return False
    return True


@given(PLAIN)
def test_plain_values_come_back_with_their_types(value: Any) -> None:
    assert same(there_and_back(value), value)


@given(st.lists(st.integers()) | st.lists(st.floats()) | st.lists(st.text()))
def test_lists_of_one_type_come_back(items: list[Any]) -> None:
    assert same(there_and_back(items), items)
    assert same(there_and_back(tuple(items)), tuple(items))
    assert same(there_and_back(dict(enumerate(items))), dict(enumerate(items)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**63,
        -(2**63) - 1,
        10**5000,
        -0.0,
        math.inf,
        "\ud83d\ude00 and \ud800",
        "",
        b"",
        b"\x00" * 100_000,
        "é" * 100_000,
        [],
        (),
        {},
        set(),
        frozenset(),
        ((), ()),
        [[], {}, set()],
        {1: "int", "1": "str", (1,): "tuple", None: "none", frozenset({1}): "frozenset"},
        {True: 1},
        [1, True, 1.0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, True],
        [*range(20), 2**64],
        [float(i) for i in range(20)],
        [str(i) for i in range(20)],
        ["\ud83d", "\ude00"] * 10,
        ["x" * 9000 + str(i) for i in range(20)],
        list(range(20_000)),
        {str(i): {"mean": i / 7, "n": i} for i in range(200)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_need_no_pickle(value: Any) -> None:
    assert same(plainly(value), value)


class Colour(enum.IntEnum):
    RED = 1


class Labels(list):  # type: ignore[type-arg]
    pass


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Labels([1, 2]),
        Point(1, 2),
        collections.OrderedDict(a=1),
        collections.Counter("abca"),
        collections.defaultdict(int, a=1),
        bytearray(b"abc"),
        1 + 2j,
        range(3),
        slice(1, 2),
        Ellipsis,
        [Point(1, 2)] * 3,
        {"a": Colour.RED},
        {Colour.RED: 1},
        list(map(Colour, [1] * 20)),
    ],
    ids=repr,
)
def test_a_subclass_does_not_come_back_as_its_base(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_what_stands_twice_comes_back_as_one() -> None:
    row = [1, 2]
    back = there_and_back([row, row])
    assert back == [[1, 2], [1, 2]]
    assert back[0] is back[1]


def test_what_is_inside_itself_comes_back_so() -> None:
    value: list[Any] = [1]
    value.append(value)
    back = there_and_back(value)
    assert back[0] == 1
    assert back[1] is back


def test_equal_parts_that_are_two_objects_stay_plain() -> None:
    # an id is taken anew when its object has gone; that must not look like the same object twice
    assert all(is_plain({"a": [i], "b": [i], "c": (i, [i])}) for i in range(1000))


def test_sharing_does_not_make_bytes_grow_without_bounds() -> None:
    # written as a tree it would be 2**40 leaves
    value: tuple[Any, ...] = (1, 2)
    for _ in range(40):
        value = (value, value)
    assert len(blob_of(value)) < 10_000
    back = there_and_back(value)
    for _ in range(40):
        back = back[0]
    assert back == (1, 2)


def test_a_long_text_in_many_places_is_written_once() -> None:
    text = "x" * 100_000
    for value in ([text] * 50, [text, 1] * 50, dict.fromkeys(range(50), text)):
        assert len(blob_of(value)) < 200_000
        assert there_and_back(value) == value
    data = b"x" * 100_000
    assert len(blob_of([data] * 50)) < 200_000


def test_thousands_of_records_are_left_to_the_faster_pickle() -> None:
    records = [{"id": i, "mean": i / 3, "name": str(i)} for i in range(5000)]
    assert not is_plain(records)
    assert is_plain(records[:900])
    assert same(there_and_back(records), records)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_deep_values_come_back_or_are_refused_with_a_word() -> None:
    assert there_and_back(nested(50)) == nested(50)
    assert there_and_back(nested(150)) == nested(150)
    with pytest.raises(CodecError, match=r"type list cannot be written.*recursion"):
        blob_of(nested(100_000))


def test_a_stack_that_is_almost_used_up_is_no_crash() -> None:
    blob = blob_of(nested(40))
    found: set[type[Exception]] = set()

    def at_depth(left: int) -> None:
        if left:
            at_depth(left - 1)
            return
        for attempt in (lambda: blob_of(nested(40)), lambda: Codec(KEY).decode(blob, PLACE)):
            try:
                attempt()
            except (CodecError, RefusedBlobError) as error:
                found.add(type(error))
            except RecursionError:
                found.add(RecursionError)  # no frame was left for the codec itself

    used = len(inspect.stack())
    for left in range(20, 150, 5):
        at_depth(sys.getrecursionlimit() - used - left)
    assert RefusedBlobError in found  # for writing, pickle may have room where Python has none


class Raises:
    """Fails while it is written, as it is told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


class UnsayableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (threading.Lock(), "type _thread.lock cannot be written.*TypeError.*lock"),
        ([threading.Lock()], "type list cannot be written.*TypeError.*lock"),
        ((i for i in [1]), "type generator cannot be written.*TypeError.*generator"),
        (Raises(ValueError("no")), r"type \S*Raises cannot be written.*ValueError: no"),
        (Raises(MemoryError()), "MemoryError"),
        (Raises(SystemExit(3)), "SystemExit: 3"),
        (Raises(UnsayableError()), "UnsayableError"),
    ],
    ids=lambda value: str(type(value)) if not isinstance(value, str) else "",
)
def test_what_cannot_be_written_names_its_type_and_the_cause(value: Any, words: str) -> None:
    with pytest.raises(CodecError, match=words) as caught:
        blob_of(value)
    assert caught.value.__cause__ is not None


def test_an_interrupt_stays_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        blob_of(Raises(KeyboardInterrupt()))


def test_a_dict_that_changes_meanwhile_is_written_as_it_was_at_some_moment() -> None:
    # keys of one moment with the values of the next would be a value that never was
    value = {0: 0}
    changes = 0

    def change(*_: Any) -> None:
        """What another thread could do between any two steps."""
        nonlocal changes
        changes += 1
        value[changes] = changes
        del value[changes - 1]

    before = sys.getprofile()
    sys.setprofile(change)
    try:
        stream, beside = write_plain(value)
    finally:
        sys.setprofile(before)
    assert changes > 5
    back = read_plain(stream, [memoryview(data) for data in beside])
    assert all(key == item for key, item in back.items())


def test_one_codec_serves_many_threads() -> None:
    codec = Codec(KEY)
    wrong: list[int] = []

    def work(number: int) -> None:
        for i in range(300):
            place = f"{number}/{i}"
            if codec.decode(b"".join(codec.encode([number, i], place)), place) != [number, i]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_read_does_not_depend_on_the_blob_s_memory() -> None:
    for value in (b"x" * 100_000, "é" * 100_000, bytearray(100_000), list(range(20_000))):
        memory = bytearray(blob_of(value))
        back = Codec(KEY).decode(memoryview(memory), PLACE)
        memory[:] = bytes(len(memory))
        assert same(back, value)


def test_large_bytes_are_handed_on_where_they_lie() -> None:
    data = bytes(1_000_000)
    chunks = Codec(KEY).encode({"data": data}, PLACE)
    assert any(chunk is data for chunk in chunks)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(UsageError, match="16 bytes or more, and this one 3"):
        Codec(b"key")
