"""Rules for when a kept result stands: what can be asked for, and what is refused."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import PolicyError, UsageError
from cascade_nb.model.options.caching import Cache, seconds_of


@cs.task
def load(path: str = "a") -> str:
    return path


def test_each_rule_is_kept_and_what_is_not_given_stays() -> None:
    one = load().with_cache(ttl="1h30m", files="data/*.csv")
    assert one.options.cache == Cache(5400.0, ("data/*.csv",))
    two = one.with_cache(version=2)
    assert two.options.cache == Cache(5400.0, ("data/*.csv",), "2")
    assert one.options.cache == Cache(5400.0, ("data/*.csv",))
    assert load().options.cache is None
    assert two.with_cache(ttl=1).options.cache == Cache(1.0, ("data/*.csv",), "2")


def test_no_rule_is_no_change() -> None:
    assert load().with_cache().options == load().options


def test_reuse_can_be_said_for_a_node() -> None:
    assert load().options.reuse
    assert not load().with_cache(reuse=False).options.reuse
    assert load().with_cache(reuse=False).with_cache(reuse=True).options.reuse
    assert not load().with_cache(reuse=False).with_cache(ttl=1).options.reuse


def test_files_are_paths_and_globs_each_once() -> None:
    files = [pathlib.PurePosixPath("a"), "b/*", "a"]
    cache = load().with_cache(files=files).options.cache
    assert cache is not None
    assert cache.files == ("a", "b/*")


def test_it_works_on_maps_and_beside_other_options() -> None:
    lazy = load.map(path=["a"]).named("all").with_cache(ttl=60).with_retry(2)
    assert lazy.options.cache == Cache(60.0)
    assert lazy.options.name == "all"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"ttl": 0}, "above zero"),
        ({"ttl": -1}, "above zero"),
        ({"ttl": float("inf")}, "finite"),
        ({"ttl": float("nan")}, "above zero"),
        ({"ttl": True}, "a number of seconds"),
        ({"ttl": "soon"}, "no length of time"),
        ({"ttl": "0s"}, "above zero"),
        ({"ttl": ""}, "no length of time"),
        ({"ttl": [1]}, "a number of seconds"),
        ({"files": 3}, "paths and globs"),
        ({"files": [3]}, "paths and globs"),
        ({"files": ""}, "paths and globs"),
        ({"files": b"a"}, "paths and globs"),
        ({"files": "a\0b"}, "paths and globs"),
        ({"version": 1.5}, "a version"),
        ({"version": True}, "a version"),
        ({"reuse": "no"}, "reuse is True or False"),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        load().with_cache(**rule)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1h30m", 5400), ("2d", 172800)],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1 week", "1h-3m", "-5s", "0", "1h30", "9" * 60 + "x"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        seconds_of(text)
