"""Whatever Python or a notebook asks of the objects that a user has works as Python would have it,
or is refused with an error of Python's own kind or of ours; nothing starts, ends or changes by it.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import json
import operator
import os
import pickle
import pprint
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import CascadeError, RunCancelledError, TaskFailedError


@cs.task
def give(x: int = 1) -> int:
    return x


@cs.task
def fail() -> None:
    raise ValueError("no")


@cs.task
def held(x: int) -> int:
    return x


@cs.resource
def disk() -> Iterator[int]:
    yield 1


class Odd:
    """What equals nothing and has no order."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return NotImplemented


def _told(of: Any, words: str) -> None:
    exec(words, {"it": of})


async def _async_with(it: Any) -> None:
    async with it:
        pass


async def _async_for(it: Any) -> None:
    async for _ in it:
        pass


ASKED: Final[dict[str, Callable[[Any], object]]] = {
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "reduce": lambda it: it.__reduce_ex__(4),
    "json": json.dumps,
    "hash": hash,
    "equal": lambda it: (it == 1, it is None, it == Odd(), it != "x", it == it),  # noqa: PLR0124
    "order": lambda it: it < 1,
    "order of two": lambda it: sorted([it, it]),
    "truth": bool,
    "length": len,
    "items": list,
    "next": next,
    "reversed": reversed,
    "mapping": lambda it: dict(**it),
    "contains": lambda it: operator.contains(it, 1),
    "item": lambda it: it[0],
    "item by name": lambda it: it["nonsense"],
    "slice": lambda it: it[1:2],
    "set item": lambda it: _told(it, "it[0] = 1"),
    "delete item": lambda it: _told(it, "del it[0]"),
    "match": lambda it: _told(it, "match it:\n case [a, *b]: pass\n case {'x': 1}: pass"),
    "call": lambda it: it(object(), nonsense=1),
    "with": lambda it: _told(it, "with it: pass"),
    "async with": lambda it: asyncio.run(_async_with(it)),
    "async for": lambda it: asyncio.run(_async_for(it)),
    "add": lambda it: it + object(),
    "added to": lambda it: object() + it,
    "add in place": lambda it: _told(it, "it += 1"),
    "negative": operator.neg,
    "power": lambda it: pow(it, 2, 3),
    "rounded": round,
    "int": int,
    "float": float,
    "index": lambda it: [1, 2][it],
    "bytes": bytes,
    "path": os.fspath,
    "array": lambda it: it.__array__(),
    "format": lambda it: (format(it), f"{it!s:>10}", f"{it!r}"),
    "format of a number": lambda it: f"{it:10.2f}",
    "repr": lambda it: (repr(it), str(it), repr([it, {1: it}]), pprint.pformat(it)),
    "print": lambda it: print(it, file=io.StringIO()),
    "html": lambda it: it._repr_html_(),
    "mime": lambda it: it._repr_mimebundle_(include=["text/plain"], exclude=[]),
    "display": lambda it: it._ipython_display_(),
    "dir": dir,
    "vars": lambda it: sorted(vars(it)),
    "nonsense": lambda it: it.nonsense_of_mine,
    "special nonsense": lambda it: it.__nonsense__,
    "set nonsense": lambda it: setattr(it, "nonsense", 1),
    "delete nonsense": lambda it: delattr(it, "nonsense"),
    "weakref": lambda it: weakref.ref(it)() is it,
    "instance": lambda it: isinstance(1, it),
    "subclass": lambda it: issubclass(int, it),
    "signature": inspect.signature,
    "inspect": lambda it: (inspect.isawaitable(it), inspect.getdoc(it), callable(it)),
    "of a type": lambda it: type(it)[int],
}


@pytest.fixture
def things(engine: Engine) -> dict[str, Any]:
    """One of each kind that a user has in hand, in each of its states."""
    done, failed, held_back = (engine.start(one) for one in (give(1), fail(), give(3)))
    engine.pause("task:held")
    cancelled, goes_on = engine.start(held(1)), engine.start(held(2))
    cancelled.cancel()
    done.result(), held_back.result()
    with pytest.raises(TaskFailedError) as error:
        failed.result()
    with pytest.raises(RunCancelledError):
        cancelled.result()
    closed = Engine()
    closed.close()
    return {
        "run that goes on": goes_on,
        "run that is done": done,
        "run that failed": failed,
        "run that was cancelled": cancelled,
        "error": error.value,
        "call": give(2),
        "lazy value": give.lazy(2),
        "map": give.map(x=[1, 2]),
        "item": give.map(x=[1, 2])[0],
        "router": cs.Router(give(1), {1: give(2)}),
        "param": cs.Param("rate", 0.1),
        "question": cs.ask("Is it right?"),
        "task": give,
        "resource": disk,
        "injected": cs.inject(disk),
        "graph": cs.build_graph(give(1)),
        "retry": cs.Retry(2),
        "plan": asyncio.run(engine.plan(give(1))),
        "status": done.status,
        "status of all": cs.status(),
        "constraint": engine.constraints.constraints()[0],
        "constraints": engine.constraints,
        "bus": engine.bus,
        "engine": engine,
        "closed engine": closed,
    }


def test_whatever_is_asked_of_an_object_works_or_is_refused_and_changes_nothing(
    things: dict[str, Any], engine: Engine
) -> None:
    before = engine.constraints.constraints(), list(engine.runs)
    wrong: list[str] = []
    for name, thing in things.items():
        for asked, ask in ASKED.items():
            try:
                ask(thing)
            except (CascadeError, TypeError, AttributeError):
                pass
            except BaseException as error:
                wrong.append(f"{asked} of {name}: {error!r}")
    goes_on = things["run that goes on"]
    assert wrong == []
    assert (engine.constraints.constraints(), list(engine.runs)) == before
    assert not goes_on.done()
    engine.resume("task:held")
    assert goes_on.result() == 2
