"""Methods of users' objects are never asked while the engine is locked, nor on the loop.

Such a method may take as long as it likes, raise anything, or call back into this library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import CascadeError, RunCancelledError, RunFailures, TaskFailedError
from cascade_nb.state import MemoryState, SqliteState
from tests.engine.conftest import MakeEngine
from tests.engine.test_dataflow import task_for
from tests.engine.tools import PATIENCE, outcome, until

ASKED = "cascade_asked"  # in `sys`, since what a module of the user's holds would count in keys

#: What objects of the probe answer beyond what their base does.
ANSWERS: dict[str, Any] = {
    "__bool__": lambda self: True,
    "__len__": lambda self: 2,
    "__iter__": lambda self: iter((1, 2)),
    "__getitem__": lambda self, place: (1, 2)[place],
    "__contains__": lambda self, one: False,
    "__lt__": lambda self, other: True,
    "__index__": lambda self: 1,
    "__float__": lambda self: 1.0,
    "__call__": lambda self: 1,
    "__fspath__": lambda self: "/nowhere",
    "__eq__": lambda self, other: self is other,
    "__hash__": lambda self: 1,
}
UNTOUCHED = {
    "__class__", "__class_getitem__", "__delattr__", "__dict__", "__dir__", "__doc__", "__init__",
    "__init_subclass__", "__module__", "__new__", "__setattr__", "__slots__", "__subclasshook__",
    "__annotations__", "__match_args__", "__weakref__", "__dataclass_fields__",
    "__dataclass_params__", "__abstractmethods__", "__getnewargs__", "__getstate__",
}  # fmt: skip


def telling(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    """A method that tells that it was asked."""

    def method(*args: Any) -> Any:
        getattr(sys, ASKED, str)(name)
        return answer(*args)

    return method


def nosy(name: str, base: type) -> Any:
    """A class like `base` of which every special method, and `shape`, tells that it was asked."""
    own = {n: getattr(base, n) for n in dir(base) if n.startswith("__") and n not in UNTOUCHED}
    answers = {**ANSWERS, **own} if base is object else own
    if base is object:
        answers.update({n: ANSWERS[n] for n in ("__eq__", "__hash__")})
    methods = {n: telling(n, answer) for n, answer in answers.items() if callable(answer)}

    def missing(self: Any, attribute: str) -> Any:
        raise AttributeError(attribute)

    methods["__getattr__"] = telling("__getattr__", missing)
    shape = property(telling("shape", lambda self: (1, 2)))
    space = {**methods, "shape": shape, "__module__": __name__, "__qualname__": name}
    return type(base)(name, (base,), space)


@dataclasses.dataclass
class Fields:
    a: Any = None
    b: Any = 1


Nosy = nosy("Nosy", object)
NosyList = nosy("NosyList", list)
NosyDict = nosy("NosyDict", dict)
NosyInt = nosy("NosyInt", int)
NosyFields = nosy("NosyFields", Fields)
NosyKey = nosy("NosyKey", str)
NosyError = nosy("NosyError", ValueError)


def make_nosy() -> Any:
    return Nosy()


MAKERS: dict[str, Callable[[], Any]] = {
    "object": make_nosy,
    "list": lambda: NosyList([1, Nosy()]),
    "dict": lambda: NosyDict(a=1, b=Nosy()),
    "number": lambda: NosyInt(1),
    "fields": lambda: NosyFields(Nosy(), [Nosy()]),
    "key": lambda: NosyKey("a"),
    "inside": lambda: [Nosy(), {"a": Nosy(), Nosy(): 1}, {Nosy()}, (Nosy(),)],
}


def targets(lane: str, kind: str, make: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Where a value may stand."""

    default = make()

    def same(x: Any) -> Any:
        return x

    def one(x: Any = None, y: Any = None) -> Any:
        return 1

    def fail(x: Any) -> Any:
        raise ValueError(x)

    def fail_oddly(x: Any) -> Any:
        raise NosyError(x)

    def defaulted(x: Any, y: Any = default) -> Any:
        return x

    def returns_more(x: Any) -> Any:
        return [task_for(lane, same).lazy(x), x, {"a": task_for(lane, one).lazy(1)}]

    def rows() -> Any:
        return [make(), make()]

    t_make, t_same, t_one = (task_for(lane, fn) for fn in (make, same, one))
    off = task_for(lane, lambda: False)
    yield t_make
    yield lambda: t_make().named(kind)
    yield lambda: t_same(t_make())
    yield lambda: t_same(make())
    yield lambda: t_one([t_make()], {"a": t_make(), "b": (make(), t_make())})
    yield lambda: t_one({t_make(), t_one(1)})
    yield lambda: t_one(NosyFields(t_make()))
    yield lambda: t_one(NosyList([t_make()]))
    yield lambda: t_one(NosyDict(a=t_make()))
    yield lambda: [t_same(t_make()), t_one(t_make())]
    yield lambda: t_one(1).run_if(t_make())
    yield lambda: t_one(1).run_if(off(), otherwise=[t_make(), make()])
    yield lambda: t_one(make(), t_make().run_if(off()))
    yield lambda: t_same.map(x=t_make())
    yield lambda: t_same.map(x=task_for(lane, rows)())
    yield lambda: t_same.map(x=[make(), make()])
    yield lambda: t_same.map(x=[t_make(), {t_make(), 1}])
    yield lambda: t_one.map(x=task_for(lane, rows)(), y=[make(), 1], how="product")
    yield lambda: t_one.partial(y=[t_make(), make()]).map(x=[1, 2])
    yield lambda: task_for(lane, fail).map(x=task_for(lane, rows)())
    yield lambda: cs.Router(t_make(), {1: t_one(1), "a": 2}, default=3)
    yield lambda: cs.Router(t_one(), {make(): t_one(2), 1: t_one(3)})
    yield lambda: cs.Router(make(), {1: t_one(2), "a": t_one(3)}, default=4)
    yield lambda: cs.Router(t_one(), {1: make()})
    yield lambda: t_one(1).with_constraints(gpu=t_make())
    yield lambda: task_for(lane, fail)([t_make(), make()])
    yield lambda: task_for(lane, fail_oddly)(t_make()).with_retry(2)
    yield lambda: task_for(lane, defaulted)(1)
    yield lambda: t_same(cs.Param(f"p_{kind}", default=make()))
    yield lambda: task_for(lane, returns_more)(t_make())
    yield lambda: [t_make()[0], t_make() > 1]
    yield lambda: task_for(lane, rows)()[t_make()]
    yield lambda: t_one(1).after(t_make())
    yield cs.task(make, reuse=False)


class Listener:
    """Notes what is asked where nobody may ask, and by whom."""

    def __init__(self, engine: Engine, on_loop: bool) -> None:
        self.lock: Any = engine.constraints.lock
        self.loop = threading.get_ident() if on_loop else None
        self.heard: set[str] = set()
        self.hears = False

    def __call__(self, name: str) -> None:
        locked = self.lock._is_owned()
        if self.hears and (locked or threading.get_ident() == self.loop):
            steps = traceback.extract_stack()[-6:-2]
            asked_by = " > ".join(f"{Path(s.filename).stem}:{s.lineno}" for s in steps)
            self.heard.add(f"{name} {'locked' if locked else 'on the loop'}, by {asked_by}")


@pytest.mark.parametrize(
    ("lane", "lasting"), [("thread", False), ("thread", True), ("async", True), ("inline", False)]
)
async def test_no_method_of_a_users_object_is_asked_under_the_lock_nor_on_the_loop(
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lane: str,
    lasting: bool,
) -> None:
    state = SqliteState(tmp_path / "kept.db") if lasting else MemoryState()
    engine = make_engine(state_backend=state, system_resources={"gpu": 2})
    # Where the user has bodies run on the loop, what they are given may be copied there, too.
    listener = Listener(engine, on_loop=lane == "thread")
    monkeypatch.setattr(sys, ASKED, listener, raising=False)
    asked_for: list[Any] = []
    for kind, make in MAKERS.items():
        for target in targets(lane, kind, make):
            with contextlib.suppress(TypeError, CascadeError):  # no key of a dict, say
                asked_for.append(target())
    assert len(asked_for) > 30 * len(MAKERS)
    for reused in (False, True):
        run = engine.start(asked_for, on_error="continue")
        listener.hears = True
        assert isinstance(await outcome(run), RunFailures)
        assert run.status.reused > 10 or not reused
        assert run.status.done + run.status.reused > 10 * len(MAKERS)
        for node in run.graph.nodes[::50]:
            assert run.why(node.id)
        listener.hears = False
    assert listener.heard == set()


class Answering:
    """Asks somebody else for every answer."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    def __bool__(self) -> bool:
        return bool(self._ask())

    def __hash__(self) -> int:
        return hash(self._ask())

    def __iter__(self) -> Iterator[Any]:
        return iter([self._ask()])


def waiting_for(value: Any) -> dict[str, Any]:
    """Targets that wait for the answer of a method of `value`."""
    give, same = cs.task(reuse=False)(lambda: value), cs.task(reuse=False)(lambda x: x)
    return {
        "__bool__": same("ran").run_if(give()),
        "__hash__": cs.Router(give(), {1: "one"}, default="another"),
        "__iter__": same.map(x=give()),
        "in a set": cs.task(reuse=False)(len)({give()}),
        "returned in a set": cs.task(reuse=False)(lambda: {give.lazy()})(),
    }


METHODS = list(waiting_for(None))


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_that_never_answers_holds_up_nobody_and_can_be_cancelled(
    engine: Engine, method: str
) -> None:
    asked, let_go = threading.Event(), threading.Event()

    def ask() -> int:
        asked.set()
        assert let_go.wait(PATIENCE)
        return 1

    run = engine.start(waiting_for(Answering(ask))[method])
    try:
        await until(asked.is_set)
        assert await engine.run(cs.task(reuse=False)(lambda: "meanwhile")()) == "meanwhile"
        assert run.status.phase.value == "running"
        run.cancel("no answer", within=0.1)
        assert isinstance(await outcome(run), RunCancelledError)
    finally:
        let_go.set()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_what_a_method_raises_is_the_failure_of_who_waits_for_it(
    engine: Engine, method: str, error: type[BaseException]
) -> None:
    def ask() -> int:
        raise error("no answer")

    came = await outcome(engine.start(waiting_for(Answering(ask))[method]))
    assert isinstance(came, TaskFailedError)
    assert "no answer" in str(came)
    assert await engine.run(cs.task(reuse=False)(lambda: "after")()) == "after"


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_may_call_back(engine: Engine, method: str) -> None:
    once = cs.task(reuse=False)(lambda: 1)

    def ask() -> int:
        cs.pause("task:nobody")
        cs.resume("task:nobody")
        assert engine.runs
        return int(cs.run(once()))

    came = await outcome(engine.start(waiting_for(Answering(ask))[method]))
    assert not isinstance(came, BaseException), came
