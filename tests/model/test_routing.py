"""Choosing among branches, and putting calls in order."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import TaskCallError, UsageError


@cs.task
def one() -> int:
    return 1


@cs.task
def double(x: int) -> int:
    return 2 * x


def test_a_router_reads_its_selector_and_knows_its_routes() -> None:
    selector, branch = one(), one()
    router = cs.Router(selector, {1: branch, 2: "plain"})
    assert router.inputs == (selector,)
    assert router.routes == {1: branch, 2: "plain"}
    assert router.label == "route(one)"
    assert router.named("choice").label == "choice"
    assert cs.Router("fast", {"fast": branch}).inputs == ()


@pytest.mark.parametrize("routes", [{}, [], None, [("a", 1)]], ids=repr)
def test_a_router_without_routes_is_refused(routes: Any) -> None:
    with pytest.raises(UsageError, match=r"dict of key and branch"):
        cs.Router(one(), routes)


def test_a_branch_around_lazy_values_is_refused() -> None:
    with pytest.raises(UsageError, match=r"branch 1 of a Router is a list with lazy values in it"):
        cs.Router(one(), {1: [one()]})
    with pytest.raises(UsageError, match=r"branch default of a Router is a dict"):
        cs.Router(one(), {1: 1}, default={"a": one()})


def test_routes_changed_afterwards_do_not_change_the_router() -> None:
    routes: dict[Any, Any] = {1: one()}
    router = cs.Router(one(), routes)
    routes[2] = one()
    assert set(router.routes) == {1}


def test_a_sequence_is_its_last_step_after_the_others() -> None:
    first, second, third = one(), one(), one()
    last = cs.sequence(first, second, third)
    assert last.task is third.task
    (before,) = last.options.follows
    assert before.options.follows == (first,)
    assert cs.sequence(first, last).options.follows == (before, first)
    assert cs.sequence(first) is first


def test_a_sequence_is_made_of_steps() -> None:
    with pytest.raises(UsageError, match=r"at least one step"):
        cs.sequence()
    with pytest.raises(UsageError, match=r"a step of a sequence is a lazy value, not 3"):
        cs.sequence(one(), 3)  # type: ignore[arg-type]


def test_a_pipeline_hands_on_from_task_to_task() -> None:
    last = cs.pipeline(5, double, double)
    (before,) = last.inputs
    assert before.args == (5,)
    assert last.args == (before,)
    assert cs.pipeline(5) == 5


def test_a_pipeline_goes_through_tasks_that_take_one_argument() -> None:
    with pytest.raises(UsageError, match=r"goes through tasks, not 3"):
        cs.pipeline(1, double, 3)  # type: ignore[arg-type]
    with pytest.raises(TaskCallError):
        cs.pipeline(1, one)
