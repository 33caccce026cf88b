"""What is refused is shown in the sentence that refuses it, whatever that does when it is asked for
its text: a whole number of very many digits has none in Python, and a class may raise.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable
from typing import Any, Final, Literal

import pytest

import cascade_nb as cs
from cascade_nb.errors import CascadeError
from cascade_nb.executors import LocalExecutor
from cascade_nb.model.params.field import text_of
from cascade_nb.text import kind_and_value, quoted
from tests.project.sources import PACKAGE


class Mute:
    """What has no text."""

    def __repr__(self) -> str:
        raise OSError("no text")


LARGE: Final = 10**5000
ODD: Final[dict[str, Any]] = {
    "a number": LARGE,
    "its digits": "1" * 5000,
    "its digits below zero": "-" + "1" * 5000,
    "JSON with it": '{"a": ' + "1" * 5000 + "}",
    "what has no text": Mute(),
    "some of these": [LARGE, Mute()],
}


@cs.task
def give(x: Any = 1) -> Any:
    return x


@cs.task
def fail(x: Any) -> Any:
    raise ValueError(x)


def _given(kind: Any) -> Callable[[Any], Any]:
    return lambda odd: cs.Param("p", type=kind).checked(odd)


def _asked(kind: Any) -> Callable[[Any], Any]:
    return lambda odd: cs.ask("How many?", type=kind, default=odd)


DOORS: Final[dict[str, Callable[[Any], Any]]] = {
    "a retry": lambda odd: give().with_retry(odd),
    "a delay": lambda odd: give().with_retry(2, delay=odd),
    "a backoff": lambda odd: give().with_retry(2, backoff=odd),
    "a jitter": lambda odd: give().with_retry(2, jitter=odd),
    "a timeout": lambda odd: give().with_timeout(odd),
    "a time to live": lambda odd: give().with_cache(ttl=odd),
    "an amount": lambda odd: give().with_constraints(gpu=odd),
    "a priority": lambda odd: give().with_priority(odd),
    "a priority of a run": lambda odd: cs.start(give(), priority=odd).cancel(),
    "a limit": lambda odd: cs.limit("task:nobody", odd),
    "a rate": lambda odd: cs.rate("task:nobody", odd),
    "a time of a pause": lambda odd: cs.pause("task:nobody", ttl=odd),
    "a wait": lambda odd: cs.start(give()).result(odd),
    "a grace": lambda odd: cs.Engine(grace=odd).close(),
    "a lease": lambda odd: cs.Engine(lease=odd).close(),
    "what a machine has": lambda odd: cs.Engine(system_resources={"gpu": odd}).close(),
    "a number of threads": LocalExecutor,
    "an age": cs.clean,
    "a run": cs.attach,
    "an item": lambda odd: cs.start(give()).why(f"give[{odd if isinstance(odd, str) else 1}]"),
    "a place": cs.use_state,
    "a limit of a place": lambda odd: cs.use_state(f"memory:?limit={quoted(odd)}"),
    "a port of a place": lambda odd: cs.use_state(f"redis://localhost:{quoted(odd)}/0"),
    "an address of a place": lambda odd: cs.use_state(f"redis://[{quoted(odd)}/0"),
    "a port of a broker": lambda odd: cs.Engine(connector=f"mqtt://localhost:{quoted(odd)}"),
    "a branch": lambda odd: cs.run(cs.Router(give(odd), {7: give(1)})),
    "a branch by name": lambda odd: cs.Router(odd, {7: give(1)}),
    "an axis": lambda odd: cs.run(cs.grid(give.map(x=[odd, 1], how="product"))).at(x=7),
    "no question": cs.ask_again,
    "how": lambda odd: give.map(x=[1], how=odd),
    "sharing": lambda odd: cs.start(give(), share=odd),
    "an order after errors": lambda odd: cs.start(give(), on_error=odd),
    "a scope of a resource": lambda odd: cs.resource(scope=odd),
    "what fails": lambda odd: cs.run(fail(odd)),
    "items that fail": lambda odd: cs.run(fail.map(x=[odd])),
    **{
        f"{how} of {name}": door(kind)
        for how, door in (("a parameter", _given), ("an answer", _asked))
        for name, kind in {
            "int": int,
            "float": float,
            "complex": complex,
            "bool": bool,
            "str": str,
            "int or none": int | None,
            "numbers": list[int],
            "numbers by name": dict[str, int],
            "one of two": Literal[1, 2],
            "a day": dt.date,
            "a length of time": dt.timedelta,
            "a range": range(1, 11),
        }.items()
    },
}


@pytest.mark.parametrize("door", DOORS)
def test_what_has_no_text_is_taken_or_refused_in_a_sentence_of_bounded_length(door: str) -> None:
    for name, odd in ODD.items():
        try:
            DOORS[door](odd)
        except CascadeError as error:
            said = str(error)
            assert len(said) < 700, f"{name}: {said}"
            assert "report it" not in said, f"{name}: {said}"


def test_a_value_is_shown_by_its_start_or_by_its_class() -> None:
    assert quoted("a" * 100) == "'" + "a" * 59
    assert quoted([1, 2], 3) == "[1,"
    assert quoted(Mute()) == "<Mute that cannot be shown: OSError>"
    assert kind_and_value(3) == "the int 3"
    if sys.version_info >= (3, 11):
        assert quoted(LARGE) == "a whole number of some 5,001 digits"


def test_no_sentence_asks_a_value_for_its_text_in_another_way() -> None:
    cut = re.compile(r"!r:\.")
    found = [
        f"{path.name}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "text.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if cut.search(line)
    ]
    assert found == []


def test_a_form_shows_a_number_that_has_no_text() -> None:

    assert "digits" in text_of(LARGE)
