"""A task that asks for GPUs has some of its own, and no other has them meanwhile."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.control.gate_kinds.resource_pools import DevicePool
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.errors import PolicyError
from cascade_nb.executors import ProcessExecutor
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, until


@cs.task(reuse=False)
def seen() -> Any:
    return cs.gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES")


def asks(amount: float) -> Ticket:
    owner: Any = None
    return Ticket(owner, 0, 0, 0, Subject("r", "t"), {"gpu": amount})


amounts = st.sampled_from([0.25, 0.5, 0.75, 1, 1.5, 2, 3])


@given(st.sampled_from([1, 2, 3, 4, 2.5]), st.lists(st.tuples(amounts, st.booleans()), max_size=30))
def test_no_two_have_a_device_at_once_and_parts_fit_into_one(
    total: float, steps: list[tuple[float, bool]]
) -> None:
    pool = DevicePool("gpu", total)
    has: dict[Ticket, float] = {}
    for amount, ends in steps:
        if ends and has:
            ticket = next(iter(has))
            del has[ticket]
            assert pool.give_back(ticket)
        ticket = asks(amount)
        used = [0.0] * (int(total) + (total % 1 > 0))
        for other, share in has.items():
            for unit in pool.units[other]:
                used[unit] += min(share, 1)
        size = [1.0] * int(total) + ([total % 1] if total % 1 else [])
        if amount < 1:
            fits = any(u + amount <= s + 1e-9 for u, s in zip(used, size, strict=True))
        else:
            free = sum(u < 1e-9 and s == 1 for u, s in zip(used, size, strict=True))
            fits = free >= -(-amount // 1)
        assert pool.refuses(ticket, 0.0) == (not fits)
        if fits:
            pool.take(ticket)
            pool.take(ticket)  # what has passed does so for nothing
            has[ticket] = amount
            assert len(pool.units[ticket]) == max(1, -(-amount // 1))
    for ticket in list(has):
        pool.give_back(ticket)
    assert pool.units == {}
    assert not pool.refuses(asks(int(total)), 0.0)


async def test_in_threads_it_is_said_which_they_are(make_engine: MakeEngine) -> None:
    engine, hold = make_engine(system_resources={"gpu": 2}), Hold()
    ids = []

    @cs.task(reuse=False)
    def works(x: int) -> None:
        ids.append(cs.gpu_ids())
        hold.wait(x)

    run = engine.start(works.map(x=[1, 2, 3]).with_constraints(gpu=1))
    await until(lambda: len(hold.came) == 2)
    assert sorted(ids) == [("0",), ("1",)]
    assert run.status.queued == 1
    hold.let_go()
    await run
    assert len(ids) == 3
    assert cs.gpu_ids() == ()
    assert (await engine.run(seen()))[0] == ()


@pytest.mark.parametrize(("said", "whose"), [(None, ["0", "1"]), ("5,GPU-ab", ["5", "GPU-ab"])])
async def test_in_a_process_a_task_sees_its_own_alone(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, said: str | None, whose: list[str]
) -> None:
    if said is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    engine = make_engine(executor=ProcessExecutor(1), system_resources={"gpu": 2})
    both = seen().with_constraints(gpu=2)
    values = await engine.run([both, seen().with_constraints(gpu=0.5), seen()])
    assert values[0] == (tuple(whose), ",".join(whose))
    assert values[1] == ((whose[0],), whose[0])
    assert values[2] == ((), said), "the next body there has what its notebook has"


@pytest.mark.parametrize(("total", "amount"), [(1, 1.5), (2.5, 3), (2, 2.5), (0.5, 1)])
def test_what_could_never_be_had_is_refused(
    make_engine: MakeEngine, total: float, amount: float
) -> None:
    engine = cs.Engine(system_resources={"gpu": total})
    with pytest.raises(PolicyError, match="it could never start"):
        engine.start(seen().with_constraints(gpu=amount))
    engine.close()
