"""What every state backend keeps to. Another one adds its name and where it keeps to `ADAPTERS`."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.errors import CodecError, LeaseLostError
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.file_stamps import ABSENT, FileStamp
from cascade_nb.protocols.state_backend import Entry, Known, StateBackend
from cascade_nb.state.memory import MemoryState
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.sqlite.backend import SqliteState
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import until
from tests.state.witness import Witness, keep
from tests.support.redis_server import RedisServer

KEY = b"the key of the user of the tests"

#: Makes backends of one place, as many as one likes.
Place: TypeAlias = Callable[[], StateBackend]


@contextmanager
def memory(folder: Path) -> Iterator[Place]:
    yield MemoryState


@contextmanager
def sqlite(folder: Path) -> Iterator[Place]:
    yield lambda: SqliteState(folder / "results.db", key=KEY)


@contextmanager
def redis(folder: Path) -> Iterator[Place]:
    with RedisServer.start() as server:
        yield lambda: RedisState(server.url, key=KEY)


#: name -> gives the place for a test, which has a folder of its own.
ADAPTERS: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "memory": memory,
    "redis": redis,
    "sqlite": sqlite,
}

#: Those whose results outlive the process, and are shared by all who use the same place.
LASTING = sorted(ADAPTERS.keys() - {"memory"})

VALUES: dict[str, Any] = {
    "None": None,
    "number": 3,
    "text": "ü\udc80\x00",
    "bytes": b"\x00\xff",
    "containers": {"k": [(1, 2), {3}]},
    "large": bytes(range(256)) * 4_000,
    "larger": b"y" * 3_000_000,
    "false": False,
    "an object": Path("x"),
}


class Unwritable:
    """Can be had in memory only."""

    def __reduce__(self) -> str:
        raise TypeError("not this one")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ADAPTERS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
async def state(place: Place) -> AsyncIterator[StateBackend]:
    made = place()
    await made.open()
    yield made
    await made.close()


every = pytest.mark.parametrize("place", ADAPTERS, indirect=True)
lasting = pytest.mark.parametrize("place", LASTING, indirect=True)


@every
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_what_is_kept_comes_back(state: StateBackend, value: Any) -> None:
    before = time.time()
    await keep(state, Entry("key", value, 2.5))
    (known,) = (await state.known(["key"])).values()
    assert known.seconds == 2.5
    assert before - 1 <= known.made <= time.time() + 1
    back = (await state.values(["key"]))["key"]
    assert back == value
    assert type(back) is type(value)


STAMPS = frozenset(
    {
        FileStamp("in.txt", "3,1700000000000000000"),
        FileStamp("/data/ \udc80ü\n\x00'.csv", ABSENT),
        FileStamp("/data/", "names,ab"),
        FileStamp("out.bin", "5,6 abcd", wrote=True),
    }
)


@every
@pytest.mark.parametrize("value", [1, b"z" * 3_000_000], ids=["small", "large"])
async def test_what_a_result_was_made_of_comes_back_with_it(
    state: StateBackend, value: Any
) -> None:
    await keep(state, Entry("key", value, 1.0, files=STAMPS), Entry("bare", value, 1.0))
    known = await state.known(["key", "bare"])
    assert known["key"].files == STAMPS
    assert known["bare"].files == frozenset()
    await keep(state, Entry("key", value, 1.0), Entry("bare", value, 1.0, files=STAMPS))
    known = await state.known(["key", "bare"])
    assert known["key"].files == frozenset()
    assert known["bare"].files == STAMPS


@every
async def test_what_was_never_kept_is_not_known_and_cannot_be_had(state: StateBackend) -> None:
    assert await state.known([]) == {}
    assert await state.values([]) == {}
    assert await state.known(["nothing"]) == {}
    assert await state.values(["nothing"]) == {}


@every
async def test_it_knows_when_a_result_was_made(state: StateBackend) -> None:
    await keep(state, Entry("key", 1, 2.5, made=1_000_000.25))
    assert (await state.known(["key"]))["key"] == Known(2.5, 1_000_000.25)
    assert await state.values(["key"]) == {"key": 1}


@every
async def test_only_what_is_there_of_many_is_given(state: StateBackend) -> None:
    await keep(state, *(Entry(f"k{i}", i, float(i)) for i in range(0, 3000, 3)))
    keys = [f"k{i}" for i in range(3000)]
    found = await state.known(keys)
    assert {key: known.seconds for key, known in found.items()} == {
        f"k{i}": float(i) for i in range(0, 3000, 3)
    }
    assert await state.values(keys) == {f"k{i}": i for i in range(0, 3000, 3)}


@every
async def test_a_later_value_replaces_the_earlier(state: StateBackend) -> None:
    for value, seconds in [(1, 1.0), (b"x" * 300_000, 2.0), (b"y" * 300_000, 3.0), (2, 9.0)]:
        await keep(state, Entry("key", value, seconds))
        assert await state.values(["key"]) == {"key": value}
        assert (await state.known(["key"]))["key"].seconds == seconds


@every
async def test_the_last_of_one_key_put_at_once_is_what_stays(state: StateBackend) -> None:
    await keep(state, *(Entry("key", i, float(i)) for i in range(50)))
    assert await state.values(["key"]) == {"key": 49}


@every
async def test_opening_again_loses_nothing(state: StateBackend) -> None:
    await keep(state, Entry("key", 1, 1.0))
    await state.open()
    await state.open()
    assert await state.values(["key"]) == {"key": 1}


@every
async def test_values_may_be_put_from_any_thread(state: StateBackend) -> None:
    witness = Witness()
    safe: list[bool] = []

    def put(n: int) -> None:
        safe.extend(state.put(Entry(f"{n}.{i}", i, 0.0), witness) for i in range(50))

    threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    await until(lambda: len(safe) == 200 and len(witness.told) == 200 - sum(safe))
    keys = [f"{n}.{i}" for n in range(4) for i in range(50)]
    assert await state.values(keys) == {f"{n}.{i}": i for n in range(4) for i in range(50)}


@every
def test_one_backend_serves_one_loop_after_another(place: Place) -> None:
    # The engine moves to another loop when it is used from a cell, a script and a thread in turn.
    state = place()
    for i in range(3):

        async def use(i: int = i) -> None:
            await state.open()
            await keep(state, Entry(f"k{i}", i, 1.0))
            assert await state.values([f"k{j}" for j in range(3)]) == {
                f"k{j}": j for j in range(i + 1)
            }

        asyncio.run(use())
    asyncio.run(state.close())


@every
async def test_everything_put_before_the_close_is_told_once(place: Place) -> None:
    state = place()
    await state.open()
    witness = Witness()
    safe = sum(state.put(Entry(f"k{i}", i, 0.0), witness) for i in range(300))
    await state.close()
    await until(lambda: len(witness.told) == 300 - safe)
    assert len(set(witness.told)) == 300 - safe
    assert witness.refused == []


@every
async def test_a_put_never_waits_and_never_encodes(state: StateBackend) -> None:
    # It is called under the engine's lock, which every task needs.
    encoded: list[threading.Thread] = []

    class Told:
        def __reduce__(self) -> Any:
            encoded.append(threading.current_thread())
            return (dict, ())

    await keep(state, Entry("key", Told(), 1.0))
    assert threading.current_thread() not in encoded


@lasting
async def test_who_reads_does_not_wait_for_what_is_written(state: StateBackend) -> None:
    # A run that begins must not wait until another one's gigabytes are kept.
    go = threading.Event()

    class Slow:
        def __reduce__(self) -> Any:
            assert go.wait(60)
            return (int, ())

    await keep(state, Entry("there", 1, 0.0))
    witness = Witness()
    state.put(Entry("slow", Slow(), 0.0), witness)
    assert list(await asyncio.wait_for(state.known(["there", "slow"]), 30)) == ["there"]
    assert await asyncio.wait_for(state.values(["there", "slow"]), 30) == {"there": 1}
    await asyncio.wait_for(state.open(), 30)
    assert witness.told == []
    go.set()
    await until(lambda: witness.kept_keys == ["slow"])


@lasting
async def test_nobody_holds_a_value_that_was_kept(state: StateBackend) -> None:
    # The engine frees what nothing reads any more, and that must help.
    class Held:
        def __reduce__(self) -> Any:
            return (int, ())

    for values in ([Held()], [Held(), Unwritable(), Held()]):
        alive = [weakref.ref(value) for value in values]
        witness = Witness()
        await witness.put(state, *(Entry(f"k{i}", value, 0.0) for i, value in enumerate(values)))
        witness.refused.clear()
        values.clear()
        await until(lambda alive=alive: _are_gone(alive), "the end of the values")  # type: ignore[misc]


def _are_gone(alive: list[weakref.ref[Any]]) -> bool:
    gc.collect()
    return all(ref() is None for ref in alive)


@lasting
async def test_it_tells_from_a_thread_of_its_own_and_many_at_a_time(state: StateBackend) -> None:
    witness = Witness()
    assert not state.put(Entry("first", 0, 0.0), witness)
    await witness.put(state, *(Entry(f"k{i}", i, 0.0) for i in range(2000)))
    assert len(witness.batches) < 200
    assert threading.current_thread() not in witness.threads


@lasting
async def test_a_value_that_cannot_be_written_leaves_the_others_alone(state: StateBackend) -> None:
    witness = Witness()
    values = [1, Unwritable(), 3, Unwritable(), 5]
    await witness.put(state, *(Entry(f"k{i}", value, 0.0) for i, value in enumerate(values)))
    assert sorted(witness.kept_keys) == ["k0", "k2", "k4"]
    assert sorted(key for key, _ in witness.refused) == ["k1", "k3"]
    assert all(isinstance(error, CodecError) for _, error in witness.refused)
    assert await state.values([f"k{i}" for i in range(5)]) == {"k0": 1, "k2": 3, "k4": 5}


@lasting
async def test_each_keeper_hears_of_its_own_entries_only(state: StateBackend) -> None:
    witnesses = [Witness() for _ in range(3)]
    for i in range(30):
        state.put(Entry(f"k{i}", i, 0.0), witnesses[i % 3])
    await until(lambda: all(len(witness.told) == 10 for witness in witnesses))
    for n, witness in enumerate(witnesses):
        assert sorted(witness.kept_keys) == sorted(f"k{i}" for i in range(n, 30, 3))


@lasting
async def test_a_keeper_that_fails_harms_no_other(
    state: StateBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Witness):
        def kept(self, entries: Any) -> None:
            super().kept(entries)
            raise RuntimeError("a fault of the keeper")

    complaints: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    failing, other = Failing(), Witness()
    state.put(Entry("a", 1, 0.0), failing)
    await other.put(state, Entry("b", 2, 0.0))
    await until(lambda: failing.kept_keys == ["a"] and complaints)
    assert "a fault of the keeper" in str(complaints[0].exc_value)
    await other.put(state, Entry("c", 3, 0.0))
    assert other.kept_keys == ["b", "c"]


@lasting
async def test_what_is_kept_is_there_for_the_next_process(place: Place) -> None:
    first = place()
    await first.open()
    await keep(first, *(Entry(name, value, 0.5) for name, value in VALUES.items()))
    known = await first.known(list(VALUES))
    await first.close()
    second = place()
    await second.open()
    assert await second.values(list(VALUES)) == VALUES
    assert await second.known(list(VALUES)) == known
    await second.close()


@lasting
async def test_two_backends_of_one_place_see_what_the_other_keeps(
    state: StateBackend, place: Place
) -> None:
    other = place()
    await other.open()
    await keep(state, Entry("a", 1, 0.0))
    await keep(other, Entry("b", b"z" * 200_000, 0.0), Entry("a", 3, 0.0))
    for one in (state, other):
        assert await one.values(["a", "b"]) == {"a": 3, "b": b"z" * 200_000}
    await other.close()


@lasting
async def test_what_an_owner_writes_that_lost_its_run_is_refused(
    state: StateBackend, place: Place
) -> None:
    assert state.journal is not None
    stale = await state.journal.claim("run", "kernel 1", 60.0)
    await keep(state, Entry("a", 1, 0.0, stale))
    await state.journal.release(stale)
    await keep(state, Entry("b", 2, 0.0, stale))  # nobody else has it yet
    other = place()
    await other.open()
    assert other.journal is not None
    newest = await other.journal.claim("run", "kernel 2", 60.0)
    witness = Witness()
    await witness.put(
        state,
        Entry("c", 3, 0.0, stale),
        Entry("d", 4, 0.0),
        Entry("e", b"e" * 200_000, 0.0, stale),
        Entry("f", 6, 0.0, newest),
    )
    assert sorted(witness.kept_keys) == ["d", "f"]
    assert sorted(key for key, _ in witness.refused) == ["c", "e"]
    for _, error in witness.refused:
        assert isinstance(error, LeaseLostError)
        assert "kernel 2" in str(error)
    assert sorted(await state.known(list("abcdef"))) == ["a", "b", "d", "f"]
    await other.close()


@lasting
async def test_nothing_is_left_after_the_close(place: Place) -> None:
    before = set(threading.enumerate())
    state = place()
    await state.open()
    await keep(state, Entry("a", 1, 0.0))
    await state.close()
    await state.close()
    await until(lambda: set(threading.enumerate()) <= before, "the end of its threads")


@lasting
async def test_what_is_put_after_the_close_is_told_too(place: Place) -> None:
    # A thread that nobody could stop brings its result after its engine was closed.
    state = place()
    await state.open()
    await state.close()
    witness = Witness()
    await witness.put(state, Entry("late", 1, 0.0))
    assert witness.told == ["late"]
    await state.close()


@cs.task
def load(n: int) -> list[int]:
    return list(range(n))


@cs.task
def total(xs: list[int], plus: int = 0) -> int:
    return sum(xs) + plus


@every
async def test_completed_work_does_not_run_again(state: StateBackend) -> None:
    engine = Engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    rows = load(5).named("rows")
    assert await engine.run(total(rows)) == 10
    first = len(spy.events_of_type(TaskExecutionStarted))
    run = engine.start(total(rows))
    assert await run == 10
    assert len(spy.events_of_type(TaskExecutionStarted)) == first == 2
    assert run.states()["total#1"] is NodeState.REUSED
    assert await engine.run(total(rows, plus=1)) == 11  # only what is stale runs
    assert len(spy.events_of_type(TaskExecutionStarted)) == 3
    assert await engine.run(total(rows), fresh=True) == 10
    assert len(spy.events_of_type(TaskExecutionStarted)) == 5
    await engine.aclose()
