"""What goes to a process and what comes back from it is what it was."""

from __future__ import annotations

import dataclasses
import enum
import importlib.util
import os
import pathlib
import sys
import threading
import time
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import TransferError
from cascade_nb.executors.processes import link
from cascade_nb.executors.processes.executor import ProcessExecutor
from cascade_nb.executors.processes.pickles import packed
from tests.support.patience import until

SIZES = [0, 1, link.SMALL - 100, link.SMALL, link.SMALL + 1, 3_000_000]


def same(value: Any) -> Any:
    return value


def iter_of(count: int) -> Any:
    yield from range(count)


def test_a_call_runs_in_another_process(warm: ProcessExecutor) -> None:
    assert warm.call(os.getpid) != os.getpid()
    assert warm.call(os.getpid) == warm.call(os.getpid)


def test_what_is_defined_in_a_function_or_a_notebook_goes_with_what_it_uses(
    warm: ProcessExecutor,
) -> None:
    factor = 3

    def helper(x: int) -> int:
        return x * factor

    @dataclasses.dataclass
    class Pair:
        a: int
        b: int

    def swap(pair: Pair) -> Pair:
        return Pair(helper(pair.b), pair.a)

    swapped = warm.call(swap, Pair(1, 2))
    assert swapped == Pair(6, 1)
    assert type(swapped) is Pair


def test_a_class_that_came_back_is_as_it_was_before(warm: ProcessExecutor) -> None:
    class Counter:
        made = 0

        def count(self) -> int:
            return self.made

    method = Counter.count

    def change(counter: Counter) -> Counter:
        Counter.made = 7
        return counter

    assert type(warm.call(change, Counter())) is Counter
    assert Counter.made == 0
    assert Counter.count is method


def test_what_a_class_is_now_counts_and_not_what_it_was_at_the_first_call(
    warm: ProcessExecutor,
) -> None:
    class Setting:
        value = 1

    def read() -> int:
        return Setting.value

    assert warm.call(read) == 1
    Setting.value = 2
    assert warm.call(read) == 2


def test_a_member_of_an_enumeration_of_the_notebook_is_itself_when_it_comes_back(
    warm: ProcessExecutor,
) -> None:
    class Color(enum.Enum):
        RED = 1

    assert warm.call(lambda color: color, Color.RED) is Color.RED


@pytest.mark.parametrize("size", SIZES)
def test_bytes_and_arrays_of_any_size_come_back(warm: ProcessExecutor, size: int) -> None:
    data = os.urandom(size)
    assert warm.call(same, data) == data
    numbers = np.frombuffer(data, dtype=np.uint8)
    there, back = warm.call(lambda a: (int(a.sum()), a), numbers)
    assert there == int(numbers.sum())
    assert np.array_equal(back, numbers)


def test_many_arrays_in_one_value_come_back_each_in_its_place(warm: ProcessExecutor) -> None:
    arrays = {str(n): np.arange(n * 1_000) for n in range(40)}
    back = warm.call(same, arrays)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


def test_an_array_may_be_written_to_where_it_could_be_before(warm: ProcessExecutor) -> None:
    def written(numbers: Any) -> Any:
        numbers[0] = 5
        return numbers

    for size in (10, 1_000_000):
        numbers = np.zeros(size)
        back = warm.call(written, numbers)
        assert (back[0], numbers[0]) == (5, 0)
        back[1] = 6
        numbers.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            warm.call(written, numbers)


def test_the_arrays_of_one_call_are_not_those_of_the_next(warm: ProcessExecutor) -> None:
    kept = [warm.call(np.full, 1_000_000, n) for n in range(4)]
    assert [int(one.sum()) for one in kept] == [0, 1_000_000, 2_000_000, 3_000_000]


def test_frames_come_back_with_their_index_and_types(warm: ProcessExecutor) -> None:
    frame = pd.DataFrame({"a": range(100_000), "b": list("xy") * 50_000})
    pd.testing.assert_frame_equal(warm.call(same, frame), frame)


def test_a_large_array_is_not_copied_here_on_its_way(warm: ProcessExecutor) -> None:
    numbers = np.ones(4_000_000)
    warm.call(same, numbers)
    tracemalloc.start()
    try:
        back = warm.call(same, numbers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert back.nbytes == 32_000_000
    assert peak < 1_000_000


def test_a_stream_is_no_view_of_a_file_that_may_go_before_it() -> None:
    # From Python 3.12 on it is an error when garbage collection takes the file first.
    for value in (1, np.ones(10), {"a": [1, 2]}):
        assert isinstance(packed(value)[0].obj, bytes)


def test_nothing_of_a_call_stays_open(warm: ProcessExecutor) -> None:
    fds = pathlib.Path("/proc/self/fd")
    if not fds.exists():
        fds = pathlib.Path("/dev/fd")
    numbers = np.ones(100_000)

    def there() -> int:
        return len(os.listdir(fds))  # noqa: PTH208 - a text, for another process

    warm.call(same, numbers)
    before, before_there = len(list(fds.iterdir())), warm.call(there)
    for _ in range(20):
        warm.call(same, numbers)
    # Whatever else this process does at the moment may have some open, too.
    until(lambda: len(list(fds.iterdir())) <= before)
    assert warm.call(there) == before_there


def test_what_cannot_go_is_named(warm: ProcessExecutor) -> None:
    guard = threading.Lock()
    settings = {"fast": True, "guard": guard}

    def helper() -> Any:
        return settings

    def uses() -> Any:
        return helper()

    with pytest.raises(TransferError, match=r"cannot go to a process: `settings\['guard'\]`, of "):
        warm.call(uses)
    with pytest.raises(TransferError, match=r"a generator: cannot pickle 'generator' object"):
        warm.call(same, iter_of(3))
    assert warm.call(same, 1) == 1


def test_a_result_that_cannot_come_back_is_named_and_the_process_stays(
    warm: ProcessExecutor,
) -> None:
    pid = warm.call(os.getpid)

    class Holder:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    with pytest.raises(TransferError, match=r"`result\.lock`, of `result`"):
        warm.call(Holder)
    assert warm.call(os.getpid) == pid


def test_a_value_whose_pickle_cannot_be_read_fails_its_own_call(warm: ProcessExecutor) -> None:
    class Sour:
        def __reduce__(self) -> Any:
            return int, ("x",)

    with pytest.raises(TransferError, match=r"cannot be unpickled in its process: ValueError"):
        warm.call(same, Sour())
    with pytest.raises(TransferError, match=r"cannot be unpickled here: ValueError"):
        warm.call(Sour)
    assert warm.call(same, 1) == 1


@pytest.fixture(scope="module")
def for_examples(warm: ProcessExecutor) -> ProcessExecutor:
    return warm


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary(max_size=100),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN)
def test_every_plain_value_comes_back_equal(for_examples: ProcessExecutor, value: Any) -> None:
    assert for_examples.call(same, value) == value


def test_several_threads_are_served_side_by_side() -> None:
    executor = ProcessExecutor(2)
    found: list[int] = []

    def ask(n: int) -> None:
        found.extend([executor.call(same, 100 * n + k) for k in range(20)])

    threads = [threading.Thread(target=ask, args=[n]) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [100 * n + k for n in range(2) for k in range(20)]
    assert len(executor.pids) <= 2
    executor.close()


@cs.task
def of_this_module(x: int) -> int:
    return x + len(_GUARDS)


_GUARDS = [threading.Lock()]  # which has no pickle, and need not go


def test_the_function_of_a_task_of_a_module_is_found_by_its_name(warm: ProcessExecutor) -> None:
    assert warm.call(of_this_module.fn, 4) == 5
    assert warm.obstacle(of_this_module.fn, "of_this_module") is None


def test_what_was_loaded_from_a_file_by_its_path_goes_whole(
    warm: ProcessExecutor, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "flow_of_a_file.py"
    file.write_text(
        "factor = 3\n"
        "class Box:\n    def __init__(self, x): self.x = x\n"
        "def helper(x): return x * factor\n"
        "def work(x): return Box(helper(x))\n"
    )
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        found = warm.call(module.work, 2)
        assert found.x == 6
        assert type(found) is module.Box
    finally:
        del sys.modules[file.stem]


def test_a_module_that_is_written_anew_is_imported_anew(
    tmp_path: pathlib.Path,
) -> None:
    executor = ProcessExecutor(1)
    file = tmp_path / "helpers_of_a_notebook.py"
    file.write_text("value = 1\n")

    def read() -> Any:
        if str(tmp_path) not in sys.path:
            sys.path.insert(0, str(tmp_path))
        return importlib.import_module(file.stem).value

    assert executor.call(read) == 1
    time.sleep(0.03)
    file.write_text("value = 22\n")
    assert executor.call(read) == 22
    executor.close()
