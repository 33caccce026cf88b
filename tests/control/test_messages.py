"""Messages from outside are read strictly, and refused with one reason."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from cascade_nb.control import Scope, parse_scope
from cascade_nb.control.constraint import TYPES
from cascade_nb.control.remote.envelope import LONGEST, MOST_BYTES
from cascade_nb.control.remote.messages import parse_message, payload_of, topic_of
from cascade_nb.control.remote.remote_constraints import RemoteConstraints
from cascade_nb.engine import Engine
from cascade_nb.errors import ConstraintError, RefusedMessageError
from cascade_nb.events import ConstraintApplied, ConstraintLifted, ConstraintRejected
from cascade_nb.testing import InProcessConnector, SpySubscriber

NOW = 1_700_000_000.0
PAUSE = "cascade/constraints/global/pause"
LIMIT = "cascade/constraints/task/train/concurrency"
BREAKER = ("breaker", {"failures": 3, "within": 60.0, "probe_after": 300.0})
RATE = "cascade/constraints/tag/gpu/rate_limit"


def message(topic: str = LIMIT, **changes: Any) -> bytes:
    """A good message for `topic` with some fields changed; None takes a field away."""
    _, _, *scope, type_ = topic.split("/")
    params: dict[str, Any] = {"concurrency": {"limit": 2}, "rate_limit": {"rate": "10/m"}}
    fields = {"id": "1", "scope": ":".join(scope), "type": type_, "params": params.get(type_, {})}
    fields = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("scope", "topic"),
    [
        ("global", "cascade/constraints/global"),
        ("task:train", "cascade/constraints/task/train"),
        ("task:tr*", "cascade/constraints/task/tr*"),
        ("node:train#3", "cascade/constraints/node/train%233"),
        ("node:50%", "cascade/constraints/node/50%25"),
        ("node:best model", "cascade/constraints/node/best model"),
        ("node:größe", "cascade/constraints/node/größe"),
    ],
)
@pytest.mark.parametrize("type", [*TYPES, None])
def test_a_topic_is_the_scope_and_the_type(scope: str, topic: str, type: str | None) -> None:
    assert topic_of(scope, type) == (topic if type is None else f"{topic}/{type}")
    read = parse_message(topic_of(scope, type), b"", NOW)
    assert (read.scope, read.type, read.lift) == (parse_scope(scope), type, True)


@given(
    st.sampled_from(["task", "tag", "node", "from", "run"]),
    st.text(min_size=1, max_size=20),
    st.sampled_from(
        [("pause", {}), ("concurrency", {"limit": 3}), ("rate_limit", {"rate": 2}), BREAKER]
    ),
    st.text(max_size=20),
    st.none() | st.floats(1, 10_000),
)
def test_what_is_written_is_read_the_same(
    kind: str, value: str, what: tuple[str, dict[str, Any]], reason: str, ttl: float | None
) -> None:
    type_, params = what
    try:
        scope = parse_scope(f"{kind}:{value}")
    except ConstraintError:
        return
    payload = payload_of(scope, type_, params, reason=reason, by="me", issued_at=NOW, ttl=ttl)
    read = parse_message(topic_of(scope, type_), payload, NOW)
    assert (read.scope, read.type, dict(read.params)) == (scope, type_, params)
    assert read.holder.words == "me"
    assert len(read.reason) == len(reason)
    assert read.ttl == (None if ttl is None else pytest.approx(ttl, abs=1e-3))


def test_an_empty_payload_lifts_one_type_or_all_of_a_scope() -> None:
    assert parse_message(LIMIT, b"", NOW) == parse_message(LIMIT, "", NOW)
    assert parse_message(LIMIT, b"", NOW).type == "concurrency"
    all_of_it = parse_message("cascade/constraints/task/train", b"", NOW)
    assert all_of_it.lift
    assert all_of_it.type is None


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "cascade/constraints",
        "cascade/constraints/",
        "cascade/constraints/global/",
        "cascade/constraints//pause",
        "cascade/constraints/global/paus",
        "cascade/constraints/global/pause/more",
        "cascade/constraints/global/x/pause",
        "cascade/constraints/run/4f%2Ftask%3Atrain/pause",
        "cascade/constraints/task/pause",
        "cascade/constraints/task//pause",
        "cascade/constraints/tasks/train/pause",
        "cascade/constraints/task/a/b/pause",
        "cascade/constraints/task/%2F/pause",
        "cascade/constraints/task/%00/pause",
        "cascade/constraints/task/" + "x" * 2000 + "/pause",
        "cascade/constraints/task/" + "x" * 200 + "/pause",
        "other/constraints/global/pause",
        "cascade/telemetry/a/b/c/events",
    ],
)
def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(RefusedMessageError):
        parse_message(topic, b'{"type": "pause"}', NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "pause"}, "its type 'pause' is not that of its topic"),
        ({"type": 3}, "its type 3 is not"),
        ({"scope": "task:other"}, "its scope 'task:other' is not that of its topic"),
        ({"scope": "nowhere"}, "no scope 'nowhere'"),
        ({"scope": 3}, "a scope is text"),
        ({"params": {"limit": -1}}, "below zero"),
        ({"params": {"limit": 1.5}}, "whole number"),
        ({"params": {"limit": "2"}}, "whole number"),
        ({"params": {"limit": True}}, "whole number"),
        ({"params": {}}, "needs 'limit'"),
        ({"params": [2]}, "params are no object"),
        ({"params": {"limit": 1, "more": 2}}, "takes no 'more'"),
        ({"reason": 3}, "its reason is no text"),
        ({"reason": False}, "its reason is no text"),
        ({"reason": []}, "its reason is no text"),
        ({"by": ["me"]}, "its by is no text"),
        ({"expires_at": "tomorrow"}, "its expires_at is no time"),
        ({"expires_at": True}, "its expires_at is no time"),
        ({"expires_at": 10**400}, "its expires_at is no time"),
        ({"issued_at": "now"}, "its issued_at is no time"),
        ({"id": 3}, "its id is no text"),
        ({"note": "hi"}, "a field 'note' that no constraint has"),
        ({"id": None}, "has no 'id'"),
        ({"scope": None}, "has no 'scope'"),
        ({"type": None}, "has no 'type'"),
        ({"params": None}, "has no 'params'"),
    ],
)
def test_a_field_that_no_message_has_is_refused(changes: dict[str, Any], words: str) -> None:
    parse_message(LIMIT, message(), NOW)
    with pytest.raises(RefusedMessageError, match=words):
        parse_message(LIMIT, message(**changes), NOW)


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"3",
        b'"pause"',
        b"[]",
        b"{",
        b"{}x",
        b"\xff\xfe",
        b"\x00",
        b"{'type': 'pause'}",
        b'{"params": {"limit": NaN}}',
        b'{"params": {"limit": Infinity}}',
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b"9" * 60_000,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(RefusedMessageError):
        parse_message(LIMIT, payload, NOW)


def test_a_message_is_bounded_at_64_kib() -> None:
    good = message()
    at_most = good + b" " * (MOST_BYTES - len(good))
    assert parse_message(LIMIT, at_most, NOW).params == {"limit": 2}
    with pytest.raises(RefusedMessageError, match=r"65537 bytes are more than the 65536 allowed"):
        parse_message(LIMIT, at_most + b" ", NOW)
    with pytest.raises(RefusedMessageError, match=r"more than the 65536 allowed"):
        parse_message(LIMIT, b" " * (MOST_BYTES + 1), NOW)


def test_wall_time_becomes_a_time_to_live_and_is_clamped() -> None:
    assert parse_message(LIMIT, message(expires_at=NOW + 60), NOW).ttl == pytest.approx(60)
    assert parse_message(LIMIT, message(expires_at=NOW * 1000), NOW).ttl == LONGEST
    early = parse_message(LIMIT, message(expires_at=NOW - 5), NOW).ttl
    assert early is not None
    assert early <= 0


def test_words_for_people_are_one_bounded_line() -> None:
    read = parse_message(LIMIT, message(reason="a\nb\x1b[31m" + "x" * 9999), NOW)
    assert len(read.reason) == 500
    assert read.reason.isprintable()


hostile_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.dictionaries(
    st.sampled_from(
        ["id", "scope", "type", "params", "reason", "by", "issued_at", "expires_at", "other"]
    ),
    hostile_json
    | st.sampled_from(["pause", "task:train", "global"])
    | st.dictionaries(
        st.sampled_from(["limit", "rate", "capacity", "failures", "within", "probe_after"]),
        hostile_json,
        max_size=3,
    ),
)
payloads = (
    st.binary(max_size=200)
    | st.text(max_size=50).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | fields.map(lambda value: json.dumps(value).encode())
    | fields.map(lambda value: {**json.loads(message()), **value}).map(
        lambda value: json.dumps(value).encode()
    )
)
topics = (
    st.sampled_from([PAUSE, LIMIT, RATE, "cascade/constraints/task/train"])
    | st.text(max_size=30)
    | st.lists(
        st.sampled_from(["task", "global", "pause", "%2F", "", "x", "concurrency"]), max_size=4
    ).map(lambda words: "/".join(["cascade/constraints", *words]))
)


@given(topics, payloads)
@example(LIMIT, b'{"params": {"limit": 1e999}}')
@example(RATE, message(RATE, params={"rate": 10**400}))
@example(RATE, message(RATE, params={"rate": 1, "capacity": 10**400}))
@example(LIMIT, message(params={"limit": 10**400}))
@example(LIMIT, message(expires_at=10**400))
def test_whatever_comes_is_read_or_refused(topic: str, payload: bytes) -> None:
    try:
        read = parse_message(topic, payload, NOW)
    except RefusedMessageError as error:
        refused = str(error)
        event(f"refused: {refused[:12]}")
        assert 0 < len(refused) < 1000
        return
    assert isinstance(read.scope, Scope)
    assert read.ttl is None or math.isfinite(read.ttl)


@given(topics, payloads)
async def test_each_refused_message_is_told_exactly_once_and_changes_nothing(
    topic: str, payload: bytes
) -> None:
    engine = Engine()
    spy = SpySubscriber(engine.bus)
    before = engine.constraints.apply("task:other", "concurrency", {"limit": 3})
    remote = RemoteConstraints(engine.bus, engine.clock, engine.constraints)
    remote.begin()
    remote.take(topic, payload)
    told = spy.events[1:]
    refused = [event for event in told if isinstance(event, ConstraintRejected)]
    if refused:
        assert len(told) == 1
        assert engine.constraints.constraints() == [before]
        assert refused[0].to_json()
    else:
        assert all(isinstance(event, (ConstraintApplied, ConstraintLifted)) for event in told)
    await engine.aclose()


async def test_a_message_whose_time_is_over_is_refused_and_ends_what_it_would_have_renewed() -> (
    None
):
    connector = InProcessConnector()
    engine = Engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    await connector.publish(PAUSE, message(PAUSE, expires_at=1.0), retain=True)
    import cascade_nb as cs

    assert await engine.run(cs.task(lambda: 1)()) == 1
    (rejected,) = spy.events_of_type(ConstraintRejected)
    assert rejected.error == "its time was over before it came"
    await engine.aclose()
