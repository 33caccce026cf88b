"""What many calls have in common goes to a process once, and is what it is at each call."""

from __future__ import annotations

import importlib
import itertools
import os
import pathlib
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import ProcessDiedError, TransferError
from cascade_nb.executors.processes.child import CALL, SAME_HEAD, WITH_HEAD
from cascade_nb.executors.processes.executor import ProcessExecutor
from cascade_nb.executors.processes.link import Link

_names = itertools.count()


def doubled(x: int) -> int:
    return 2 * x


def tripled(x: int) -> int:
    return 3 * x


def place() -> str:
    return str(pathlib.Path.cwd())


@pytest.fixture
def one() -> Iterator[ProcessExecutor]:
    """An executor with one process."""
    executor = ProcessExecutor(1)
    yield executor
    executor.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The kind and the size of each message that goes to a process."""
    messages: list[tuple[int, int]] = []
    send = Link.send

    def noted(link: Link, kind: int, parts: Sequence[bytes | memoryview]) -> None:
        messages.append((kind, sum(map(len, parts))))
        send(link, kind, parts)

    monkeypatch.setattr(Link, "send", noted)
    return messages


@pytest.fixture
def module(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], types.ModuleType]]:
    """Makes a module of a file, and loads it."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"made_for_heads_{next(_names)}"

    def made(content: str) -> types.ModuleType:
        (tmp_path / f"{name}.py").write_text(content)
        importlib.invalidate_caches()
        if name in sys.modules:
            return importlib.reload(sys.modules[name])
        return importlib.import_module(name)

    yield made
    sys.modules.pop(name, None)


def test_a_function_that_stands_in_a_module_goes_once(
    one: ProcessExecutor, sent: list[tuple[int, int]]
) -> None:
    assert [one.call(doubled, n) for n in range(4)] == [0, 2, 4, 6]
    kinds, sizes = zip(*sent, strict=True)
    assert kinds == (WITH_HEAD, SAME_HEAD, SAME_HEAD, SAME_HEAD)
    assert max(sizes[1:]) < sizes[0] / 4


def test_calls_of_several_functions_in_turn_reach_their_own(
    one: ProcessExecutor, sent: list[tuple[int, int]]
) -> None:
    factor = 5
    ways: list[Callable[[int], int]] = [doubled, tripled, doubled, lambda x: factor * x, doubled]
    assert [one.call(way, 7) for way in ways] == [14, 21, 14, 35, 14]
    assert [one.call(way, 7) for way in ways] == [14, 21, 14, 35, 14]
    # The last of the one round and the first of the next are alike; a call as a whole ends that.
    assert [kind for kind, _ in sent].count(SAME_HEAD) == 1
    assert [kind for kind, _ in sent].count(CALL) == 2


def test_what_is_made_in_a_function_goes_as_it_is_each_time(one: ProcessExecutor) -> None:
    seen: list[int] = []

    def count() -> int:
        seen.append(0)
        return len(seen)

    assert one.call(count) == 1
    assert one.call(count) == 1  # what the body did there is of that call alone
    seen.append(0)
    assert one.call(count) == 2


# The function that was loaded before is no more what its name means, and must not become it.
def test_a_function_whose_module_was_loaded_anew_is_called_as_it_was(
    one: ProcessExecutor, module: Callable[[str], types.ModuleType]
) -> None:
    before = module("def f():\n    return 'before'\n").f
    assert one.call(before) == one.call(before) == "before"
    after = module("def f():\n    return 'afterwards'\n").f
    assert one.call(before) == "before"
    assert one.call(after) == "afterwards"
    assert one.call(before) == "before"


def test_a_module_that_was_loaded_anew_counts_at_the_very_next_call(
    one: ProcessExecutor, module: Callable[[str], types.ModuleType]
) -> None:
    for number in range(20):
        function = module(f"def f():\n    return {number}\n#{'x' * number}\n").f
        assert [one.call(function) for _ in range(3)] == [number] * 3


# A head that could not be read there is not taken for one that was.
def test_a_module_that_cannot_be_imported_there_is_tried_again(
    one: ProcessExecutor, module: Callable[[str], types.ModuleType], tmp_path: pathlib.Path
) -> None:
    there = tmp_path / "there"
    there.touch()
    f = module(f"open({str(there)!r}).close()\n\n\ndef f(x):\n    return x\n").f
    there.unlink()
    for _ in range(2):
        with pytest.raises(TransferError, match="FileNotFoundError"):
            one.call(f, 1)
    there.touch()
    assert one.call(f, 1) == 1


def test_a_new_process_has_what_the_one_before_had(one: ProcessExecutor) -> None:
    pid = one.call(_pid)
    assert one.call(_pid) == pid
    with pytest.raises(ProcessDiedError):
        one.call(_end)
    assert one.call(_pid) != pid


def _pid() -> int:
    return os.getpid()


def _end() -> None:
    os._exit(1)


# A process goes to where its body is to be; the next body may be of another run, made elsewhere.
def test_bodies_in_turn_find_the_folder_and_the_environment_of_their_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = cs.Engine(executor=ProcessExecutor(1), reuse=False)
    standing = cs.task(place)

    @cs.task
    def whole() -> tuple[str, str | None]:
        return str(pathlib.Path.cwd()), os.environ.get("MADE_FOR_HEADS")

    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    try:
        for _ in range(2):
            monkeypatch.chdir(first)
            assert engine.start(standing()).result() == str(first)
            monkeypatch.chdir(second)
            monkeypatch.setenv("MADE_FOR_HEADS", "yes")
            assert engine.start(whole()).result() == (str(second), "yes")
            assert engine.start(standing()).result() == str(second)
            monkeypatch.chdir(first)
            monkeypatch.delenv("MADE_FOR_HEADS")
            assert engine.start(whole()).result() == (str(first), None)
            assert engine.start(standing()).result() == str(first)
    finally:
        engine.close()


def test_items_of_a_map_share_what_goes_to_a_process(sent: list[tuple[int, int]]) -> None:
    engine = cs.Engine(executor=ProcessExecutor(1), reuse=False)
    try:
        assert engine.start(cs.task(doubled).map(x=range(10))).result() == list(range(0, 20, 2))
    finally:
        engine.close()
    calls: list[Any] = [kind for kind, _ in sent if kind in {CALL, WITH_HEAD, SAME_HEAD}]
    assert calls == [WITH_HEAD, *[SAME_HEAD] * 9]
