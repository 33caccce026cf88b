"""A memory guard opens and closes without flapping, and suspends the largest, never all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.control.constraint import Constraint, new_constraint, parse_scope
from cascade_nb.control.constraint_numbers import parse_memory
from cascade_nb.control.gate_kinds.machine_memory import Reading
from cascade_nb.control.gate_kinds.memory_guard import GAP, GuardGate
from cascade_nb.errors import ConstraintError

parts = st.integers(0, 100).map(lambda n: n / 100)


def guard_of(memory: float, suspend: bool = False) -> GuardGate:
    return GuardGate(Constraint(parse_scope("global"), "guard", memory=memory, suspend=suspend))


def is_closed(gate: GuardGate) -> bool:
    return gate.refuses(None, 0.0)  # type: ignore[arg-type]


@given(st.integers(5, 100).map(lambda n: n / 100), st.lists(parts, max_size=20))
def test_it_closes_above_and_opens_a_little_below(most: float, seen: list[float]) -> None:
    gate = guard_of(most)
    assert is_closed(gate), "nothing starts before the first look"
    low, expected = most - min(GAP, most / 10), False
    for fraction in seen:
        before, known = is_closed(gate), gate.reading is not None
        moved = gate.note(Reading(round(fraction * 10_000), 10_000))
        expected = fraction > low if known and expected else fraction > most
        assert is_closed(gate) == expected
        assert moved == (before != expected)


@given(st.integers(5, 100).map(lambda n: n / 100), st.integers(2, 30))
def test_it_does_not_flap_at_the_limit(most: float, looks: int) -> None:
    gate = guard_of(most)
    around = [most + 0.004, most - 0.004]
    moves = [gate.note(Reading(int(around[n % 2] * 100_000), 100_000)) for n in range(looks)]
    assert sum(moves[1:]) <= 1


def test_what_cannot_be_read_holds_nothing_and_says_so() -> None:
    gate = guard_of(0.5)
    assert gate.note(None, trouble="no such file")
    assert not is_closed(gate)
    assert gate.trouble == "no such file"
    gate.look_again()
    assert is_closed(gate)


@given(
    st.dictionaries(st.integers(0, 5), st.integers(0, 99), max_size=6),
    st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20),
)
def test_it_suspends_the_largest_first_and_never_all(
    sizes: dict[Any, int], looks: list[tuple[bool, bool]]
) -> None:
    gate = guard_of(0.5, suspend=True)
    for closed, one_ends in looks:
        gate.note(Reading(9 if closed else 1, 10))
        if one_ends and sizes:
            sizes = {name: size for name, size in sizes.items() if name != max(sizes)}
        before = {one for one in gate.stopped if one in sizes}
        moved = gate.balance(sizes)
        after = set(gate.stopped)
        assert moved == (before != after)
        assert len(before ^ after) <= 1
        assert not sizes or len(after) < len(sizes), "one always runs"
        for stopped in after - before:
            assert closed
            assert sizes[stopped] == max(s for n, s in sizes.items() if n not in before)
        for woken in before - after:
            assert sizes[woken] == min(sizes[n] for n in before)
            assert not closed or before == set(sizes)
        if not closed and before:
            assert len(after) == len(before) - 1


@pytest.mark.parametrize(
    ("said", "part"), [("85%", 0.85), (" 7.5 % ", 0.075), (0.5, 0.5), (1, 1.0), ("100%", 1.0)]
)
def test_a_part_of_the_memory_is_written_as_a_percentage(said: Any, part: float) -> None:
    assert parse_memory(said) == pytest.approx(part)


@pytest.mark.parametrize(
    "said",
    [
        "85",
        "0%",
        "101%",
        "-5%",
        "5 GB",
        "",
        "%",
        0,
        85,
        -0.1,
        True,
        None,
        [],
        10**400,
        "1e3%",
        "\N{ARABIC-INDIC DIGIT FIVE}%",
    ],
)
def test_what_is_no_part_is_refused(said: Any) -> None:
    with pytest.raises(ConstraintError, match="is no part of the memory; write it as in '85%'"):
        new_constraint(parse_scope("global"), "guard", {"memory": said})


def test_of_the_rest_too_a_guard_takes_only_what_it_can_be() -> None:
    with pytest.raises(ConstraintError, match="suspend is True or False, not 'yes'"):
        new_constraint(parse_scope("global"), "guard", {"memory": "5%", "suspend": "yes"})
    with pytest.raises(ConstraintError, match="guard needs 'memory'"):
        new_constraint(parse_scope("global"), "guard", {})


def test_where_nothing_says_how_much_is_used_there_is_no_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(ConstraintError, match="on Linux alone, not on darwin"):
        new_constraint(parse_scope("global"), "guard", {"memory": "5%"})
