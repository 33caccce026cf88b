"""What comes from outside is applied once or not at all, and never outlives what was lifted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.control.constraint import Scope
from cascade_nb.control.holders import A_PERSON, Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote import envelope, remote_constraints
from cascade_nb.control.remote.envelope import KEY_VARIABLE
from cascade_nb.control.remote.messages import lift_payload_of, payload_of, topic_of
from cascade_nb.control.remote.remote_constraints import RemoteConstraints
from cascade_nb.engine import Engine
from cascade_nb.events import ConstraintApplied, ConstraintRejected, MessageBus
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber, VirtualClock
from tests.engine.tools import Hold, until

PAUSE = "cascade/constraints/task/train/pause"


class Side:
    """The constraints of an engine, told by hand."""

    def __init__(self) -> None:
        self.clock, bus = VirtualClock(), MessageBus()
        self.spy = SpySubscriber(bus)
        self.manager = ConstraintManager(self.clock, bus)
        self.remote = RemoteConstraints(bus, self.clock, self.manager)
        self.remote.begin()
        self.remote.complete()

    def pause(self, scope: str = "task:train", **said: Any) -> None:
        """A pause that says so of itself."""
        kept = {"id": "1", "scope": scope, "type": "pause", "params": {}, **said}
        self.remote.take(topic_of(scope, "pause"), json.dumps(kept))

    def lift(self, scope: str = "task:train", **said: Any) -> None:
        """The same for its end."""
        kept = {"id": "2", "scope": scope, "lift": True, **said}
        self.remote.take(topic_of(scope, "pause"), json.dumps(kept))

    @property
    def holds(self) -> list[str]:
        """What is paused."""
        return [str(one) for one in self.manager.constraints()]

    @property
    def applied(self) -> int:
        """How often something was."""
        return len(self.spy.events_of_type(ConstraintApplied))

    @property
    def refused(self) -> list[str]:
        """Why, of all that were refused."""
        return [event.error for event in self.spy.events_of_type(ConstraintRejected)]


@pytest.fixture
def side() -> Side:
    return Side()


def test_a_duplicate_is_applied_once(side: Side) -> None:
    for _ in range(3):
        side.pause(sender="me", sequence=1)
    assert side.holds == ["pause of task:train"]
    assert (side.applied, side.refused) == (1, [])


@pytest.mark.parametrize("said", [{"sender": "me", "sequence": 4}, {"by": "me", "issued_at": 4.0}])
def test_a_replay_after_the_lift_does_not_hold_again(side: Side, said: dict[str, Any]) -> None:
    side.pause(**said)
    side.remote.take(PAUSE, b"")
    side.pause(**said)
    assert side.holds == []
    assert side.refused == ["it came before, and was lifted since"]


def test_a_stale_one_is_refused_whatever_it_asks_for(side: Side) -> None:
    side.pause(sender="me", sequence=2)
    side.lift(sender="me", sequence=1)
    assert side.holds == ["pause of task:train"]
    side.lift(sender="me", sequence=3)
    side.pause(sender="me", sequence=2)
    side.pause(sender="me", sequence=1)
    assert side.holds == []
    assert len(side.refused) == 3


def test_a_lift_of_all_of_a_scope_is_later_than_what_came_before_it(side: Side) -> None:
    side.pause(sender="me", sequence=1)
    message = {"id": "3", "scope": "task:train", "lift": True, "sender": "me", "sequence": 2}
    side.remote.take("cascade/constraints/task/train", json.dumps(message))
    assert side.holds == []
    side.pause(sender="me", sequence=1)
    assert side.holds == []


def test_a_repeated_lift_does_not_lift_what_came_after_it(side: Side) -> None:
    side.lift(sender="me", sequence=1)
    side.pause(sender="you", sequence=1)
    side.lift(sender="me", sequence=1)
    assert side.holds == ["pause of task:train"]


def test_clocks_of_two_senders_are_not_compared(side: Side) -> None:
    side.pause(by="ann", issued_at=1000.0)
    side.remote.take(PAUSE, b"")
    side.pause(by="bob", issued_at=10.0)
    assert side.holds == ["pause of task:train"]


def test_what_a_broker_keeps_comes_again_with_each_connection_and_counts_once(side: Side) -> None:
    side.pause(sender="me", sequence=1)
    side.remote.begin()
    side.pause(sender="me", sequence=1)
    side.remote.complete()
    assert (side.holds, side.applied) == (["pause of task:train"], 1)
    side.remote.begin()
    side.remote.complete()
    assert side.holds == []  # it was lifted while nobody listened


def test_what_was_lifted_by_hand_does_not_come_back_with_the_connection(side: Side) -> None:
    side.pause(sender="me", sequence=1)
    side.manager.lift("task:train")
    for _ in range(2):
        side.remote.begin()
        side.pause(sender="me", sequence=1)
        side.remote.complete()
        assert side.holds == []


def test_what_still_held_at_the_end_comes_again_with_the_next_connection(side: Side) -> None:
    side.pause(sender="me", sequence=1)
    side.remote.end()
    assert side.holds == []
    side.pause(sender="me", sequence=1)
    assert side.holds == []  # nobody listens
    side.remote.begin()
    side.pause(sender="me", sequence=1)
    side.remote.complete()
    assert side.holds == ["pause of task:train"]


def test_one_whose_time_is_over_is_refused_and_not_renewed(side: Side) -> None:
    now = side.clock.wall()
    side.pause(sender="me", sequence=1, expires_at=now + 60)
    side.clock.advance(61)
    side.manager.tick()
    side.pause(sender="me", sequence=1, expires_at=now + 60)
    assert side.holds == []
    assert side.refused == ["its time was over before it came"]


def test_the_type_is_the_payloads_where_the_topic_has_none(side: Side) -> None:
    # What the earlier Cascade's controllers send.
    said: dict[str, Any] = {"id": "1", "scope": "task:train", "type": "pause", "params": {}}
    said["expires_at"] = None
    topic = "cascade/constraints/task/train"
    side.remote.take(topic, json.dumps(said))
    limit = {"id": "2", "scope": "task:train", "type": "concurrency", "params": {"limit": 2}}
    side.remote.take(topic, json.dumps(limit))
    assert side.holds == ["pause of task:train", "concurrency of task:train"]
    side.remote.take(topic, json.dumps({**said, "type": "paus"}))
    side.remote.take(topic, json.dumps({**said, "type": None}))
    side.remote.take(topic, json.dumps({**said, "scope": "task:other"}))
    assert len(side.refused) == 3
    side.remote.take(topic, b"{}")
    assert side.holds == []


def test_a_lift_of_one_type_leaves_the_others(side: Side) -> None:
    side.pause()
    limit = {"id": "2", "scope": "task:train", "type": "concurrency", "params": {"limit": 2}}
    side.remote.take("cascade/constraints/task/train/concurrency", json.dumps(limit))
    side.lift()
    assert side.holds == ["concurrency of task:train"]


@pytest.mark.parametrize("scope", ["global", "task:train", "run:r1"])
def test_a_pause_that_names_a_run_is_lifted_on_its_topic(side: Side, scope: str) -> None:
    side.pause(scope, run="r1")
    (constraint,) = side.manager.constraints()
    assert constraint.scope == (
        Scope("task", "train", "r1") if "task" in scope else Scope("run", "r1")
    )
    side.remote.take(topic_of(scope, "pause"), b"")
    assert side.holds == []


def test_a_lift_that_names_a_run_leaves_the_same_pause_of_another(side: Side) -> None:
    side.pause(run="r1")
    side.pause(run="r2")
    side.pause()
    side.lift(run="r1")
    assert [one.scope.run for one in side.manager.constraints()] == ["r2", ""]
    side.manager.lift("task:train")
    assert side.holds == []


def test_with_a_key_only_what_is_signed_holds_and_only_what_is_signed_lifts(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    key = b"secret words"
    side.pause()
    assert side.holds == []
    signed = payload_of("task:train", "pause", {}, issued_at=1.0, by="ann", key=key)
    side.remote.take("cascade/constraints/task/tra%69n/pause", signed)  # of another topic
    assert side.holds == []
    side.remote.take(PAUSE, signed)
    side.remote.take(PAUSE, b"")
    side.lift()
    side.remote.begin()
    side.remote.complete()  # somebody took it away from the broker, who may have had no key
    assert side.holds == ["pause of task:train"]
    assert len(side.refused) == 4
    side.remote.take(
        PAUSE, lift_payload_of("task:train", "pause", issued_at=2.0, by="ann", key=key)
    )
    assert side.holds == []
    side.remote.take(PAUSE, signed)
    assert side.holds == []
    assert not any("secret words" in event.to_json() for event in side.spy.events)


def test_a_signed_lift_that_somebody_kept_lifts_nothing_that_came_after_it(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    key = b"secret words"
    kept = lift_payload_of("task:train", "pause", issued_at=5.0, by="bob", key=key)
    every = lift_payload_of("task:train", issued_at=5.0, by="carl", key=key)
    pause = payload_of("task:train", "pause", {}, issued_at=9.0, by="ann", run="r1", key=key)
    side.remote.take(PAUSE, pause)
    side.remote.take(PAUSE, kept)
    side.remote.take("cascade/constraints/task/train", every)
    assert side.holds == ["pause of run:r1/task:train"]
    assert all("sent before what it would lift" in error for error in side.refused)
    assert len(side.refused) == 2
    later = lift_payload_of("task:train", "pause", issued_at=9.5, by="bob", key=key)
    side.remote.take(PAUSE, later)
    assert side.holds == []


def test_what_is_in_force_from_outside_is_bounded_and_so_is_what_is_remembered(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_constraints, "MOST", 3)
    monkeypatch.setattr(envelope, "MOST_TAKEN", 2)
    for n in range(5):
        side.pause(f"task:t{n}", sender=f"s{n}", sequence=1)
    assert len(side.holds) == 3
    assert side.refused == ["3 constraints from outside are in force already"] * 2
    side.remote.take("cascade/constraints/task/t0/pause", b"")
    side.pause("task:t4", sender="s4", sequence=1)
    assert len(side.holds) == 3
    assert len(side.remote._latest._taken) == 2


def test_however_much_programs_hold_there_is_room_for_what_people_do(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_constraints, "MOST", 3)
    for n in range(5):
        holder = Holder("program", f"p{n}")
        payload = payload_of("global", "pause", {}, holder=holder, issued_at=1.0)
        side.remote.take(topic_of("global", "pause", holder), payload)
    assert len(side.holds) == 3
    side.pause()
    assert side.holds[-1] == "pause of task:train"
    assert len(side.refused) == 2


steps = st.lists(
    st.tuples(
        st.sampled_from(["pause", "lift", "empty", "connect", "hand"]),
        st.sampled_from(["ann", "bob"]),
        st.integers(0, 4),
    ),
    max_size=14,
)


@given(steps)
def test_no_message_counts_twice_and_none_after_a_later_one_of_its_sender(
    done: list[tuple[str, str, int]],
) -> None:
    side = Side()
    taken: dict[str, int] = {}
    holds = False
    for what, sender, sequence in done:
        if what == "hand":
            side.manager.lift("task:train")
            holds = False
        elif what == "empty":
            side.remote.take(PAUSE, b"")
            holds = False
        elif what == "connect":
            side.remote.begin()
            side.remote.complete()
            holds = False
        else:
            new = sequence > taken.get(sender, -1)
            (side.pause if what == "pause" else side.lift)(sender=sender, sequence=sequence)
            if new:
                taken[sender] = sequence
                holds = what == "pause"
        assert bool(side.holds) == holds, (what, sender, sequence)


NOBODY, ANN = A_PERSON, Holder("person", "ann")
NIGHTLY, CLAUDE = Holder("program", "night/ly+"), Holder("agent", "claude code")
turns = st.lists(
    st.tuples(
        st.sampled_from(["hold", "lift", "lift while away", "connect", "by hand"]),
        st.sampled_from([NOBODY, ANN, NIGHTLY, CLAUDE]),
    ),
    max_size=14,
)


@given(turns)
def test_over_the_wire_all_have_to_go_and_nobody_lifts_what_is_not_theirs(
    done: list[tuple[str, Holder]],
) -> None:
    side = Side()
    kept: dict[Holder, bytes] = {}  # by a broker, on the topic of each
    holds: set[Holder] = set()
    for what, holder in done:
        if what == "hold":
            topic = topic_of("task:train", "pause", holder)
            kept[holder] = payload_of(
                "task:train", "pause", {}, holder=holder, by="ann", issued_at=1.0
            )
            side.remote.take(topic, kept[holder])
            holds.add(holder)
        elif what == "by hand":
            side.manager.lift("task:train", by=holder)
            holds = set() if holder.kind == "person" else holds - {holder}
        elif what == "connect":
            side.remote.begin()
            for one, payload in kept.items():
                side.remote.take(topic_of("task:train", "pause", one), payload)
            side.remote.complete()
            holds &= kept.keys()  # what was lifted by hand does not come again
        else:
            gone = set(kept) if holder == NOBODY else {holder}
            kept = {one: payload for one, payload in kept.items() if one not in gone}
            if what == "lift":
                side.remote.take(topic_of("task:train", "pause", holder), b"")
                holds = set() if holder == NOBODY else holds - {holder}
        assert {one.holder for one in side.manager.constraints()} == holds, (what, holder)


@pytest.mark.parametrize(
    ("of_topic", "said", "shown"),
    [
        (NOBODY, {}, ""),
        (NOBODY, {"by": "ada"}, "ada"),
        (NOBODY, {"holder": "person:ada"}, "ada"),
        (ANN, {"holder": "person:ann"}, "ann"),
        (ANN, {"by": "Ann L."}, "Ann L."),
        (CLAUDE, {}, "the agent claude code"),
        (CLAUDE, {"by": "ada", "holder": "agent:claude code"}, "the agent claude code"),
    ],
)
def test_whose_a_message_is_is_said_by_its_topic(
    side: Side, of_topic: Holder, said: dict[str, str], shown: str
) -> None:
    content = {"id": "1", "scope": "task:train", "type": "pause", "params": {}, **said}
    side.remote.take(topic_of("task:train", "pause", of_topic), json.dumps(content))
    (constraint,) = side.manager.constraints()
    assert (constraint.holder, constraint.by) == (of_topic, shown)


@pytest.mark.parametrize(
    ("of_topic", "said", "why"),
    [
        (NOBODY, "agent:claude", "is not whose topic"),
        (NOBODY, "program:x/y", "'/program/x%2Fy'"),
        (CLAUDE, "person:ada", "is not whose topic"),
        (ANN, "person:bob", "is not whose topic"),
        (NOBODY, "robot:x", "its holder is none: a holder is person:NAME"),
        (NOBODY, "agent:", "its holder is none"),
    ],
)
@pytest.mark.parametrize("lift", [False, True])
def test_nobody_speaks_on_the_topic_of_another_and_what_was_there_stays(
    side: Side, of_topic: Holder, said: str, why: str, lift: bool
) -> None:
    topic = topic_of("task:train", "pause", of_topic)
    side.remote.take(topic, payload_of("task:train", "pause", {}, holder=of_topic, issued_at=1.0))
    content: dict[str, Any] = {"id": "2", "scope": "task:train", "type": "pause", "holder": said}
    content["lift" if lift else "params"] = True if lift else {}
    side.remote.take(topic, json.dumps(content))
    assert len(side.manager.constraints()) == 1
    (refused,) = side.refused
    assert why in refused
    side.remote.begin()
    side.remote.take(topic, json.dumps(content))  # all that the broker has kept
    side.remote.complete()
    assert len(side.manager.constraints()) == 1


@pytest.mark.parametrize("ending", ["robot/x", "agent", "agent/x/y", "agent/", "agent/" + "x" * 65])
def test_a_topic_that_ends_with_no_holder_is_refused(side: Side, ending: str) -> None:
    side.remote.take(f"{PAUSE}/{ending}", b"")
    side.remote.take(f"cascade/constraints/task/train/{ending}", b"")
    assert len(side.refused) == 2


async def test_a_pause_of_a_run_that_is_over_does_not_stop_the_next() -> None:
    connector = InProcessConnector()
    engine = Engine(connector=connector)

    @cs.task
    def train(x: int) -> int:
        return x

    first = engine.start(train(1))
    await first
    yesterday = {"id": "1", "scope": "global", "type": "pause", "params": {}, "run": first.id}
    await connector.publish("cascade/constraints/global/pause", yesterday, retain=True)
    assert await engine.run(train(2)) == 2
    await engine.aclose()


async def test_a_pause_that_names_a_run_holds_this_one_only() -> None:
    connector = InProcessConnector()
    engine = Engine(connector=connector)
    hold = Hold()

    @cs.task
    def train(x: Any) -> Any:
        return x

    work = cs.task(name="work")(hold.rest)
    one, two = engine.start(train(work(1))), engine.start(train(work(2)))
    await until(lambda: len(hold.came) == 2)
    said = {"id": "1", "scope": "task:train", "type": "pause", "params": {}, "run": one.id}
    await connector.publish("cascade/constraints/task/train/pause", said, retain=True)
    named = {"id": "1", "scope": "from:train", "type": "pause", "params": {}, "run": one.id}
    await connector.publish("cascade/constraints/from/train/pause", named, retain=True)
    hold.let_go()
    assert await two == 2
    await until(lambda: one.status.held)
    for kind in ("task", "from"):
        await connector.publish(f"cascade/constraints/{kind}/train/pause", b"", retain=True)
    assert await one == 1
    await engine.aclose()


async def test_a_controller_signs_where_a_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    connector = InProcessConnector()
    engine = Engine(connector=connector)
    controller = ControllerTestApp(connector)
    spy = SpySubscriber(engine.bus)
    hold = Hold()
    run = engine.start(cs.task(name="next")(lambda x: x)(cs.task(name="work")(hold.rest)(1)))
    await until(lambda: hold.came)
    await controller.pause("task:next")
    hold.let_go()
    await until(lambda: run.status.held)
    await controller.resume("task:next")
    assert await run == 1
    assert spy.events_of_type(ConstraintRejected) == []
    await engine.aclose()
