"""Tells whether arguments that were too large to be copied are still as they were at the call."""

from __future__ import annotations

import functools
import inspect
import math
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.errors import TaskCallError
from cascade_nb.model.copying.stamps import content_stamp

_SPARE: Final = 10
"""So many times what a look costs, its answer is good: looks take a tenth of the time at most."""


class WatchedArgument:
    """What is known of one large argument.

    Attributes:
        own: what the call holds: a copy that nobody else has, or the user's own value.
        stamp: that of the user's own value at the call; None for a copy.
        of_stamp: of a copy, that of the value that it was made of.
        live: whether a body is lent memory of it, instead of a copy.
        key: the bytes of its content, once somebody has made them.
    """

    __slots__ = (
        "__weakref__",
        "_good_until",
        "cost",
        "key",
        "live",
        "made",
        "of_stamp",
        "own",
        "stamp",
    )

    def __init__(self, own: Any, *, watch: bool, live: bool = False) -> None:
        self.own = own
        self.live = live
        self.key: bytes | None = None
        self.of_stamp: bytes | None = None
        self._good_until = 0.0
        began = time.perf_counter()
        self.stamp = content_stamp(own) if watch else None
        self.made = time.perf_counter()
        self.cost = self.made - began

    @property
    def of_this_moment(self) -> bool:
        """Whether another call at this time need not look again."""
        return time.perf_counter() < self.made + _SPARE * self.cost

    def let_go(self) -> None:
        """From now on other calls look again."""
        self.made = self._good_until = 0.0

    def holds(self) -> bool:
        """Whether it is as it was at the call; it takes a look at all of it: not for the loop."""
        return self.stamp is None or content_stamp(self.own) == self.stamp

    def held_lately(self, since: float = math.inf) -> bool:
        """Whether it was as it was at the call when somebody looked lately, for many who ask.

        Args:
            since: the look must not be older, where it is worth the time since then.
        """
        began = time.perf_counter()
        if self.stamp is None:
            return True
        if began < self._good_until and began - since < self.cost:
            return True
        if not self.holds():
            return False
        now = time.perf_counter()
        self._good_until = now + _SPARE * (now - began)
        return True


Places = tuple[tuple[int | str, WatchedArgument], ...]

_GUARD: Final = "__cascade_guard__"
WATCHED: Final[weakref.WeakSet[WatchedArgument]] = weakref.WeakSet()
"""All that there are, so that where there are none nobody looks for any."""


class CapturedArgs(tuple[Any, ...]):  # noqa: SLOT001 - a tuple's subclass cannot have others
    """Arguments of a call, some of which are large.

    Attributes:
        records: of those, by position or by name.
        deep: whether something is to be put in deeper in one of them.
    """

    records: Places = ()
    deep = False

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)


class CapturedNamed(dict[str, Any]):
    """Arguments of a call, all given by name, some of which are large."""

    records: Places = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def records_of(args: Any) -> Places:
    """What is known of the large ones among a call's arguments."""
    return args.records if args.__class__ in (CapturedArgs, CapturedNamed) else ()


def with_records(args: tuple[Any, ...], records: Places, deep: bool) -> tuple[Any, ...]:
    """Arguments by place, with what is known of large ones among these and those by name.

    Args:
        args: the arguments.
        records: what is known of the large ones, by place or name.
        deep: whether lazy values stand inside containers among them.
    """
    if not records:
        return args
    captured = CapturedArgs(args)
    captured.records, captured.deep = records, deep
    WATCHED.update(record for _, record in records)
    return captured


def named_with_records(named: Mapping[str, Any], records: Places) -> dict[str, Any]:
    """Arguments by name, with what is known of the large ones among them."""
    if not records:
        return dict(named)
    captured = CapturedNamed(named)
    captured.records = records
    WATCHED.update(record for _, record in records)
    return captured


def is_watched(records: Places) -> bool:
    """Whether one of these may be changed by somebody."""
    return any(record.stamp is not None for _, record in records)


def changed_words(name: str, value: Any) -> str:
    """What to say of an argument that is not what it was."""
    kind = type(value).__name__
    return (
        f"{name} was changed after the call was made, and that {kind} was too large to be copied "
        f"then; make the call again, or give it a copy of its own"
    )


def check_held(
    task: str, signature: inspect.Signature, records: Places, since: float = math.inf
) -> None:
    """Refuse arguments that were changed since the call.

    Args:
        task: its name, for the message.
        signature: of its function.
        records: the large arguments, by place or name.
        since: a look must not be older than this, where another is worth its time.

    Raises:
        TaskCallError: one is not what it was.
    """
    for where, record in records:
        if not record.held_lately(since):
            name = name_at(signature, where)
            raise TaskCallError(f"{task}(…): {changed_words(f'argument {name}', record.own)}")


def guarded(
    fn: Callable[..., Any], task: str, signature: inspect.Signature, records: Places
) -> Callable[..., Any]:
    """`fn`, which runs only while the arguments are as they were at the call.

    Where it is lent their memory, its result counts only if they still are at its end.

    Args:
        fn: the function of a task, sync or async.
        task: the task's name, for the message.
        signature: of the function.
        records: the large arguments, by place or name.
    """
    live = tuple(one for one in records if one[1].live)
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def wait(*args: Any, **kwargs: Any) -> Any:
            await run_in_thread(partial(check_held, task, signature, records))
            began = time.perf_counter()
            result = await fn(*args, **kwargs)
            await run_in_thread(partial(check_held, task, signature, live, began))
            return result

        return wait

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        return around(lambda: fn(*args, **kwargs))

    def around(body: Callable[[], Any]) -> Any:
        check_held(task, signature, records)
        began = time.perf_counter()
        result = body()
        check_held(task, signature, live, began)
        return result

    vars(call)[_GUARD] = around
    return call


def called_elsewhere(fn: Callable[..., Any], elsewhere: Callable[[Callable[..., Any]], Any]) -> Any:
    """What `elsewhere` gives of the function of a call, which runs in another process; the
    arguments are looked at in this one, where somebody may change them.
    """
    guard = getattr(fn, "__dict__", {}).get(_GUARD)
    return elsewhere(fn) if guard is None else guard(lambda: elsewhere(vars(fn)["__wrapped__"]))


def name_at(signature: inspect.Signature, where: int | str) -> str:
    """The parameter that an argument is for."""
    if isinstance(where, str):
        return where
    found = list(signature.parameters.values())
    for place, one in enumerate(found):
        if one.kind is one.VAR_POSITIONAL:
            return f"*{one.name}"
        if place == where:
            return one.name
    return str(where + 1)
