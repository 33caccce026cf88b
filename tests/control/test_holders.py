"""What two hold stands beside each other; a person lifts anything, others what is their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.control import ConstraintManager
from cascade_nb.control.explanations import explain, whose_words
from cascade_nb.control.gate_kinds.breakers import THE_BREAKER
from cascade_nb.control.gate_kinds.pauses_and_limits import PauseGate
from cascade_nb.control.holders import (
    A_PERSON,
    VARIABLE,
    Holder,
    holder_of,
    own_holder,
    parse_holder,
    user_name,
)
from cascade_nb.errors import ConstraintError
from cascade_nb.events import ConstraintLifted, MessageBus
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.control.test_breakers import Failing, pass_time
from tests.control.test_manager import Crowd
from tests.support.examples import examples

ANN, BOB = Holder("person", "ann"), Holder("person", "bob")
NIGHTLY, CLAUDE = Holder("program", "nightly"), Holder("agent", "claude")
EVERYBODY: Final = (ANN, BOB, NIGHTLY, Holder("program", "hourly"), CLAUDE, Holder("agent", "x"))
SCOPES: Final = ("task:work", "global", "node:low")

who = st.sampled_from(EVERYBODY)
where = st.sampled_from(SCOPES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), who, where, st.sampled_from([None, 5.0, 20.0])),
        st.tuples(st.just("lift"), who, where, st.none()),
        st.tuples(st.just("wait"), who, where, st.sampled_from([3.0, 10.0])),
    ),
    max_size=25,
)
Step = tuple[str, Holder, str, float | None]


class Model:
    """By scope and holder, until when it is held."""

    def __init__(self) -> None:
        self.now = 0.0
        self.holds: dict[tuple[str, Holder], float] = {}

    def do(self, what: str, by: Holder, scope: str, seconds: float | None) -> None:
        if what == "hold":
            self.holds[scope, by] = self.now + (seconds or 1e9)
        elif what == "lift":
            mine = [
                key
                for key in self.holds
                if key[0] == scope and (by.kind == "person" or key[1] == by)
            ]
            for key in mine:
                del self.holds[key]
        else:
            self.now += seconds or 0.0
            self.holds = {key: end for key, end in self.holds.items() if end > self.now}


@settings(max_examples=examples(150))
@given(steps)
def test_nothing_starts_while_any_hold_stands_and_nobody_lifts_what_is_not_theirs(
    done: Sequence[Step],
) -> None:
    clock = VirtualClock()
    manager, model = ConstraintManager(clock, MessageBus()), Model()
    crowd = Crowd(manager)
    for number, (what, by, scope, seconds) in enumerate(done):
        model.do(what, by, scope, seconds)
        if what == "hold":
            manager.apply(scope, by=by, ttl=seconds)
        elif what == "lift":
            lifted = manager.lift(scope, "pause", by=by)
            assert by.kind == "person" or all(one.holder == by for one in lifted)
        else:
            pass_time(manager, clock, seconds or 0.0)
        for other in SCOPES:
            standing = {one.holder for one in manager.standing(other)}
            assert standing == {holder for place, holder in model.holds if place == other}
        # Nothing is left waiting when nothing holds it, and nothing has begun that was held.
        crowd.ask(1, "work") if 1 not in crowd.waiting | crowd.running.keys() else None
        assert (1 in crowd.running) is not bool(model.holds), number
        if 1 in crowd.running:
            crowd.end(1)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(who, st.none() | st.integers(0, 4)), max_size=15))
def test_of_the_limits_of_several_the_strictest_counts(
    done: Sequence[tuple[Holder, int | None]],
) -> None:
    manager = ConstraintManager(VirtualClock(), MessageBus())
    crowd, limits = Crowd(manager), dict[Holder, int]()
    for key in range(8):
        crowd.ask(key)
    for by, n in done:
        if n is not None:
            manager.apply("task:work", "concurrency", {"limit": n}, by=by)
            limits[by] = n
        else:
            manager.lift("task:work", "concurrency", by=by)
            limits = {} if by.kind == "person" else {b: n for b, n in limits.items() if b != by}
        for key in list(crowd.running):
            crowd.end(key)
            crowd.ask(key)
        assert len(crowd.running) == min([8, *limits.values()])


def test_a_person_lifts_the_breaker_of_a_program_and_no_other_does() -> None:
    clock = VirtualClock()
    manager = ConstraintManager(clock, MessageBus())
    crowd = Failing(manager)
    for by in (NIGHTLY, ANN):
        manager.apply("task:work", "breaker", {"failures": 1, "within": 60}, by=by)
    assert crowd.ask(1)
    crowd.fail(1)
    assert [one.holder.kind for one in manager.standing("task:work")] == ["person", "program"]
    assert {one.by for one in manager.standing("task:work")} == {THE_BREAKER}
    assert not crowd.ask(2)
    assert manager.lift("task:work", by=CLAUDE) == []
    (freed,) = manager.lift("task:work", "pause", by=NIGHTLY)
    assert freed.holder == Holder("program", "nightly", means=THE_BREAKER)
    assert crowd.waiting == {2}
    manager.lift("task:work", "pause", by=BOB)
    assert crowd.running.keys() == {2}
    crowd.fail(2)  # both count anew
    assert len(manager.standing("task:work")) == 2


def test_what_is_lifted_says_whose_it_was_and_who_has_lifted_it() -> None:
    bus = MessageBus()
    manager, spy = ConstraintManager(VirtualClock(), bus), SpySubscriber(bus)
    manager.apply("global", by=CLAUDE)
    manager.apply("global", by=ANN)
    manager.lift("global", by=BOB)
    told = [(e.by, e.holder, e.lifted_by) for e in spy.events_of_type(ConstraintLifted)]
    assert told == [("the agent claude", "agent:claude", "bob"), ("ann", "person:ann", "bob")]


def test_all_who_hold_are_named_and_people_first() -> None:
    manager = ConstraintManager(VirtualClock(), MessageBus())
    crowd = Crowd(manager)
    manager.apply("task:work", by=CLAUDE, reason="looking")
    manager.apply("task:work", by=ANN)
    assert not crowd.ask(1)
    (gate,) = {g for g in manager._gates.values() if g.first() is not None}
    assert isinstance(gate, PauseGate)
    assert explain(gate, 0.0) == (
        "work tasks paused just now by the agent claude: looking, and by ann; "
        "cs.resume('task:work') frees it"
    )
    for name in "cd":
        manager.apply("task:work", by=f"program:{name}")
    assert whose_words(manager.standing("task:work")) == (
        " by ann, and by the agent claude: looking, and by the program c, and by 1 more"
    )
    assert whose_words([]) == ""


def test_who_asks_is_told_by_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert (holder_of("you"), holder_of("you").words) == (Holder("person", user_name()), "you")
    assert holder_of("Dr: Who") == Holder("person", "Dr: Who")
    assert holder_of("agent:claude") == CLAUDE
    assert holder_of("") == A_PERSON
    assert holder_of(NIGHTLY) is NIGHTLY
    monkeypatch.setenv(VARIABLE, "person:ada")
    assert holder_of("you").words == "ada"
    monkeypatch.setenv(VARIABLE, "program:nightly")
    assert holder_of("you").words == "the program nightly"
    monkeypatch.setenv(VARIABLE, "robot:nightly")
    with pytest.raises(ConstraintError, match="CASCADE_HOLDER is set to 'robot:nightly', but"):
        own_holder()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *[(text, "a holder is person:NAME, program:NAME or") for text in ("ann", "", None, 3)],
        ("agnet:claude", "did you mean 'agent'"),
        *[(f"agent:{bad}", "a name in a holder has 1 to 64") for bad in ("", "x" * 65, "a\x1bb")],
    ],
)
def test_what_is_no_holder_is_refused_in_a_sentence(text: object, says: str) -> None:
    with pytest.raises(ConstraintError, match=says):
        parse_holder(text)


def test_the_word_of_a_holder_is_read_as_it_is_written() -> None:
    for holder in EVERYBODY:
        assert parse_holder(str(holder)) == holder
