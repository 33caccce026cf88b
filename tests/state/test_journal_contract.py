"""What every journal keeps to. Another one adds its name and where it keeps to `ADAPTERS`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.errors import CodecError, LeaseHeldError, LeaseLostError
from cascade_nb.protocols.journal import Journal, Lease
from cascade_nb.protocols.state_backend import Entry, StateBackend
from tests.engine.tools import until
from tests.state.test_contract import Place, Unwritable, redis, sqlite
from tests.state.witness import Witness, keep

#: name -> gives the place for a test, which has a folder of its own.
ADAPTERS: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "redis": redis,
    "sqlite": sqlite,
}

FOR_LONG = 600.0  # seconds
SHORT = 0.3


@pytest.fixture(params=ADAPTERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ADAPTERS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
async def state(place: Place) -> AsyncIterator[StateBackend]:
    made = place()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def journal(state: StateBackend) -> Journal:
    assert state.journal is not None
    return state.journal


@pytest.fixture
async def another(place: Place) -> AsyncIterator[Journal]:
    """That of another kernel, at the same place."""
    made = place()
    await made.open()
    assert made.journal is not None
    yield made.journal
    await made.close()


async def test_who_comes_second_is_told_who_has_the_run(journal: Journal, another: Journal) -> None:
    lease = await journal.claim("run", "kernel 1 on ada", FOR_LONG)
    assert (lease.run_id, lease.owner) == ("run", "kernel 1 on ada")
    with pytest.raises(LeaseHeldError, match="kernel 1 on ada") as raised:
        await another.claim("run", "kernel 2", FOR_LONG)
    assert raised.value.owner == "kernel 1 on ada"
    assert FOR_LONG - 30 < raised.value.left <= FOR_LONG
    await journal.append(lease, ["still the owner"])


async def test_a_lease_that_ran_out_is_free_and_its_owner_hears_of_it(
    journal: Journal, another: Journal
) -> None:
    first = await journal.claim("run", "kernel 1", SHORT)
    began = time.monotonic()
    while True:
        try:
            second = await another.claim("run", "kernel 2", FOR_LONG)
            break
        except LeaseHeldError:
            assert time.monotonic() < began + 60
            await asyncio.sleep(0.01)
    assert time.monotonic() - began >= SHORT - 0.05
    assert second.fence > first.fence
    for change in changes(journal, first):
        with pytest.raises(LeaseLostError, match="kernel 2") as raised:
            await change
        assert raised.value.owner == "kernel 2"
    assert await journal.history("run") == []
    with pytest.raises(KeyError):
        await journal.read("run", "part")
    await another.append(second, ["mine"])


def changes(journal: Journal, lease: Lease) -> Iterator[Any]:
    """Everything that only the owner may do."""
    yield journal.renew(lease, FOR_LONG)
    yield journal.describe(lease, "title", 1.0, 1)
    yield journal.write(lease, "part", 1)
    yield journal.write(lease, "large part", b"x" * 300_000)
    yield journal.append(lease, ["line"])
    yield journal.finish(lease, "succeeded")


async def test_a_lease_that_ran_out_still_counts_until_somebody_takes_it(journal: Journal) -> None:
    # A kernel that was suspended goes on with its run when nobody has missed it.
    lease = await journal.claim("run", "kernel 1", 0.01)
    await journal.describe(lease, "title", 1.0, 1)

    async def has_run_out() -> bool:
        return (await journal.runs())[0].lease_left <= 0

    deadline = time.monotonic() + 60
    while not await has_run_out():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    for change in changes(journal, lease):
        await change
    (record,) = await journal.runs()
    assert FOR_LONG - 30 < record.lease_left <= FOR_LONG


async def test_a_renewed_lease_is_not_free(journal: Journal, another: Journal) -> None:
    lease = await journal.claim("run", "kernel 1", SHORT)
    await journal.renew(lease, FOR_LONG)
    await asyncio.sleep(SHORT + 0.1)
    with pytest.raises(LeaseHeldError):
        await another.claim("run", "kernel 2", FOR_LONG)


async def test_a_released_lease_is_free_at_once(journal: Journal, another: Journal) -> None:
    first = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.release(first)
    second = await another.claim("run", "kernel 2", FOR_LONG)
    assert second.fence > first.fence
    await journal.release(first)  # it is another's already
    with pytest.raises(LeaseHeldError, match="kernel 2"):
        await journal.claim("run", "kernel 1", FOR_LONG)


async def test_an_owner_may_claim_its_own_again_and_the_older_fence_is_void(
    journal: Journal,
) -> None:
    # The kernel lost the run's handle, in a reloaded module for instance.
    first = await journal.claim("run", "kernel 1", FOR_LONG)
    second = await journal.claim("run", "kernel 1", FOR_LONG)
    assert second.fence > first.fence
    with pytest.raises(LeaseLostError):
        await journal.append(first, ["x"])
    await journal.append(second, ["y"])
    assert await journal.history("run") == ["y"]


async def test_of_many_who_claim_at_once_one_gets_it(place: Place) -> None:
    states = [place() for _ in range(6)]
    for state in states:
        await state.open()
    journals = [state.journal for state in states]
    claims = [
        journal.claim("run", f"kernel {n}", FOR_LONG)
        for n, journal in enumerate(journals)
        if journal is not None
    ]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    (lease,) = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, LeaseHeldError)]
    assert len(losers) == 5
    assert {loser.owner for loser in losers} == {lease.owner}
    for state in states:
        await state.close()


async def test_runs_are_told_apart(journal: Journal) -> None:
    one = await journal.claim("one", "kernel 1", FOR_LONG)
    two = await journal.claim("two", "kernel 2", FOR_LONG)
    await journal.append(one, ["1"])
    await journal.append(two, ["2"])
    await journal.write(one, "part", "of one")
    await journal.write(two, "part", "of two")
    assert await journal.history("one") == ["1"]
    assert await journal.history("two") == ["2"]
    assert await journal.read("one", "part") == "of one"
    assert await journal.read("two", "part") == "of two"


async def test_the_list_of_runs_says_what_there_is(journal: Journal, another: Journal) -> None:
    assert await journal.runs() == []
    old = await journal.claim("old", "kernel 1", FOR_LONG)
    assert await journal.runs() == []  # nothing is known of it yet
    await journal.describe(old, "yesterday · ü", 1000.25, 12)
    new = await journal.claim("new", "kernel 2", FOR_LONG)
    await journal.describe(new, "today", 2000.5, 3)
    await journal.finish(old, "failed")
    await journal.release(old)
    latest, first = await another.runs()
    assert latest[:6] == ("new", "today", "kernel 2", 2000.5, "running", 3)
    assert FOR_LONG - 30 < latest.lease_left <= FOR_LONG
    assert first[:6] == ("old", "yesterday · ü", "kernel 1", 1000.25, "failed", 12)
    assert first.lease_left <= 0


async def test_a_run_that_is_taken_up_again_is_running(journal: Journal, another: Journal) -> None:
    first = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.describe(first, "title", 1.0, 12)
    await journal.finish(first, "cancelled")
    await journal.release(first)
    second = await another.claim("run", "kernel 2", FOR_LONG)
    await another.describe(second, "title", 1.0, 13)
    (record,) = await journal.runs()
    assert record[:6] == ("run", "title", "kernel 2", 1.0, "running", 13)


async def test_lines_come_back_in_order_whatever_is_in_them(
    journal: Journal, another: Journal
) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    odd = ["", "two\nlines", "ü", "\x00", "\udc80 of a file's name", '{"a": "\\"]"}', "x" * 100_000]
    await journal.append(lease, odd)
    await journal.append(lease, [])
    many = [f"line {i}" for i in range(5000)]
    for at in range(0, 5000, 500):
        await journal.append(lease, many[at : at + 500])
    assert await another.history("run") == odd + many
    assert await journal.history("another") == []


async def test_appends_that_nobody_waited_for_keep_their_order(journal: Journal) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    await asyncio.gather(*(journal.append(lease, [f"line {i}"]) for i in range(100)))
    assert await journal.history("run") == [f"line {i}" for i in range(100)]


PARTS = {
    "none": None,
    "data": {"nodes": [1, 2, (3, "ü")]},
    "large": b"0123456789" * 50_000,
    "larger": b"0123456789" * 300_000,
    "object": Path("x"),
}


@pytest.mark.parametrize("value", PARTS.values(), ids=PARTS)
async def test_a_part_comes_back_for_another_kernel(
    journal: Journal, another: Journal, value: Any
) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.write(lease, "graph", value)
    back = await another.read("run", "graph")
    assert back == value
    assert type(back) is type(value)


async def test_a_part_replaces_the_earlier_one(journal: Journal) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    for value in (1, b"x" * 300_000, b"y" * 300_000, 2):
        await journal.write(lease, "constraints", value)
        await journal.write(lease, "other", "stays")
        assert await journal.read("run", "constraints") == value
    assert await journal.read("run", "other") == "stays"


async def test_what_is_not_there_is_a_key_error(journal: Journal) -> None:
    with pytest.raises(KeyError):
        await journal.read("run", "graph")
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.write(lease, "graph", 1)
    with pytest.raises(KeyError):
        await journal.read("run", "parameters")


async def test_a_part_that_has_no_bytes_leaves_the_earlier_one(journal: Journal) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.write(lease, "graph", 1)
    with pytest.raises(CodecError):
        await journal.write(lease, "graph", Unwritable())
    assert await journal.read("run", "graph") == 1


async def test_a_forgotten_run_is_gone_and_its_results_stay(
    state: StateBackend, journal: Journal, another: Journal
) -> None:
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    await journal.describe(lease, "title", 1.0, 1)
    await journal.write(lease, "graph", b"x" * 300_000)
    await journal.append(lease, ["line"])
    await keep(state, Entry("key", 1, 1.0, lease))
    other = await journal.claim("other", "kernel 1", FOR_LONG)
    await journal.describe(other, "stays", 1.0, 1)
    await journal.append(other, ["stays"])
    await another.forget("run")
    await another.forget("never was there")
    assert [record.run_id for record in await journal.runs()] == ["other"]
    assert await journal.history("run") == []
    assert await journal.history("other") == ["stays"]
    with pytest.raises(KeyError):
        await journal.read("run", "graph")
    assert await state.values(["key"]) == {"key": 1}


async def test_a_record_that_is_gone_is_taken_again_by_its_owner_while_nobody_else_has_it(
    journal: Journal, another: Journal
) -> None:
    # A server that was flushed or evicts, a file that was deleted: that is nobody's taking over.
    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    for change in changes(journal, lease):
        await another.forget("run")
        await change
        with pytest.raises(LeaseHeldError):
            await another.claim("run", "kernel 2", FOR_LONG)
    await another.forget("run")
    await journal.release(lease)
    assert await another.runs() == []
    # Fences go on growing, else an owner from before could be the newest once more.
    again = await another.claim("run", "kernel 2", FOR_LONG)
    assert again.fence > lease.fence
    for change in changes(journal, lease):
        with pytest.raises(LeaseLostError, match="kernel 2"):
            await change
    assert await journal.history("run") == []


async def test_a_lease_is_renewed_while_results_are_still_encoded(
    state: StateBackend, journal: Journal
) -> None:
    # Were it to queue behind them, a run with large results would lose itself.
    go = threading.Event()

    class Slow:
        def __reduce__(self) -> Any:
            assert go.wait(60)
            return (int, ())

    lease = await journal.claim("run", "kernel 1", FOR_LONG)
    witness = Witness()
    state.put(Entry("slow", Slow(), 0.0, lease), witness)
    await asyncio.wait_for(journal.renew(lease, FOR_LONG), 30)
    await asyncio.wait_for(journal.append(lease, ["meanwhile"]), 30)
    assert witness.told == []
    go.set()
    await until(lambda: witness.kept_keys == ["slow"])
