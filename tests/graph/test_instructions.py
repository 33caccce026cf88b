"""Instructions come one by one, whatever a Python puts together."""

from __future__ import annotations

import argparse
import types
from collections.abc import Iterator

import pytest

from cascade_nb.graph.code.instructions import instructions_of
from cascade_nb.graph.uses.given import PARAMETER, PlainArgument
from cascade_nb.graph.uses.uses import uses_of


def codes(space: dict[str, object]) -> Iterator[types.CodeType]:
    for value in space.values():
        if isinstance(value, types.FunctionType):
            yield value.__code__
        elif isinstance(value, type):
            yield from codes(dict(vars(value)))


def test_every_variable_is_loaded_and_stored_by_an_instruction_of_its_own() -> None:
    seen = 0
    for code in codes(vars(argparse)):
        for one in instructions_of(code):
            if one.opname.startswith(("LOAD_FAST", "STORE_FAST")):
                assert one.argval in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
                seen += 1
    assert seen > 1_000


def test_no_two_instructions_have_one_offset() -> None:
    for code in codes(vars(argparse)):
        offsets = [one.offset for one in instructions_of(code)]
        assert offsets == sorted(set(offsets))


def stores_and_loads(a: str, b: str) -> None:
    first = a
    open(first, b)  # noqa: SIM115, PTH123 - it is only read
    open(a, b)  # noqa: SIM115, PTH123
    open(a, mode=b)  # noqa: SIM115, PTH123


@pytest.mark.parametrize("given", [(PlainArgument(PARAMETER, "a"), PlainArgument(PARAMETER, "b"))])
def test_what_is_given_to_a_call_is_told_one_by_one(given: tuple[PlainArgument, ...]) -> None:
    calls = [use.given for use in uses_of(stores_and_loads.__code__) if use.names == ("open",)]
    assert given in calls
    assert all(one[-1].name == "b" for one in calls)
