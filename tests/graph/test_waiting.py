"""A body that only waits for a file is told from one that does something meanwhile."""

from __future__ import annotations

import asyncio
import os
import pathlib
import time
from collections.abc import Callable
from os.path import exists
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from cascade_nb.graph.effects.waiting import only_waits

NAME = "go"
PLACE = Path("go")


def of_a_text() -> None:
    while not os.path.exists("go"):  # noqa: PTH110
        time.sleep(0.1)


def of_a_path() -> int:
    while not pathlib.Path("go").exists():
        time.sleep(0.1)
    return 3


def of_a_global_path() -> None:
    while not PLACE.exists():
        sleep(1)


def of_an_argument(path: str) -> None:
    while not exists(path):  # noqa: PTH110
        sleep(1)


async def on_the_loop() -> None:
    while not exists(NAME):  # noqa: ASYNC110, ASYNC240, PTH110
        await asyncio.sleep(1)


def with_a_break() -> None:
    while True:
        if Path("go").is_file():
            break
        time.sleep(1)


def with_an_end() -> None:
    end = time.monotonic() + 60
    while not Path("go").exists():
        if time.monotonic() > end:
            raise TimeoutError("nobody came")
        time.sleep(1)


def below_a_folder(folder: Path) -> None:
    while (folder / "lock").exists():
        time.sleep(1)


def asks_nothing() -> int:
    return 1


def counts() -> int:
    turns = 0
    while not exists("stop"):  # noqa: PTH110
        turns += 1
    return turns


def work() -> None:
    pass


def works() -> None:
    while not exists("stop"):  # noqa: PTH110
        work()


def gathers(rows: list[int]) -> None:
    while not exists("stop"):  # noqa: PTH110
        rows.append(1)


def stores(rows: list[int]) -> None:
    while not exists("stop"):  # noqa: PTH110
        rows[0] = 1


def asks_once() -> bool:
    return exists("go")  # noqa: PTH110


def asks_of_another_afterwards() -> bool:
    while not exists("go"):  # noqa: PTH110
        sleep(1)
    return exists("other")  # noqa: PTH110


def asks_for_each(names: list[str]) -> Any:
    for name in names:
        if exists("go"):  # noqa: PTH110
            return name
    return None


def asks_in_a_comprehension() -> list[str]:
    return [name for name in "ab" if exists(name)]  # noqa: PTH110


WAITS: list[Callable[..., Any]] = [
    of_a_text,
    of_a_path,
    of_a_global_path,
    of_an_argument,
    on_the_loop,
    with_a_break,
    with_an_end,
    below_a_folder,
    asks_nothing,
]
DOES_MORE: list[Callable[..., Any]] = [
    counts,
    works,
    gathers,
    stores,
    asks_once,
    asks_of_another_afterwards,
    asks_for_each,
    asks_in_a_comprehension,
]


@pytest.mark.parametrize("body", WAITS)
def test_a_loop_that_asks_and_sleeps_only_waits(body: Callable[..., Any]) -> None:
    assert only_waits(body.__code__, globals())


@pytest.mark.parametrize("body", DOES_MORE)
def test_whoever_does_something_meanwhile_or_asks_once_does_not(body: Callable[..., Any]) -> None:
    assert not only_waits(body.__code__, globals())
