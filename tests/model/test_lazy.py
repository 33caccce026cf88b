"""A lazy value cannot be changed, and refuses to be taken for its result."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import LazyValueError, PolicyError, UsageError


@cs.task
def one() -> int:
    return 1


@cs.task
def double(x: int) -> int:
    return 2 * x


LAZIES = {
    "a call": lambda: double(1),
    "a map": lambda: double.map(x=[1, 2]),
    "a router": lambda: cs.Router(one(), {1: one()}),
}
every_kind = pytest.mark.parametrize("make", LAZIES.values(), ids=LAZIES)


@every_kind
@pytest.mark.parametrize(
    "change",
    [
        lambda lazy: lazy.named("n"),
        lambda lazy: lazy.tagged("t"),
        lambda lazy: lazy.after(one()),
        lambda lazy: lazy.run_if(False),
        lambda lazy: lazy.with_retry(2),
        lambda lazy: lazy.with_timeout(2),
        lambda lazy: lazy.with_constraints(gpu=1),
    ],
    ids=["named", "tagged", "after", "run_if", "with_retry", "with_timeout", "with_constraints"],
)
def test_every_option_gives_a_new_lazy_value(make: Any, change: Any) -> None:
    lazy = make()
    before = lazy.options
    changed = change(lazy)
    assert changed is not lazy
    assert type(changed) is type(lazy)
    assert changed.inputs == lazy.inputs
    assert lazy.options is before
    assert changed.options != before


@pytest.mark.parametrize("make", [LAZIES["a call"], LAZIES["a map"]], ids=["a call", "a map"])
def test_a_lazy_value_cannot_be_changed(make: Any) -> None:
    lazy = make()
    with pytest.raises(AttributeError, match=r"cannot be changed"):
        lazy.options = None
    with pytest.raises(AttributeError, match=r"cannot be changed"):
        lazy.anything = 1
    with pytest.raises(AttributeError, match=r"cannot be changed"):
        del lazy.task


def test_options_add_up() -> None:
    first, second = one(), one()
    lazy = double(1).tagged("a").tagged("b", "c").after(first).after(second)
    lazy = lazy.with_constraints(gpu=1).with_constraints(ram=2)
    assert lazy.options.tags == {"a", "b", "c"}
    assert lazy.options.after == (first, second)
    assert lazy.options.needs == {"gpu": 1, "ram": 2}


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (bool, "neither true nor false.*run_if"),
        (list, r"cannot be looped over.*map\("),
        (len, "has no length"),
        (lambda lazy: 3 in lazy, "nothing can be looked for in it"),
    ],
    ids=["truth", "loop", "length", "in"],
)
def test_using_it_as_a_value_says_what_to_do_instead(use: Any, words: str) -> None:
    with pytest.raises(LazyValueError, match=words) as caught:
        use(one())
    assert isinstance(caught.value, TypeError)


def test_an_attribute_of_the_result_is_refused_as_an_attribute() -> None:
    # It must be an AttributeError: copying, pickling and displays probe for attributes.
    with pytest.raises(AttributeError, match=r"one is not computed yet.*'columns'"):
        one().columns  # noqa: B018
    assert not hasattr(one(), "_repr_html_")


def test_equal_calls_are_two_pieces_of_work() -> None:
    assert one() != one()
    lazy = one()
    assert lazy == lazy  # noqa: PLR0124
    assert len({one(), one(), lazy, lazy}) == 3


def test_it_is_shown_by_its_name() -> None:
    assert repr(one()) == "<lazy one>"
    assert repr(one().named("first")) == "<lazy one as 'first'>"
    assert repr(double.map(x=[1])) == "<lazy map(double)>"


@every_kind
def test_a_copy_is_the_same_piece_of_work(make: Any) -> None:
    lazy = make()
    assert copy.copy(lazy) is lazy
    assert copy.deepcopy([lazy]) == [lazy]


def test_one_that_is_only_being_made_has_no_endless_look_up() -> None:
    with pytest.raises(AttributeError, match=r"has no options yet"):
        cs.LazyResult.__new__(cs.LazyResult).options  # noqa: B018


@pytest.mark.parametrize("name", ["", "a/b", "a#b", "a+b", "x" * 121, "tab\t", None, 3])
def test_an_impossible_name_is_refused(name: Any) -> None:
    with pytest.raises(UsageError):
        one().named(name)
    with pytest.raises(UsageError):
        one().tagged(name)


def test_after_takes_lazy_values_only() -> None:
    with pytest.raises(UsageError, match=r"\.after\(\) takes lazy values.*the int 3"):
        one().after(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), "5", True, None])
def test_an_impossible_timeout_is_refused(seconds: Any) -> None:
    with pytest.raises(PolicyError):
        one().with_timeout(seconds)


@pytest.mark.parametrize("amount", [-1, float("inf"), float("nan"), "1", True, None])
def test_an_impossible_need_is_refused(amount: Any) -> None:
    with pytest.raises(PolicyError):
        one().with_constraints(gpu=amount)


def test_a_plain_condition_is_settled_at_once() -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise RuntimeError("no truth")

    with pytest.raises(RuntimeError, match=r"no truth"):
        one().run_if(Odd())
    assert one().run_if([]).options.condition is False
    assert one().run_if("x").options.condition is True


async def _coroutine() -> bool:
    return False


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (lambda: False, r"the function <lambda> is given, and not called"),
        (one, r"the function one is given, and not called"),
        ("".isspace, r"the function isspace is given"),
        ((x for x in [1]), r"the generator .* is given, which nobody has asked"),
        ([one()], r"a list with lazy values in it"),
        ({"a": one()}, r"a dict with lazy values in it"),
    ],
    ids=["lambda", "task", "method", "generator", "list", "dict"],
)
def test_a_condition_that_is_always_true_by_mistake_is_refused(condition: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        one().run_if(condition)


def test_a_coroutine_is_no_condition() -> None:
    coroutine = _coroutine()
    with pytest.raises(UsageError, match="coroutine _coroutine is given, which nobody has asked"):
        one().run_if(coroutine)
    coroutine.close()


def test_a_second_condition_is_refused_rather_than_put_in_the_place_of_the_first() -> None:
    for first in (one(), False):
        with pytest.raises(UsageError, match="has a condition already"):
            one().run_if(first).run_if(True)
    assert isinstance(one().run_if(True).run_if(one()).options.condition, cs.LazyResult)
