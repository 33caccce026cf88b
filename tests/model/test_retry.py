"""How often something is tried, and how long the waits are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import PolicyError
from cascade_nb.model import Options


def test_attempts_are_counted_in_all() -> None:
    retry = cs.Retry(max_attempts=3)
    assert retry.again(1, ValueError())
    assert retry.again(2, ValueError())
    assert not retry.again(3, ValueError())
    assert not cs.Retry(max_attempts=1).again(1, ValueError())


def test_only_the_given_exceptions_are_worth_another_attempt() -> None:
    retry = cs.Retry(on=OSError)  # type: ignore[arg-type]
    assert retry.on == (OSError,)
    assert retry.again(1, ConnectionError())
    assert not retry.again(1, ValueError())
    assert not cs.Retry().again(1, KeyboardInterrupt())


def test_the_wait_grows_by_the_backoff_and_is_bounded() -> None:
    retry = cs.Retry(10, delay=2, backoff=3, max_delay=30)
    rng = random.Random(0)
    assert [retry.wait_after(n, rng) for n in (1, 2, 3, 4)] == [2, 6, 18, 30]
    assert cs.Retry(10**9, delay=1, backoff=10, max_delay=60).wait_after(10**6, rng) == 60
    assert cs.Retry(10**9, delay=0, backoff=10).wait_after(10**6, rng) == 0


@given(st.integers(1, 50), st.floats(0, 100), st.floats(1, 10), st.floats(0, 1), st.integers())
def test_the_wait_is_stretched_by_at_most_the_jitter(
    attempt: int, delay: float, backoff: float, jitter: float, seed: int
) -> None:
    retry = cs.Retry(100, delay, backoff, jitter, max_delay=1e6)
    least = min(delay * backoff ** (attempt - 1), 1e6)
    wait = retry.wait_after(attempt, random.Random(seed))
    assert least * (1 - 1e-9) <= wait <= min(least * (1 + jitter) * (1 + 1e-9), 1e6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"delay": "1"},
        {"backoff": 0.5},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"max_delay": -1},
        {"on": ()},
        {"on": ("ValueError",)},
        {"on": ValueError("an instance")},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        cs.Retry(**wrong)


def test_with_retry_says_the_same_as_a_retry() -> None:
    lazy = cs.task(lambda: 1)().with_retry(4, delay=1, backoff=2, jitter=0.5, on=OSError)
    assert lazy.options.retry == cs.Retry(4, 1, 2, 0.5, (OSError,))


def test_options_know_whether_they_add_edges() -> None:
    lazy = cs.task(lambda: 1)()
    assert Options().plain
    assert Options(name="n", tags=frozenset("t"), timeout=1.0, retry=cs.Retry()).plain
    assert not Options(after=(lazy,)).plain
    assert not Options(condition=False).plain
    assert not Options(needs={"gpu": 1}).plain
