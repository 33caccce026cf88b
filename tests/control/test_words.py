"""Numbers and times as a colleague would say them, and why something waits."""

from __future__ import annotations

import pytest

from cascade_nb.control import Scope
from cascade_nb.control.constraint import Constraint
from cascade_nb.control.explanations import explain
from cascade_nb.control.gate_index import gate_for
from cascade_nb.control.gate_kinds.resource_pools import PoolGate
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.control.holders import Holder
from cascade_nb.control.words import ago, amount_text, count_text, rate_text, seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.35, "350 ms"),
        (0.9499, "950 ms"),
        (0.96, "1 s"),
        (1, "1 s"),
        (4.04, "4 s"),
        (4.2, "4.2 s"),
        (12.4, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (72, "1 min 12 s"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 d"),
        (273600, "3 d 4 h"),
        (1e9, "11574 d 1 h"),
    ],
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (1.4, "just now"), (2, "2 s ago"), (12, "12 s ago"), (90, "2 min ago"),
     (7500, "2 h 5 min ago")],
)  # fmt: skip
def test_how_long_ago(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_counts_and_amounts() -> None:
    assert [count_text(n, "task") for n in (0, 1, 2, 12345)] == [
        "0 tasks",
        "1 task",
        "2 tasks",
        "12,345 tasks",
    ]
    rates = [rate_text(x) for x in (5, 10 / 60, 1 / 60, 2 / 3600, 0.5 / 3600)]
    assert rates == [
        "300 starts a minute",
        "10 starts a minute",
        "1 starts a minute",
        "2 starts an hour",
        "12 starts a day",
    ]
    assert [amount_text(x) for x in (1, 1.0, 0.5, 2.25, 1 / 3)] == [
        "1",
        "1",
        "0.5",
        "2.25",
        "0.333333",
    ]


class Named:
    """An owner that only has names for its tickets."""

    def process_of(self, ticket: Ticket) -> int | None:
        return None

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        return (f"task {ticket.key}",)


def ticket(key: int, **needs: float) -> Ticket:
    return Ticket(Named(), key, key, key, Subject("r", "t"), needs)  # type: ignore[arg-type]


def test_a_pause_says_who_why_since_when_and_how_to_end_it() -> None:
    scope = Scope("task", "train")
    pause = Constraint(
        scope, "pause", reason="lunch", holder=Holder("person", "Ann"), since=88.0, expires=160.0
    )
    assert explain(gate_for(pause, 100.0), 100.0) == (
        "train tasks paused 12 s ago by Ann: lunch, for 1 min more; "
        "cs.resume('task:train') frees it"
    )
    plain = gate_for(Constraint(Scope("global"), "pause", since=100.0), 100.0)
    assert explain(plain, 100.0) == "everything paused just now; cs.resume('global') frees it"


def test_a_limit_says_how_many_and_who() -> None:
    gate = gate_for(
        Constraint(Scope("tag", "gpu"), "concurrency", limit=2, holder=Holder("person", "ops")), 0.0
    )
    assert explain(gate, 0.0) == "at most 2 of what is tagged gpu at once by ops"
    for key in range(6):
        gate.take(ticket(key))
    assert explain(gate, 0.0).endswith("; now: task 0, task 1, task 2, task 3 and 2 more")


def test_a_rate_says_when_the_next_may_start() -> None:
    gate = gate_for(Constraint(Scope("global"), "rate_limit", rate=1 / 6, capacity=1), 0.0)
    gate.take(ticket(1))
    assert explain(gate, 2.0) == "everything: 10 starts a minute; next in 4 s"


def test_a_resource_says_how_much_is_free_and_who_has_the_rest() -> None:
    pool = PoolGate("gpu", 2)
    pool.take(ticket(1, gpu=1.5))
    assert explain(pool, 0.0, ticket(2, gpu=1)) == (
        "needs 1 gpu, and 0.5 of 2 is free; used by task 1"
    )
