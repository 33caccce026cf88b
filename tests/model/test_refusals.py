"""Every use of a lazy value as a value is refused, by one kind of error that says what to do."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import math
import operator
import os
import pickle
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cascade_nb as cs
from cascade_nb.errors import LazyValueError
from cascade_nb.model.lazy.refusals import LazyValueWarning, use_ways
from cascade_nb.model.tasks.found_lazies import said_of_lazies


@cs.task
def load() -> int:
    return 3


x = load()


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: Any


def _set(thing: Any) -> None:
    thing["a"] = 1


def _delete(thing: Any) -> None:
    del thing["a"]


def _columns(thing: Any) -> None:
    thing.columns = ["a"]


def _entered(thing: Any) -> None:
    with thing:
        pass


async def _awaited(thing: Any) -> Any:
    return await thing


async def _entered_async(thing: Any) -> None:
    async with thing:
        pass


async def _looped(thing: Any) -> None:
    async for _ in thing:
        pass


USES: dict[str, Callable[[Any], Any]] = {
    "==": lambda v: v == 3,
    "== None": lambda v: v == None,  # noqa: E711
    "reflected ==": lambda v: "a".__class__("a") == v,
    "!=": lambda v: v != "a",
    "in it": lambda v: 1 in v,
    "in a list": lambda v: v in [1, 2],
    "truth": bool,
    "not": lambda v: not v,
    "and": lambda v: v and 1,
    "chained": lambda v: 0 < v < 9,
    "sorted": lambda v: sorted([v, load()]),
    "max": lambda v: max(v, 3),
    "str": str,
    "print": print,
    "f-string": lambda v: f"{v:.2f}",
    "%": lambda v: operator.mod("%s", v),
    "format": "{}".format,
    "int": int,
    "float": float,
    "complex": complex,
    "bytes": bytes,
    "index": lambda v: [1, 2][v],
    "range": range,
    "round": round,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "divmod": lambda v: divmod(v, 2),
    "shift": lambda v: v << 1,
    "power with modulo": lambda v: pow(v, 2, 3),
    "len": len,
    "key": lambda v: {v: 1},
    "key of a comprehension": lambda v: {one: id(one) for one in [v]},
    "look-up": lambda v: {"a": 1}[v],
    "get": {"a": 1}.get,
    "setdefault": lambda v: {"a": 1}.setdefault(v, 1),
    "pop": lambda v: {"a": 1}.pop(v, None),
    "in a dictionary": lambda v: v in {"a": 1},
    "in a set": lambda v: v in {"a", "b"},
    "in a set of lazy values": lambda v: v in {*[v]},
    "add": lambda v: set().add(v),
    "discard": {1}.discard,
    "unique": lambda v: set([v, v]),  # noqa: C405 - what people write for a list that they have
    "counter": lambda v: Counter([v]),
    "keys": dict.fromkeys,
    "cached": functools.cache(abs),
    "frozen": lambda v: hash(Frozen(v)),
    "hash": hash,
    "loop": list,
    "star": lambda v: [*v],
    "reversed": reversed,
    "dict": dict,
    "call": lambda v: v(1),
    "array": np.array,
    "array of two": lambda v: np.array([v, v]),
    "ufunc": np.sqrt,
    "reduction": np.add.reduce,
    "mean": np.mean,
    "array ==": lambda v: np.array([1]) == v,
    "in place": lambda v: operator.iadd(np.array([1]), v),  # type: ignore[no-untyped-call]
    "series": pd.Series,
    "series ==": lambda v: pd.Series([1]) == v,
    "frame": pd.DataFrame,
    "item set": _set,
    "item deleted": _delete,
    "attribute": lambda v: v.shape,
    "result": lambda v: v.result(),
    "compute": lambda v: v.compute(),
    "attribute set": _columns,
    "await": lambda v: asyncio.run(_awaited(v)),
    "with": _entered,
    "async with": lambda v: asyncio.run(_entered_async(v)),
    "async for": lambda v: asyncio.run(_looped(v)),
    "open": os.fspath,
    "path": Path,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_use_as_a_value_says_the_three_ways(use: Callable[[Any], Any]) -> None:
    if use is Path and sys.version_info >= (3, 12):
        # It says itself what it takes, instead of what the value said; below it stands the rest.
        with pytest.raises(TypeError, match=r"os\.PathLike") as refused:
            use(x)
        assert "gives its value now" in str(said_of_lazies(refused.value))
        return
    with pytest.raises(LazyValueError) as caught:
        use(x)
    words = str(caught.value)
    assert re.match(
        r"load( [<>] (\d|load))? is not computed yet|a lazy value cannot be changed", words
    )
    assert words.endswith(
        "cs.run(…) gives its value now; a task that is given it gets the value when it is there; "
        "a function without @cs.task runs at once"
    )


@cs.task
def each(n: int) -> int:
    return n


@pytest.mark.parametrize(
    "lazy",
    [each.map(n=[1]), cs.Param("n"), cs.Router(x, {3: x}), x[0], x + 1],
    ids=["map", "param", "router", "item", "sum"],
)
@pytest.mark.parametrize("use", [str, bool, len, lambda v: v == 3, lambda v: v.shape, _set])
def test_every_kind_of_lazy_value_refuses(lazy: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(LazyValueError, match=r"gives its value now"):
        use(lazy)


def test_lazy_values_compare_by_identity() -> None:
    other = load()
    assert x == x  # noqa: PLR0124
    assert x != other
    assert not x == other  # noqa: SIM201
    assert x in [other, x]


@cs.task
def joined(values: Any) -> str:
    return f"{type(values).__name__} {sorted(values)}"


@cs.task
def fan_out(kind: str) -> Any:
    if kind == "written":
        return {load.lazy(), each.lazy(1), each.lazy(2)}
    if kind == "unpacked":
        return {*[load.lazy(), each.lazy(1)], 2}
    return {each.lazy(n) for n in (1, 2, 3)}


def test_sets_of_lazy_values_are_written_run_given_and_returned() -> None:
    several = {load(), each(1), 2}
    assert cs.run(several) == {1, 2, 3}
    assert cs.run(joined(several)) == "set [1, 2, 3]"
    assert cs.run(joined(frozenset({each(2), each(1)}))) == "frozenset [1, 2]"
    assert cs.run(joined({each(n) for n in (1, 2, 1)} | {load()})) == "set [1, 2, 3]"
    for kind in ("written", "unpacked", "comprehension"):
        assert cs.run(fan_out(kind)) == {1, 2, 3}


def test_sets_of_lazy_values_travel() -> None:
    for asked in (
        joined({each(1), load()}),
        joined(values=frozenset({each(1), load()})),
        joined({"a": [{each(1)}]}),
        joined.map(values=[{each(1), load()}]),
    ):
        back = pickle.loads(pickle.dumps(asked))
        assert cs.run(back) == cs.run(asked)
        assert cs.run(copy.deepcopy([asked])) == [cs.run(asked)]


def test_probes_find_nothing_and_raise_nothing() -> None:
    assert not hasattr(x, "shape")
    assert not hasattr(x, "_repr_html_")
    assert getattr(x, "shape", None) is None
    assert repr(x) == "<lazy load>"
    assert copy.copy(x) is copy.deepcopy(x) is x
    assert inspect.getmembers(type(x))
    assert dir(x)
    assert isinstance(x, cs.LazyResult)


def test_where_errors_are_read_the_ways_can_be_other_words() -> None:
    undo = use_ways(lambda lazy: f"ask for {lazy.label}")
    try:
        with pytest.raises(LazyValueError, match=r"so it has no length; ask for load$"):
            len(x)
    finally:
        undo()
    with pytest.raises(LazyValueError, match=r"runs at once$"):
        len(x)


def test_a_pipeline_goes_through_no_lazy_value() -> None:
    with pytest.raises(cs.errors.UsageError, match=r"goes through tasks"):
        cs.pipeline(1, x)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "use",
    [
        lambda v: pd.Series([1, 2]).isin([v]),
        lambda v: pd.DataFrame({"a": [1, 2]}).isin([v]),
        lambda v: pd.Index([1, 2]).isin([v]),
        lambda v: pd.Series(["a"], dtype=object).isin([v]),
        lambda v: pd.Series([v, v], dtype=object).duplicated(),
        lambda v: pd.Series([v], dtype=object).equals(pd.Series([1], dtype=object)),
    ],
)
def test_where_pandas_loses_errors_a_warning_tells_of_them(use: Callable[[Any], Any]) -> None:
    with pytest.warns(LazyValueWarning, match=r"finds nothing by it; cs\.run") as told:
        use(x)
    assert {one.filename for one in told} == {__file__}


@pytest.mark.parametrize(
    "use",
    [
        lambda v: np.array_equal([1], v),
        lambda v: np.array_equal([1], [v]),
        lambda v: np.array_equiv([1, 2], [v]),
        lambda v: np.allclose([1], v),
        np.mean,
        lambda v: np.where(v, 1, 0),
        lambda v: np.concatenate([v, v]),
        lambda v: np.isin([1], v),
    ],
)
def test_functions_of_numpy_refuse_it_also_those_that_lose_errors(
    use: Callable[[Any], Any],
) -> None:
    with pytest.raises(LazyValueError, match=r"not computed yet.*cs\.run"):
        use(x)


@pytest.mark.parametrize("operation", [lambda v: divmod(v, 2), lambda v: divmod(7, v)])
def test_divmod_says_what_does_work(operation: Callable[[Any], Any]) -> None:
    with pytest.raises(LazyValueError, match=r"divmod\(\) cannot take it \(`//` and `%` can\)"):
        operation(x)
