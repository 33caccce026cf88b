"""What a constraint can be, and what none can be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.control import Scope, parse_rate, parse_scope
from cascade_nb.control.constraint import KINDS, TYPES, new_constraint
from cascade_nb.control.constraint_numbers import checked_ttl
from cascade_nb.errors import ConstraintError


@pytest.mark.parametrize(
    ("text", "scope", "words"),
    [
        ("global", Scope("global"), "everything"),
        ("task:train", Scope("task", "train"), "train tasks"),
        ("task:tr*", Scope("task", "tr*"), "tr* tasks"),
        ("tag:gpu", Scope("tag", "gpu"), "what is tagged gpu"),
        ("node:best model", Scope("node", "best model"), "best model"),
        ("node:train#3", Scope("node", "train#3"), "train#3"),
        ("from:load", Scope("from", "load"), "load and what comes after it"),
        ("run:4f", Scope("run", "4f"), "run 4f"),
        ("node:a:b", Scope("node", "a:b"), "a:b"),
        ("run:4f/task:tr*", Scope("task", "tr*", run="4f"), "tr* tasks in run 4f"),
        ("run:4f/node:a:b", Scope("node", "a:b", run="4f"), "a:b in run 4f"),
    ],
)
def test_a_scope_is_read_and_written_the_same(text: str, scope: Scope, words: str) -> None:
    assert parse_scope(text) == scope
    assert parse_scope(scope) == scope
    assert str(scope) == text
    assert scope.words == words


@pytest.mark.parametrize(
    "text",
    ["", "Global", "tasks:a", "task", "task:", "task:a/b", "run:a/b", "run:a/", "run:/task:a",
     "run:a/run:b", "run:a/task:b/c", "run:a/run:b/task:c", "node:a+b", "global:", "global:x",
     "tag:" + "x" * 121, "task:\n", "task:\x00", ":a", None, 3, b"global", ["global"]],
)  # fmt: skip
def test_what_is_no_scope_is_refused_in_a_sentence(text: Any) -> None:
    with pytest.raises(ConstraintError, match=r"scope"):
        parse_scope(text)


def test_a_near_word_is_offered() -> None:
    with pytest.raises(
        ConstraintError, match=r"a scope is 'global', 'task:.*; did you mean 'task'\?$"
    ):
        parse_scope("taks:a")


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("train", ["train"], ["Train", "trains", "xtrain"]),
        ("tr*n", ["train", "trn"], ["trains"]),
        ("t?g", ["tag", "tig"], ["tg"]),
        ("[ab]*", ["apple", "b"], ["c"]),
    ],
)
def test_a_scope_is_a_glob_with_case(glob: str, matching: list[str], others: list[str]) -> None:
    scope = parse_scope(f"task:{glob}")
    assert all(scope.matches(name) for name in matching)
    assert not any(scope.matches(name) for name in others)


@pytest.mark.parametrize(
    ("rate", "per_second"),
    [
        ("10/m", 10 / 60),
        ("5/s", 5.0),
        ("300/h", 300 / 3600),
        ("1/30s", 1 / 30),
        (" 2 / min ", 2 / 60),
        ("1/d", 1 / 86400),
        ("0.5/s", 0.5),
        ("10/M", 10 / 60),
        (3, 3.0),
        (0.25, 0.25),
    ],
)
def test_a_rate_is_read(rate: Any, per_second: float) -> None:
    assert parse_rate(rate) == pytest.approx(per_second)


@pytest.mark.parametrize(
    "rate",
    ["", "10", "10/", "/s", "10/x", "-1/s", "0/s", "1/0s", "1e3/s", "1/s/s", "ten/s", "٣/s", 0, -1,
     float("nan"), float("inf"), True, None, b"1/s", [1], 10**400, "9" * 400 + "/s"],
    ids=lambda rate: repr(rate)[:20],
)  # fmt: skip
def test_what_is_no_rate_is_refused_in_a_sentence(rate: Any) -> None:
    with pytest.raises(ConstraintError, match=r"rate"):
        parse_rate(rate)


@pytest.mark.parametrize(
    "ttl", [0, -1, float("nan"), float("inf"), True, "60", b"", 10**400], ids=lambda t: repr(t)[:20]
)
def test_what_is_no_time_to_live_is_refused(ttl: Any) -> None:
    with pytest.raises(ConstraintError, match=r"time to live"):
        checked_ttl(ttl)


@pytest.mark.parametrize(
    ("type", "params", "words"),
    [
        ("pause", {"limit": 1}, "pause takes no 'limit'"),
        ("concurrency", {}, "concurrency needs 'limit'"),
        ("concurrency", {"limit": -1}, "cannot be below zero"),
        ("concurrency", {"limit": 1.0}, "whole number"),
        ("concurrency", {"limit": True}, "whole number"),
        ("concurrency", {"limit": "2"}, "whole number"),
        ("concurrency", {"limt": 1}, "no 'limt'; did you mean 'limit'"),
        ("rate_limit", {}, "rate_limit needs 'rate'"),
        ("rate_limit", {"rate": 1, "capacity": 0.5}, "at least 1"),
        ("rate_limit", {"rate": 1, "capacity": float("nan")}, "at least 1"),
        ("rate_limit", {"rate": 1, "capacity": "2"}, "capacity is a number"),
        ("rate_limit", {"rate": 1, "capacity": 10**400}, "at least 1|number"),
        ("hold", {}, "no constraint of type 'hold'"),
        ("Pause", {}, "did you mean 'pause'"),
        (None, {}, "no constraint of type None"),
    ],
)
def test_parameters_that_no_constraint_has_are_refused(
    type: Any, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConstraintError, match=words):
        new_constraint(Scope("global"), type, params)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(
    anything, anything, st.dictionaries(st.sampled_from(["limit", "rate", "capacity"]), anything)
)
def test_whatever_comes_is_a_constraint_or_refused(
    scope: Any, type: Any, params: dict[str, Any]
) -> None:
    try:
        made = new_constraint(parse_scope(scope), type, params)
    except ConstraintError:
        return
    assert made.scope.kind in KINDS
    assert made.type in TYPES


@given(
    st.sampled_from(KINDS[1:]),
    st.text(min_size=1, max_size=130),
    st.sampled_from(["", "4f", "a:b", "global"]),
)
def test_a_scope_that_is_read_is_written_so_that_it_is_read_again(
    kind: str, value: str, run: str
) -> None:
    try:
        scope = parse_scope(f"{kind}:{value}").within(run)
    except ConstraintError:
        return
    if scope.kind != "run" or not scope.run:  # one run within another is nothing
        assert parse_scope(str(scope)) == scope
