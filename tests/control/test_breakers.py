"""A breaker trips at so many failures within its time, never before, and always then."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cascade_nb.control import ConstraintManager
from cascade_nb.control.constraint import Constraint, parse_scope
from cascade_nb.control.constraint_numbers import parse_breaker
from cascade_nb.control.explanations import (
    applied_in_words,
    constraint_line,
    explain,
    lifted_in_words,
    stopper,
)
from cascade_nb.control.gate_kinds.breakers import THE_BREAKER, BreakerGate
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.errors import ConstraintError
from cascade_nb.events import ConstraintApplied, ConstraintLifted, MessageBus
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.control.test_manager import Crowd
from tests.support.examples import examples

SCOPE = "task:work"


class Failing(Crowd):
    """A crowd whose tickets may fail."""

    def fail(self, key: int, words: str | None = "ConnectionError: refused") -> None:
        ticket = self.running.pop(key)
        self.manager.failed(ticket, None if words is None else f"work[{key}] {words}")
        self.manager.release(ticket)
        self.manager.hand_out()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def manager(clock: VirtualClock) -> ConstraintManager:
    return ConstraintManager(clock, MessageBus())


@pytest.fixture
def crowd(manager: ConstraintManager) -> Failing:
    return Failing(manager)


def pass_time(manager: ConstraintManager, clock: VirtualClock, seconds: float) -> None:
    """Let time pass, with what its timer would do."""
    until = clock.now() + seconds
    while (when := manager.next_change()) <= until:
        clock.advance(max(0.0, when - clock.now()))
        manager.tick()
    clock.advance(until - clock.now())


def apply(manager: ConstraintManager, failures: int = 3, within: float = 60.0, **more: Any) -> None:
    ttl = more.pop("ttl", None)
    params = {"failures": failures, "within": within, **more}
    manager.apply(SCOPE, "breaker", params, by="you", ttl=ttl)


def trip(crowd: Failing, keys: range = range(10, 13)) -> None:
    for key in keys:
        assert crowd.ask(key)
    for key in keys:
        crowd.fail(key)


def paused_by(manager: ConstraintManager) -> str | None:
    pause = manager.find(SCOPE)
    return None if pause is None else pause.by


@settings(max_examples=examples(100))
@given(
    failures=st.integers(1, 5),
    within=st.integers(1, 20),
    gaps=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["fail", "end", "cancel"]))),
)
@example(failures=2, within=4, gaps=[(0, "fail"), (4, "fail")])  # at the very end of the time
@example(failures=2, within=4, gaps=[(0, "fail"), (5, "fail"), (0, "fail")])
def test_it_trips_exactly_when_so_many_failures_lie_within_its_time(
    failures: int, within: int, gaps: list[tuple[int, str]]
) -> None:
    clock = VirtualClock()
    manager = ConstraintManager(clock, MessageBus())
    crowd = Failing(manager)
    apply(manager, failures, float(within))
    moments: list[float] = []
    for key, (gap, what) in enumerate(gaps):
        pass_time(manager, clock, float(gap))
        assert crowd.ask(key)
        if what == "end":
            crowd.end(key)
        elif what == "cancel":
            crowd.fail(key, None)
        else:
            crowd.fail(key)
            moments.append(clock.now())
        lie_within = [moment for moment in moments if clock.now() - moment <= within]
        tripped = len(lie_within) >= failures
        assert (paused_by(manager) == THE_BREAKER) is tripped
        if tripped:
            assert not crowd.ask(1_000)
            manager.lift(SCOPE, "pause")
            assert 1_000 in crowd.running
            crowd.end(1_000)
            moments.clear()  # it counts anew


def test_it_says_which_failures_tripped_it_however_long_they_are(
    manager: ConstraintManager, crowd: Failing
) -> None:
    apply(manager, 5)
    for key in range(5):
        assert crowd.ask(key)
    for key in range(5):
        crowd.fail(key, f"ValueError: \x1b[2J{'x' * 10_000}")
    pause = manager.find(SCOPE)
    assert pause is not None
    assert pause.reason.startswith("5 failures of work tasks within 1 min: work[0] ValueError: xxx")
    assert pause.reason.endswith(" … and 2 more")
    assert len(pause.reason) < 500
    assert pause.reason.isprintable()


def test_nothing_starts_that_it_holds_not_even_what_was_admitted_before(
    manager: ConstraintManager, crowd: Failing
) -> None:
    apply(manager, 1)
    assert crowd.ask(1)
    assert crowd.ask(2)
    assert crowd.ask(3, task="other")
    crowd.fail(1)
    assert manager.recheck(crowd.running[2])
    assert not manager.recheck(crowd.running[3])
    assert crowd.ask(4, task="other")


def test_a_failure_of_something_else_does_not_count(
    manager: ConstraintManager, crowd: Failing
) -> None:
    apply(manager, 1)
    assert crowd.ask(1, task="other")
    crowd.fail(1)
    assert paused_by(manager) is None


def test_one_that_lets_pass_is_in_the_way_of_nothing_else(
    manager: ConstraintManager, crowd: Failing
) -> None:
    apply(manager)
    assert manager.breakers == 1
    assert manager.idle(Subject("r", "other"))
    manager.lift(SCOPE)
    assert manager.breakers == 0
    assert manager.idle(Subject("r", "work"))


@pytest.mark.parametrize("probe", ["end", "fail", "cancel", "give up", "leave"])
def test_one_node_is_its_probe_and_its_end_decides(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock, probe: str
) -> None:
    apply(manager, probe_after=300.0)
    trip(crowd)
    for key in range(3):
        assert not crowd.ask(key)
    pause = manager.find(SCOPE)
    assert pause is not None
    assert pause.expires == clock.now() + 300
    pass_time(manager, clock, 299.9)
    assert not crowd.running
    pass_time(manager, clock, 0.1)
    assert len(crowd.running) == 1
    (key,) = crowd.running
    waits = next(iter(crowd.waiting))
    assert paused_by(manager) is None
    if probe == "end":
        crowd.end(key)
        assert crowd.running.keys() == {0, 1, 2} - {key}
        assert crowd.ask(7)
    elif probe == "fail":
        crowd.fail(key, "ConnectionError: still")
        assert not crowd.running
        assert paused_by(manager) == THE_BREAKER
        found = manager.find(SCOPE)
        assert found is not None
        assert found.reason == f"its probe failed: work[{key}] ConnectionError: still"
        assert found.expires == clock.now() + 300
        pass_time(manager, clock, 300)
        assert len(crowd.running) == 1
    elif probe == "leave":
        other = Failing(manager, "s")
        assert not other.ask(1)
        manager.leave(crowd)
        manager.hand_out()
        assert other.running.keys() == {1}
    else:
        if probe == "cancel":
            crowd.fail(key, None)
        else:
            manager.give_up(crowd.running.pop(key))
            manager.hand_out()
        assert len(crowd.running) == 1  # the next one is the probe
        assert not crowd.ask(8)
    assert waits >= 0


def test_what_waits_for_a_probe_is_held_and_told_so(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock
) -> None:
    apply(manager, 1, probe_after=10.0)
    trip(crowd, range(10, 11))
    pass_time(manager, clock, 10)
    assert crowd.ask(1)
    ticket = Ticket(crowd, 2, 2, 2, Subject("r", "work"))
    assert manager.admit(ticket) is not None
    gate = stopper(manager, ticket)
    assert isinstance(gate, BreakerGate)
    assert gate.word == "held"
    assert explain(gate, clock.now(), ticket) == (
        "work tasks: waits for its probe task 1, after 1 failure of work tasks within 1 min: "
        "work[10] ConnectionError: refused; cs.resume('task:work') frees it"
    )
    assert manager.lift(SCOPE, "pause")  # by hand, while the probe is under way
    assert ticket.key in crowd.running
    crowd.fail(1)  # which is a failure as any other now
    assert paused_by(manager) == THE_BREAKER


def test_a_run_that_its_probe_has_started_passes_with_it(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock
) -> None:
    apply(manager, 1, probe_after=10.0)
    trip(crowd, range(10, 11))
    pass_time(manager, clock, 10)
    assert crowd.ask(1)
    probe = crowd.running[1]
    inside = Ticket(crowd, 2, 2, 2, Subject("inner", "work", above=probe.subject), within=(probe,))
    assert manager.admit(inside) is None
    manager.failed(inside, "work[2] ValueError")
    assert paused_by(manager) == THE_BREAKER


def test_a_failure_that_began_before_it_tripped_does_not_decide(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock
) -> None:
    apply(manager, 1, probe_after=10.0)
    for key in range(3):
        assert crowd.ask(key)
    crowd.fail(0)
    pass_time(manager, clock, 10)
    assert crowd.ask(5)  # the probe
    crowd.fail(1)
    assert paused_by(manager) is None
    crowd.end(2)
    assert not crowd.ask(6)
    crowd.end(5)
    assert 6 in crowd.running


def test_a_pause_that_somebody_has_on_its_scope_stays_theirs(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock
) -> None:
    apply(manager)
    for key in range(3):
        assert crowd.ask(key)
    manager.apply(SCOPE, by="you", reason="lunch", ttl=30)  # whose the breaker is, too
    for key in range(3):
        crowd.fail(key)
    assert [one.by for one in manager.standing(SCOPE)] == ["you", THE_BREAKER]
    assert not crowd.ask(5)
    pass_time(manager, clock, 30)  # theirs is over, and what failed meanwhile counts
    assert paused_by(manager) == THE_BREAKER
    assert not crowd.running
    manager.apply(SCOPE, by="you")  # beside its own
    manager.lift(SCOPE, "breaker")
    assert [one.by for one in manager.standing(SCOPE)] == ["you"]


@pytest.mark.parametrize("ttl", [None, 30.0])
def test_it_takes_its_own_pause_with_it(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock, ttl: float | None
) -> None:
    spy = SpySubscriber(manager.bus)
    apply(manager, ttl=ttl)
    trip(crowd)
    assert not crowd.ask(1)
    if ttl is None:
        manager.lift(SCOPE, "breaker")
    else:
        pass_time(manager, clock, ttl)
    assert manager.constraints() == []
    assert 1 in crowd.running
    causes = {(event.type, event.cause) for event in spy.events_of_type(ConstraintLifted)}
    cause = "lifted" if ttl is None else "expired"
    assert causes == {("breaker", cause), ("pause", cause)}


def test_other_numbers_forget_nothing(
    manager: ConstraintManager, crowd: Failing, clock: VirtualClock
) -> None:
    apply(manager)
    trip(crowd, range(10, 12))
    apply(manager, 3)  # as a broker sends it again
    trip(crowd, range(12, 13))
    assert paused_by(manager) == THE_BREAKER
    apply(manager, 3, probe_after=50.0)
    found = manager.find(SCOPE)
    assert found is not None
    assert found.expires == clock.now() + 50
    assert not crowd.ask(1)
    pass_time(manager, clock, 50)
    assert crowd.running.keys() == {1}


def test_two_scopes_count_each_for_itself(manager: ConstraintManager, crowd: Failing) -> None:
    apply(manager, 2)
    manager.apply("tag:net", "breaker", {"failures": 3, "within": 60})
    for key in range(3):
        assert crowd.ask(key, tags="net")
    crowd.fail(0)
    crowd.fail(1)
    assert paused_by(manager) == THE_BREAKER
    assert manager.find("tag:net") is None
    crowd.fail(2)
    assert manager.find("tag:net") is not None
    manager.lift("tag:net")
    assert paused_by(manager) == THE_BREAKER


@pytest.mark.parametrize(
    ("rule", "means"),
    [
        ("3/1m", (3, 60.0)),
        ("5/30s", (5, 30.0)),
        ("2/h", (2, 3600.0)),
        (" 1 / 0.5 s ", (1, 0.5)),
        ("10/2MIN", (10, 120.0)),
    ],
)
def test_a_rule_is_written_as_failures_per_time(rule: str, means: tuple[int, float]) -> None:
    assert parse_breaker(rule) == means


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        *[(rule, "is no breaker; write how many") for rule in ("", "3", "x/1m", "3/1x", "-1/m")],
        *[(rule, "is no breaker; write how many") for rule in (3, None, 0.5, True, "1.5/m")],
        ("9" * 5000 + "/m", "is no breaker"),
        ("0/m", "1 to 1,000 failures can trip a breaker, not 0"),
        ("1001/m", "1 to 1,000 failures can trip a breaker, not 1001"),
        ("1/0s", "the time that failures count within must be above zero and at most a year"),
        ("1/" + "9" * 400 + "s", "must be above zero and at most a year, not inf s"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_sentence(rule: object, says: str) -> None:
    with pytest.raises(ConstraintError, match=says):
        parse_breaker(rule)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "breaker needs 'failures'"),
        ({"failures": 1}, "breaker needs 'within'"),
        ({"failures": 1, "within": 1, "probe": 1}, "breaker takes no 'probe'.*probe_after"),
        *[
            ({"failures": bad, "within": 1}, "how many failures trip a breaker is a whole number")
            for bad in (True, 1.0, "3", None, float("nan"))
        ],
        *[
            ({"failures": bad, "within": 1}, "1 to 1,000 failures can trip a breaker")
            for bad in (0, -1, 10**400)
        ],
        *[
            ({"failures": 1, "within": bad}, "the time that failures count within")
            for bad in (True, "1m", None, 0, -1, float("nan"), float("inf"), 10**400)
        ],
        *[
            ({"failures": 1, "within": 1, "probe_after": bad}, "the time that a probe comes after")
            for bad in (True, "1m", 0, -1, float("nan"), float("inf"), 10**400)
        ],
    ],
)
def test_impossible_numbers_are_refused_in_a_sentence(
    manager: ConstraintManager, params: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConstraintError, match=says):
        manager.apply(SCOPE, "breaker", params)
    assert manager.constraints() == []


def test_it_is_said_in_words() -> None:
    params = {"failures": 3, "within": 60.0, "probe_after": 300.0}
    event = ConstraintApplied(scope=SCOPE, type="breaker", params=params, by="you")
    told = "3 failures within 1 min hold it, with a probe after 5 min"
    assert applied_in_words(event) == f"work tasks: {told} by you"
    gone = ConstraintLifted(scope=SCOPE, type="breaker")
    assert lifted_in_words(gone) == "work tasks: no breaker"
    one = Constraint(parse_scope(SCOPE), "breaker", failures=1, within=1.0)
    assert constraint_line(one, 0.0) == f"{SCOPE}: 1 failure within 1 s holds it, since 0 ms"
    assert one.params == {"failures": 1, "within": 1.0}
