"""Whatever is given to a public function that it cannot take is refused in a sentence, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import CascadeError


@cs.task
def double(x: Any = 1, y: Any = 1) -> Any:
    return x


def plain(x: Any) -> Any:
    return x


class Odd:
    """It is nothing that anybody asks for."""

    def __repr__(self) -> str:
        return "<odd>"


NONE: Any = object()
WRONG: tuple[Any, ...] = (
    None,
    3,
    -1,
    2.5,
    float("nan"),
    True,
    "",
    "x",
    [],
    [1],
    {},
    {"a": 1},
    b"x",
    len,
    double,
    Odd(),
)

#: How it is given, and what of the wrong ones it may well take.
WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "a name": (lambda v: cs.task(name=v)(plain), lambda v: v is None or v == "x"),
    "tags": (
        lambda v: cs.task(tags=v)(plain),
        lambda v: isinstance(v, (list, dict, str)) and v not in ("", [1]),
    ),
    "tags of a call": (lambda v: double(1).tagged(v), lambda v: v == "x"),
    "a retry": (lambda v: cs.task(retry=v)(plain), lambda v: v is None or v == 3),
    "a timeout": (lambda v: cs.task(timeout=v)(plain), lambda v: v is None or v in (3, 2.5)),
    "resources": (
        lambda v: cs.task(resources=v)(plain),
        lambda v: v is None or isinstance(v, dict),
    ),
    "a version": (
        lambda v: cs.task(version=v)(plain),
        lambda v: v is None or v in (3, -1, "", "x"),
    ),
    "reuse": (lambda v: cs.task(reuse=v)(plain), lambda v: v is True),
    "track_files": (lambda v: cs.task(track_files=v)(plain), lambda v: v is True),
    "shares_process": (lambda v: cs.task(shares_process=v)(plain), lambda v: v is True),
    "a priority": (
        lambda v: cs.task(priority=v)(plain),
        lambda v: v is None or (v in (3, -1) and isinstance(v, int)),
    ),
    "a priority of a call": (
        lambda v: double(1).with_priority(v),
        lambda v: v in (3, -1) and isinstance(v, int),
    ),
    "a priority of a run": (
        lambda v: cs.run(double(1), priority=v),
        lambda v: v is None or (v in (3, -1) and isinstance(v, int)),
    ),
    "outputs": (lambda v: cs.task(outputs=v)(plain), lambda v: v is None or v == 3),
    "ignore": (lambda v: cs.task(ignore=v)(plain), lambda v: v in ("x", [], {})),
    "a function": (cs.task, lambda v: v is len),
    "a resource": (cs.resource, lambda v: False),
    "an injected one": (cs.inject, lambda v: False),
    "items": (lambda v: double.map(x=v), lambda v: v in ([], [1])),
    "what it comes after": (lambda v: double(1).after(v), lambda v: False),
    "a number of attempts": (lambda v: double(1).with_retry(v), lambda v: v == 3),
    "what to retry on": (lambda v: double(1).with_retry(2, on=v), lambda v: False),
    "a delay": (lambda v: double(1).with_retry(2, delay=v), lambda v: v in (3, 2.5)),
    "an age": (lambda v: double(1).with_cache(ttl=v), lambda v: v is None or v in (3, 2.5)),
    "a routes' key": (
        lambda v: cs.Router(v, {1: double()}),
        lambda v: v is not double and v is not len and not isinstance(v, (list, dict)),
    ),
    "routes": (lambda v: cs.Router(1, v), lambda v: v == {"a": 1}),
    "a step": (cs.sequence, lambda v: False),
    "a scope": (cs.resume, lambda v: False),
    "a limit": (
        lambda v: cs.limit("task:double", v),
        lambda v: v is None or v == 3,
    ),
    "an amount": (lambda v: double(1).with_constraints(gpu=v), lambda v: v in (3, 2.5)),
    "parameters": (lambda v: cs.run(double(1), params=v), lambda v: v is None or v == {}),
    "fresh": (lambda v: cs.run(double(1), fresh=v), lambda v: v is True),
    "on_error": (lambda v: cs.run(double(1), on_error=v), lambda v: False),
    "a log": (lambda v: cs.run(double(1), log=v), lambda v: v is None),
    "a grace": (lambda v: cs.Engine(grace=v), lambda v: v in (3, 2.5) and v is not True),
    "a lease": (lambda v: cs.Engine(lease=v), lambda v: v in (3, 2.5) and v is not True),
    "system_resources": (
        lambda v: cs.Engine(system_resources=v),
        lambda v: v is None or isinstance(v, dict),
    ),
    "a parameter's name": (cs.Param, lambda v: v == "x"),
    "a condition": (lambda v: double(1).run_if(v), lambda v: v is not double and v is not len),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@given(value=st.sampled_from(WRONG))
def test_what_cannot_be_taken_is_refused_in_a_sentence(way: str, value: Any) -> None:
    give, may_take = WAYS[way]
    takes = value is not NONE and not isinstance(value, Odd) and may_take(value)
    if isinstance(value, bool) and way not in ("a routes' key", "a condition"):
        takes = way in ("reuse", "track_files", "shares_process", "fresh")
    if isinstance(value, Odd) and way in ("a routes' key", "a condition"):
        takes = True  # any object is true, or is a key
    if takes:
        give(value)
        if way == "a limit":
            cs.limit("task:double", None)
        return
    with pytest.raises(CascadeError) as told:
        give(value)
    words = str(told.value)
    assert len(words) < 300
    assert "\n" not in words
    assert words[-1] not in ".!"


def test_of_a_run_too(fresh_default_engine: object) -> None:
    run = cs.start(double(1))
    run.result()
    wrong: tuple[Any, ...] = ([], {}, 3, Odd())
    for value in (*wrong, None):
        with pytest.raises(CascadeError):
            run.why(value)
    for value in wrong:
        with pytest.raises(CascadeError):
            run.partial(value)
        with pytest.raises(CascadeError):
            run.pause(value)


BEYOND = 10**400  # more than a float can be


@pytest.mark.parametrize(
    "give",
    [
        lambda: double(1).with_timeout(BEYOND),
        lambda: double(1).with_retry(2, delay=BEYOND),
        lambda: double(1).with_cache(ttl=BEYOND),
        lambda: double(1).with_constraints(gpu=BEYOND),
        lambda: cs.Engine(grace=BEYOND),
        lambda: cs.Engine(lease=BEYOND),
        lambda: cs.Engine(system_resources={"gpu": BEYOND}),
    ],
)
def test_a_whole_number_that_is_more_than_a_float_can_be_is_refused_as_such(
    give: Callable[[], Any],
) -> None:
    with pytest.raises(CascadeError, match="finite"):
        give()


@pytest.mark.parametrize("seconds", ["x", [], float("nan")])
def test_a_wait_or_a_cancel_is_given_a_number_of_seconds_and_else_nothing_comes_of_it(
    seconds: Any,
) -> None:
    cs.pause("task:double", reason="so that it goes on")
    try:
        run = cs.start(double(2), fresh=True)
        with pytest.raises(CascadeError, match="is a number of seconds, not "):
            run.cancel(within=seconds)
        with pytest.raises(CascadeError, match="a timeout is a number of seconds, not "):
            run.result(seconds)
        assert not run.done()
        run.cancel(within=BEYOND)
        with pytest.raises(cs.errors.RunCancelledError):
            run.result(BEYOND)
    finally:
        cs.resume("task:double")
