"""Operators on lazy values are nodes: what Python gives at once, they give when it is there."""

from __future__ import annotations

import datetime as dt
import functools
import operator
import pickle
import threading
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import LazyValueError, TaskDefinitionError, TaskFailedError
from cascade_nb.executors import LocalExecutor
from cascade_nb.graph import from_json, to_json
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.model import unpacked


@cs.task(executor="inline")
def give(x: Any) -> Any:
    return x


@cs.task
def two() -> tuple[int, str]:
    return 2, "b"


class Point(NamedTuple):
    x: int
    y: int


def _expressions() -> st.SearchStrategy[Any]:
    """Functions of one number that use operators, on either side of it."""
    signs = [
        operator.add,
        operator.sub,
        operator.mul,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
        operator.and_,
        operator.or_,
        operator.xor,
    ]
    unary = [operator.neg, operator.pos, operator.invert, abs]
    return st.recursive(
        st.just(lambda x: x),
        lambda inner: (
            st.tuples(st.sampled_from(signs), inner, inner | _constants()).map(_applied)
            | st.tuples(st.sampled_from(signs), _constants(), inner).map(_applied)
            | st.tuples(st.sampled_from(unary), inner).map(_applied)
        ),
        max_leaves=6,
    )


def _constants() -> st.SearchStrategy[Any]:
    return st.integers(-9, 9).map(lambda n: lambda x: n)


def _applied(parts: tuple[Any, ...]) -> Any:
    sign, *inner = parts
    return lambda x: sign(*(one(x) for one in inner))


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")
@given(_expressions(), st.integers(-9, 9))
def test_an_expression_of_lazy_values_gives_what_python_gives(expression: Any, number: int) -> None:
    asked = expression(give(number))
    assert cs.run(asked) == expression(number)


@pytest.mark.parametrize(
    "expression",
    [
        lambda x: x / 4,
        lambda x: 4 / x,
        lambda x: x // 4,
        lambda x: 9 // x,
        lambda x: x % 4,
        lambda x: 9 % x,
        lambda x: x**2,
        lambda x: 2**x,
        lambda x: [1, 2] * x,
        lambda x: sum([x, x, 1]),
    ],
)
def test_division_and_powers_work_on_both_sides(expression: Any) -> None:
    assert cs.run(expression(give(5))) == expression(5)


def test_items_and_slices_are_nodes_with_lazy_keys_too() -> None:
    table = give({"a": [1, 2, 3], ("k", 1): 4})
    rows = table["a"]
    assert cs.run([rows, rows[0], rows[1:], rows[::-1], table["k", 1]]) == [
        [1, 2, 3],
        1,
        [2, 3],
        [3, 2, 1],
        4,
    ]
    assert cs.run(rows[give(2)]) == 3
    assert cs.run(give.map(x=[5, 6])[1]) == 6
    assert cs.run(cs.Param("n", 3) * 2, params={"n": 4}) == 8


def test_arrays_and_tables_on_the_left_leave_it_to_the_lazy_value() -> None:
    array, series = np.array([1, 2, 3]), pd.Series([1, 2, 3])
    for left in (array, series):
        for sign in (operator.add, operator.sub, operator.mul, operator.lt, operator.ge):
            for right in (array, series):
                asked = sign(left, give(right))
                assert isinstance(asked, cs.LazyResult)
                assert list(cs.run(asked)) == list(sign(left, right))
    assert cs.run(array @ give(array)) == 14
    frame = give(pd.DataFrame({"c": [1, 2, 3]}))
    assert cs.run(frame[frame["c"] > 1]["c"][2]) == 3


class Counting(LocalExecutor):
    """Counts what ran in its threads."""

    jobs = 0

    def submit(self, job: Any) -> None:
        self.jobs += 1
        super().submit(job)


class Slow:
    def __add__(self, other: Any) -> str:
        return threading.current_thread().name


LARGE = np.arange(100_000)


@pytest.mark.parametrize(
    ("left", "operation", "is_inline"),
    [
        (3, lambda x: (x + 1) * 2 - x, True),
        (7, lambda x: x**2 % 5 < 3, True),
        (10**300, lambda x: x + x, True),
        ("ab", lambda x: x + "c", True),
        ({"a": [1, 2, {"b": 3}]}, lambda x: x["a"][2]["b"], True),
        (list(range(200)), lambda x: x[1:5], True),
        ((1, "b"), lambda x: list(unpacked(x, 2)), True),
        (dt.timedelta(2), lambda x: x - dt.timedelta(1), True),
        (np.float64(2), lambda x: x * 3, True),
        (np.arange(10), lambda x: (x * 3)[2], True),
        (LARGE, lambda x: x < 3, False),
        (3, lambda x: x + LARGE, False),
        (list(range(1000)), lambda x: x[0], False),
        ([[i] * 100 for i in range(100)], lambda x: x[0], False),
        ("a" * 100_000, lambda x: x + "b", False),
        ("%1000d", lambda x: x % 3, False),
        ([1], lambda x: x * 1000, False),
        (2, lambda x: x**100_000, False),
        ([1 << 100_000], lambda x: x[0] % 7, False),
        (pd.DataFrame({"a": [1]}), lambda x: x["a"], False),
        (Slow(), lambda x: x + 1, False),
        (np.array([Slow()]), lambda x: x + 1, False),
    ],
)
async def test_an_operator_runs_on_the_loop_only_where_its_operands_are_tiny(
    left: Any, operation: Any, is_inline: bool
) -> None:
    executor = Counting(1)
    engine = Engine(executor=executor)
    value = await engine.run(operation(give(left)))
    if is_inline:
        assert value == (list(left) if isinstance(left, tuple) else operation(left))
    if isinstance(left, Slow):
        assert value != threading.current_thread().name
    assert bool(executor.jobs) is not is_inline
    await engine.aclose()


def test_operators_differ_in_their_keys_by_sign_key_and_side() -> None:
    x = give(1)
    asked = [
        x[0],
        x[1],
        x["0"],
        x[0:1],
        x[0:2],
        x + 1,
        1 + x,
        x - 1,
        1 - x,
        x < 1,
        x > 1,
        -x,
        +x,
        ~x,
    ]
    asked += [*unpacked(x, 2), *unpacked(x, 3), *unpacked(x, 3, 1)]
    keys = [fingerprints(cs.build_graph(one))[-1] for one in asked]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert fingerprints(cs.build_graph(give(1)[0]))[-1] == keys[0]


def test_a_kept_result_of_an_operator_stands_until_its_input_changes() -> None:
    assert [cs.run((give(n) + 1).named("kept")) for n in (1, 1, 2)] == [2, 2, 3]


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda x: x["c"], 'give["c"]'),
        (lambda x: x[1:3][::2], "give[1:3][::2]"),
        (lambda x: (x + 1) * 2 - x, "((give + 1) * 2) - give"),
        (lambda x: -x[0] < 5, "-give[0] < 5"),
        (lambda x: x.named("x")[0, "k"], 'x[0, "k"]'),
        (lambda x: x[lambda: 0], "give[<function>]"),
        (lambda x: x + (1 << 20_000), "give + <int>"),
        (lambda x: x["long" * 100], 'give["longlonglonglonglonglong…"]'),
        (
            lambda x: functools.reduce(operator.add, [x] * 3000),
            "(((… + give) + give) + give) + give",
        ),
    ],
)
def test_an_operation_is_shown_as_it_was_written(make: Any, label: str) -> None:
    asked = make(give(1))
    assert asked.label == label
    assert cs.build_graph(asked).nodes[-1].label == label


def test_operations_travel() -> None:
    asked = give({"a": [1, 2]})["a"][0] + 1
    assert cs.run(from_json(to_json(cs.build_graph(asked)))) == 2
    task = asked.task
    assert pickle.loads(pickle.dumps(task)) is task


def test_a_result_is_unpacked_by_what_its_task_says_of_it() -> None:
    @cs.task(outputs=3)
    def three(n: int) -> Any:
        return {"a": 1, "b": 2, "c": 3} if n else "xyz"

    @cs.task
    def point() -> Point:
        return Point(1, 2)

    a, b = two()
    c, d, e = three(1)
    x, y = point()
    (f, g), *_ = [two()]
    assert cs.run([a, b, c, d, e, x, y, f, g]) == [2, "b", "a", "b", "c", 1, 2, 2, "b"]
    assert cs.run(list(three(0))) == ["x", "y", "z"]


def test_annotations_are_read_as_text_and_as_types() -> None:
    def of(annotation: Any) -> int | None:
        def f() -> None: ...

        f.__annotations__["return"] = annotation
        return cs.task(f).outputs

    said = [
        tuple[int, str],
        "tuple[int, str]",
        "typing.Tuple[int, str]",
        "'tuple[int, str]'",
        Point,
    ]
    assert [of(one) for one in said] == [2] * 5
    assert of("Point") == 2
    assert of(tuple[int]) == of("tuple[int]") == 1
    silent = [
        int,
        "int",
        tuple,
        "tuple",
        tuple[int, ...],
        "tuple[int, ...]",
        "list[int]",
        "(",
        None,
    ]
    assert [of(one) for one in silent] == [None] * 9


def test_a_result_that_says_nothing_is_not_unpacked() -> None:
    with pytest.raises(LazyValueError, match=r"outputs=2"):
        _a, _b = give((1, 2))
    with pytest.raises(LazyValueError, match=r"cannot be looped over"):
        list(give.map(x=[1, 2]))


@pytest.mark.parametrize("outputs", [0, -1, True, 2.0, "2"])
def test_a_number_of_outputs_that_makes_no_sense_is_refused(outputs: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"outputs is how many"):
        cs.task(outputs=outputs)(lambda: None)


@pytest.mark.parametrize("value", [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], "ab", 5])
@pytest.mark.parametrize("star", [None, 0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_unpacking_gives_what_python_gives_or_fails_as_python_does(
    value: Any, count: int, star: int | None
) -> None:
    if star is not None and star >= count:
        return
    names = [f"*n{i}" if i == star else f"n{i}" for i in range(count)]
    script = f"{', '.join(names)}, = value\nfound = [{', '.join(n.strip('*') for n in names)}]"
    space = {"value": value}
    failure: Exception | None = None
    try:
        exec(script, space)
    except Exception as error:
        failure = error
    asked = list(unpacked(give(value), count, star))
    if failure is None:
        assert cs.run(asked) == space["found"]
        return
    with pytest.raises(TaskFailedError) as caught:
        cs.run(asked)
    cause = caught.value.__cause__
    assert type(cause) is type(failure)
    assert isinstance(failure, TypeError) or str(cause) == str(failure)
