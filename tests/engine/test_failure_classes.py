"""`except ValueError` around a run catches a task's `ValueError`, with our words and its fields."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gc
import json
import pickle
import subprocess
import sys
import traceback
import weakref
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.dispatch.failure_classes import with_cause
from cascade_nb.errors import (
    CascadeError,
    CycleError,
    DependencyMissingError,
    LazyValueError,
    RunError,
    RunFailures,
    StateError,
    TaskFailedError,
    TaskTimeoutError,
    UnknownNameError,
)

if sys.version_info >= (3, 11):
    from builtins import ExceptionGroup
else:
    from exceptiongroup import ExceptionGroup


class OddError(Exception):
    """Its constructor wants what nobody else knows."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(code)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


class SlotsError(ValueError):
    __slots__ = ("hidden",)

    def __init__(self, hidden: int) -> None:
        self.hidden = hidden


class Registered(Exception):  # noqa: N818 - what people write
    kinds: list[type] = []  # noqa: RUF012 - as above

    def __init_subclass__(cls) -> None:
        raise TypeError("closed to others")


class OwnNewError(LookupError):
    def __new__(cls, *args: Any) -> Any:
        if len(args) != 2:
            raise TypeError("two, please")
        return super().__new__(cls, *args)


class OwnGroup(ExceptionGroup[Exception]):
    def __new__(cls, code: int) -> Any:
        made = super().__new__(cls, "mine", [KeyError("k"), ValueError("v")])
        made.code = code  # type: ignore[attr-defined]
        return made

    if sys.version_info < (3, 11):  # where the group is a class of Python's own making

        def __init__(self, code: int) -> None:
            super().__init__("mine", [KeyError("k"), ValueError("v")])

    def derive(self, excs: Any) -> Any:
        return ExceptionGroup(f"{self.message} of {self.code}", excs)  # type: ignore[attr-defined]


class TaskError(Exception):
    def __init__(self) -> None:
        super().__init__("mine")
        self.task = "a field that is called like one of ours"


CAUSES = [
    ValueError("no luck"),
    KeyError("k"),
    OSError(errno.ENOENT, "gone", "a.txt"),
    FileNotFoundError(errno.ENOENT, "gone", "a.txt"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad byte"),
    ImportError("no", name="m", path="p"),
    SyntaxError("bad", ("f.py", 3, 4, "x x")),
    OddError(4, reason="odd"),
    SlotsError(7),
    OwnNewError(1, 2),
    json.JSONDecodeError("bad", "doc", 1),
    subprocess.CalledProcessError(2, ["ls"], "out", "err"),
    ZeroDivisionError("division by zero"),
    RecursionError("deep"),
    TimeoutError("slow"),
    asyncio.TimeoutError("slow"),
    AttributeError("no", name="n", obj=3),
    LazyValueError("not yet"),
    ExceptionGroup("several", [ValueError("one")]),
    OwnGroup(7),
    StopIteration(3),
    Registered("closed"),
    Exception("plain"),
    TaskError(),
]
NOT_COMBINED = (StopIteration, Registered)


def _raise(cause: BaseException) -> Any:
    raise cause


def _failure_of(cause: BaseException) -> TaskFailedError:
    @cs.task
    def broken() -> Any:
        _raise(cause)

    with pytest.raises(TaskFailedError) as caught:
        cs.run(broken())
    return caught.value


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
def test_an_error_is_of_its_causes_class_with_its_fields_and_our_words(cause: Exception) -> None:
    error = _failure_of(cause)
    assert error.__cause__ is cause
    assert type(error).__name__ == "TaskFailedError"
    assert str(error).startswith(f"broken failed: {type(cause).__name__}")
    assert repr(error) == f"TaskFailedError({str(error)!r})"
    assert (error.task, error.target) == ("broken", "broken")
    assert error.where is not None
    assert "".join(traceback.format_exception(error))
    if isinstance(cause, NOT_COMBINED):
        assert type(error) is TaskFailedError
        return
    assert isinstance(error, type(cause))
    for name in dir(cause):
        if not name.startswith("_") and name not in ("args", "task", "add_note", "with_traceback"):
            mine, its = getattr(error, name, None), getattr(cause, name, None)
            assert mine == its or callable(its)
    assert type(_failure_of(cause)) is type(error)  # one class, however often


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
def test_what_ends_programs_and_loops_is_never_what_is_raised(cause: BaseException) -> None:
    error = _failure_of(cause)
    assert type(error) is TaskFailedError
    assert isinstance(error, Exception)


def test_the_class_goes_through_nested_runs() -> None:
    @cs.task
    def broken() -> Any:
        raise KeyError("k")

    @cs.task
    def outer() -> Any:
        try:
            cs.run(broken.lazy())
        except KeyError as error:
            return cs.run(broken.lazy()) if error.task == "broken" else None  # type: ignore[attr-defined]

    with pytest.raises(KeyError) as caught:
        cs.run(outer())
    assert caught.value.task == "outer"  # type: ignore[attr-defined]


@pytest.mark.parametrize("cause", [ExceptionGroup("e", [KeyError(1), ValueError(2)]), OwnGroup(3)])
def test_a_group_of_exceptions_is_caught_part_by_part(cause: Any) -> None:
    error: Any = _failure_of(cause)
    assert isinstance(error, ExceptionGroup)
    assert error.exceptions == cause.exceptions
    matched, rest = error.split(ValueError)  # as `except* ValueError` does
    assert [[type(one) for one in part.exceptions] for part in (matched, rest)] == [  # type: ignore[union-attr]
        [ValueError],
        [KeyError],
    ]
    assert matched.message == cause.split(ValueError)[0].message  # type: ignore[union-attr]
    assert error.split(TypeError)[0] is None
    assert error.split(TypeError)[1] is error  # or it would be none of ours behind a `suppress`


def test_failures_stay_what_they_are_where_nothing_is_taken_from_them() -> None:
    @cs.task
    def broken(n: int) -> int:
        raise ValueError(n)

    with pytest.raises(ValueError, match="2 tasks") as caught:
        cs.run(broken.map(n=[0, 1]), on_error="continue")
    assert isinstance(caught.value, RunFailures)
    assert caught.value.split(TypeError)[1] is caught.value
    part, rest = caught.value.split(lambda one: "[0]" in str(one))
    assert rest is not None
    assert (type(part), type(rest)) == (type(caught.value), type(caught.value))


def test_failures_of_a_nested_run_are_a_group_outside_too() -> None:
    @cs.task
    def broken(n: int) -> Any:
        raise (KeyError if n else ValueError)(n)

    @cs.task
    def outer() -> Any:
        return cs.run(broken.map(n=[0, 1]), on_error="continue")

    with pytest.raises(TaskFailedError) as caught:
        cs.run(outer())
    error: Any = caught.value
    matched, rest = error.split(ValueError)
    assert [str(one.__cause__) for one in matched.exceptions] == ["0"]
    assert [str(one.__cause__) for one in rest.exceptions] == ["1"]


async def test_several_failures_are_of_the_class_that_their_causes_share(engine: Engine) -> None:
    @cs.task(executor="inline")
    def broken(kind: str) -> Any:
        if kind == "group":
            raise ExceptionGroup("g", [KeyError(1)])
        raise {"key": KeyError, "index": IndexError, "odd": OddError, "os": OSError}[kind](
            *([1] if kind != "odd" else []), **({"reason": "r", "code": 1} if kind == "odd" else {})
        )

    def run(*kinds: str) -> Any:
        return engine.run([broken(kind) for kind in kinds], on_error="continue")

    with pytest.raises(LookupError) as caught:
        await run("key", "index")
    assert isinstance(caught.value, RunFailures)
    assert not isinstance(caught.value, (KeyError, IndexError))
    with pytest.raises(KeyError):
        await run("key", "key", "key")
    with pytest.raises(RunFailures) as other:
        await run("key", "odd")
    assert type(other.value) is RunFailures
    matched, rest = caught.value.split(KeyError)
    assert {type(part) for part in (matched, rest)} == {type(caught.value)}
    with pytest.raises(RunFailures) as groups:  # a group of groups, each of which can be split
        await run("group", "group")
    assert type(groups.value) is RunFailures
    assert groups.value.split(LookupError)[1] is None
    with pytest.raises(RunFailures):  # Python cannot put the two layouts together
        await run("os", "os")


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: type(cause).__name__)
def test_the_error_of_a_run_pickles(cause: Exception) -> None:
    error = _failure_of(cause)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert (copy.task, copy.target, copy.where) == (error.task, error.target, error.where)
    try:
        pickle.loads(pickle.dumps(cause))
    except Exception:
        return  # then it comes without its cause
    if type(error) is not TaskFailedError:
        assert type(copy.__cause__) is type(cause)
        assert isinstance(copy, type(cause))


@pytest.mark.parametrize(
    "error",
    [
        TaskTimeoutError("late", task="t", target="x"),
        DependencyMissingError("t", "its condition is false"),
        UnknownNameError("node", "a", ["b"]),
        CycleError(["a", "b", "a"]),
        StateError("gone"),
        RunFailures("two", [RunError("one"), RunError("two")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_of_ours_pickles(error: CascadeError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy).keys() == vars(error).keys()


def test_a_class_that_nobody_holds_is_let_go() -> None:
    class LocalError(ValueError):
        pass

    error = TaskFailedError("t failed", task="t", target="t")
    made = weakref.ref(type(with_cause(error, LocalError())))
    assert issubclass(made(), LocalError)  # type: ignore[arg-type]
    error.__cause__ = None
    gc.collect()
    assert made() is None


class ContraryError(ValueError):
    """It raises whatever is asked of it, and does something when it ends."""

    ended = 0

    def __init__(self) -> None:
        super().__init__("contrary")

    def __del__(self) -> None:
        type(self).ended += 1


def _contrary(name: str) -> Any:
    def asked(*_: object) -> None:
        raise RuntimeError(f"{name} was asked")

    return asked


for _name in (
    *("__str__", "__repr__", "__format__", "__eq__", "__ne__", "__hash__", "__dir__", "__bool__"),
    *(
        "__lt__",
        "__setattr__",
        "__delattr__",
        "__sizeof__",
        "__reduce__",
        "__reduce_ex__",
        "__len__",
    ),
    *("__setstate__", "__getstate__"),
):
    setattr(ContraryError, _name, _contrary(_name))


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """No attribute of it can be set, not even the traceback."""

    code: int


@cs.task
def be_contrary(x: int) -> None:
    raise ContraryError


@cs.task
def freeze(x: int) -> None:
    raise FrozenError(x)


@pytest.mark.parametrize("count", [1, 2])
def test_what_python_asks_of_an_error_is_answered_by_us_and_not_by_its_causes_class(
    count: int,
) -> None:
    engine = cs.Engine()
    before = ContraryError.ended
    with pytest.raises(ContraryError) as caught:
        engine.start([be_contrary(n) for n in range(count)], on_error="continue").result()
    error: Any = caught.value
    assert "be_contrary failed" in str(error) or "2 tasks" in str(error)
    assert "be_contrary" in repr(error)
    assert f"{error}" == str(error)
    assert error
    assert hash(error) is not None
    assert error == error  # noqa: PLR0124 - it is asked
    assert error != 1
    assert "task" in dir(error) or count == 2
    assert error.__sizeof__() > 0
    error.mine = 1
    del error.mine
    assert isinstance(pickle.loads(pickle.dumps(error)), cs.errors.CascadeError)
    engine.close()
    causes = [one.__cause__ for one in (error.exceptions if count == 2 else [error])]
    assert [type(cause) for cause in causes] == [ContraryError] * count
    for cause in causes:
        BaseException.with_traceback(cause, None)
    del error, caught, engine
    gc.collect()
    assert ContraryError.ended == before  # the causes go on


def test_a_cause_of_which_nothing_can_be_set_is_told_as_any_other() -> None:
    with pytest.raises(FrozenError) as caught:
        cs.run(freeze(7))
    assert isinstance(caught.value, TaskFailedError)
    assert caught.value.code == 7
    assert str(caught.value).startswith("freeze failed: FrozenError")
