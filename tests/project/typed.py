"""What a type checker knows of tasks and lazy values; mypy reads it, nobody runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cascade_nb as cs

if TYPE_CHECKING:
    from typing import assert_type


@cs.task
def label(x: int) -> str:
    return str(x)


@cs.task
def length(text: str) -> int:
    return len(text)


@cs.task
async def half(x: int) -> float:
    return x / 2


@cs.task(retry=2)
def raw(x: int) -> bytes:
    return bytes(x)


@cs.task(retry=2)
async def later(x: int) -> bytes:
    return bytes(x)


def needs(text: cs.LazyResult[str]) -> str:
    return cs.run(text)


def checked() -> None:
    assert_type(label(1), cs.LazyResult[str])
    assert_type(label.lazy(1), cs.LazyResult[str])
    assert_type(length(label(1)), cs.LazyResult[int])
    assert_type(length.lazy(label.lazy(1)), cs.LazyResult[int])
    assert_type(half(1), cs.LazyResult[float])
    assert_type(raw(1).named("a").with_retry(2), cs.LazyResult[bytes])
    assert_type(later(1), cs.LazyResult[bytes])
    assert_type(label.map(x=[1]), cs.MappedLazyResult[str])
    assert_type(cs.run(label(1)), str)
    assert_type(cs.run(half(1), params={"n": 1}), float)
    assert_type(cs.run(label.map(x=[1])), list[str])
    assert_type(cs.run([label(1)]), Any)
    assert_type(needs(label(1)), str)
    assert_type(label(1)[0] + "x", Any)
