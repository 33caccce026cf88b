"""Which state of the process code uses, and what nobody can know of its results."""

from __future__ import annotations

import contextlib
import datetime as dt
import dis
import functools
import logging
import os
import platform
import random
import secrets
import sqlite3
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from os import environ
from random import randint
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng, rand
from scipy.stats import norm

import cascade_nb as cs
from cascade_nb.graph.effects.effects import effects_of, state_in_words

RNG = np.random.default_rng(0)


def _helper() -> Any:
    return np.random.rand()


class _Model:
    def fit(self) -> float:
        return time.time()

    @staticmethod
    def noise() -> float:
        return random.random()


MODEL = _Model()
_PARTIAL = functools.partial(_helper)


def seeded(i: int) -> Any:
    np.random.seed(i)
    return _helper()


def imported_name() -> Any:
    return rand()


def imported_function() -> int:
    return randint(1, 2)


def imports_inside() -> float:
    import random as r

    return r.random()


def imports_module_inside() -> Any:
    from numpy import random as nr

    return [nr.normal() for _ in range(3)]


def method() -> float:
    return MODEL.fit()


def of_class() -> float:
    return _Model.noise()


def partial() -> Any:
    return _PARTIAL()


def inside_a_function() -> Any:
    def inner() -> Any:
        return np.random.uniform()

    return inner()


def own_generator() -> Any:
    return np.random.default_rng(3).random()


def chance_generator() -> Any:
    return np.random.default_rng().random()


def chance_generator_by_name() -> Any:
    return default_rng().random(), [default_rng(3)]


def distribution() -> Any:
    return norm.rvs(3)


def splits_by_chance() -> Any:
    from sklearn.model_selection import train_test_split

    return train_test_split([1, 2, 3])


def splits() -> Any:
    from sklearn.model_selection import train_test_split

    return train_test_split([1, 2, 3], random_state=1)


def splits_seeded() -> Any:
    from sklearn.model_selection import train_test_split

    np.random.seed(1)
    return train_test_split([1, 2, 3])


def trains_by_chance() -> Any:
    return model().fit([[1]], [1])


def model() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=3)


def shared_generator() -> Any:
    return RNG.random()


def draws() -> None:
    plt.plot([1])


def settings() -> None:
    mpl.rcParams["lines.linewidth"] = 3


def sets_item(n: list[str]) -> None:
    os.environ[n[0]] = n[1]


def sets_imported() -> None:
    environ.update(A="1")


def deletes_item() -> None:
    del os.environ["A"]


def reads_item() -> dict[str, str]:
    out = {}
    out["x"] = os.environ["PATH"]
    return out


def goes() -> None:
    os.chdir("/")


def redirects() -> None:
    with contextlib.redirect_stdout(None):
        sys.getrecursionlimit()


def sets_stream() -> None:
    sys.stdout = None


def catches_warnings() -> None:
    with warnings.catch_warnings():
        pass


def sets_limit() -> None:
    sys.setrecursionlimit(5000)


def sets_option() -> None:
    pd.set_option("display.width", 10)


def sets_attribute() -> None:
    pd.options.display.width = 10


def now() -> dt.datetime:
    return dt.datetime.now()  # noqa: DTZ005


def clock() -> float:
    return min([1.0], key=lambda _: time.perf_counter())


def chance() -> Any:
    return uuid.uuid4(), secrets.token_hex()


def network() -> Any:
    from urllib import request

    return request.urlopen("http://x", timeout=1)


def machine() -> Any:
    return platform.node(), os.cpu_count(), sys.argv[0]


@functools.cache
def _cached() -> float:
    return time.time()


def through_a_cache() -> float:
    return _cached()


def pure(x: float) -> float:
    return float(np.sqrt(x)) + sys.maxsize + len(os.sep)


NUMPY, CHANCE, CLOCK = {"numpy.random": True}, "draws random numbers", "reads the clock"


def finds_modules() -> None:
    sys.path.insert(0, "lib")


def finds_modules_anew() -> None:
    sys.path[:0] = ["lib"]


def listens_to_a_logger() -> None:
    logging.getLogger("a").addHandler(logging.NullHandler())


def logs() -> None:
    logging.getLogger("a").warning("a")


def writes_a_database() -> None:
    with sqlite3.connect("a.db") as there:
        there.execute("insert into t values (1)")


def writes_through_a_helper() -> None:
    _bumps(sqlite3.connect("a.db"))


def _bumps(there: Any) -> None:
    there.execute("UPDATE t SET n = n + 1")


CHANGE = "update t set n = 1"


def writes_what_a_constant_says() -> None:
    sqlite3.connect("a.db", isolation_level=None).execute(CHANGE)


def reads_a_database() -> Any:
    return sqlite3.connect("a.db").execute("select n from t").fetchall()


def has_a_database_of_its_own() -> Any:
    return sqlite3.connect(":memory:").execute("create table t (n)")


WANTED: dict[Callable[..., Any], tuple[dict[str, bool], tuple[str, ...]]] = {
    seeded: (NUMPY, ()),
    imported_name: (NUMPY, (CHANCE,)),
    imported_function: ({"random": True}, (CHANCE,)),
    imports_inside: ({"random": True}, (CHANCE,)),
    imports_module_inside: (NUMPY, (CHANCE,)),
    method: ({"random": True}, (CHANCE, CLOCK)),  # all of a class counts
    of_class: ({"random": True}, (CHANCE, CLOCK)),
    partial: (NUMPY, (CHANCE,)),
    inside_a_function: (NUMPY, (CHANCE,)),
    own_generator: ({}, ()),
    chance_generator: ({}, (CHANCE,)),
    chance_generator_by_name: ({}, (CHANCE,)),
    distribution: (NUMPY, (CHANCE,)),
    splits_by_chance: ({"numpy.random": False}, (CHANCE,)),
    trains_by_chance: ({"numpy.random": False}, (CHANCE,)),
    splits: ({}, ()),
    splits_seeded: (NUMPY, ()),
    draws: ({"pyplot": True}, ()),
    settings: ({"pyplot": True}, ()),
    sets_item: ({"environment": True}, ()),
    sets_imported: ({"environment": True}, ()),
    deletes_item: ({"environment": True}, ()),
    reads_item: ({"environment": False}, ()),
    goes: ({"folder": True}, ()),
    redirects: ({"streams": True}, ()),
    sets_stream: ({"streams": True}, ()),
    catches_warnings: ({"warnings": True}, ()),
    sets_limit: ({"recursion": True}, ()),
    sets_option: ({"pandas": True}, ()),
    sets_attribute: ({"pandas": True}, ()),
    now: ({}, (CLOCK,)),
    clock: ({}, (CLOCK,)),
    chance: ({}, (CHANCE,)),
    network: ({}, ("asks the network",)),
    machine: ({}, ("asks about this machine",)),
    through_a_cache: ({}, (CLOCK,)),
    finds_modules: ({"imports": True}, ()),
    finds_modules_anew: ({"imports": True}, ()),
    listens_to_a_logger: ({"logging": True}, ()),
    logs: ({}, ()),
    writes_a_database: ({"sqlite": True}, ()),
    writes_through_a_helper: ({"sqlite": True}, ()),
    writes_what_a_constant_says: ({"sqlite": True}, ()),
    reads_a_database: ({}, ()),
    has_a_database_of_its_own: ({}, ()),
    pure: ({}, ()),
}


@pytest.mark.parametrize("function", WANTED, ids=lambda function: function.__name__)
def test_code_uses_what_its_names_lead_to(function: Callable[..., Any]) -> None:
    states, doubts = WANTED[function]
    found = effects_of(cs.task(function))
    assert dict(found.states) == states
    assert set(found.doubts) == set(doubts)


@pytest.mark.parametrize("function", WANTED, ids=lambda function: function.__name__)
def test_what_a_helper_uses_the_task_uses(function: Callable[..., Any]) -> None:
    def task(*args: Any) -> Any:
        return function(*args)

    assert effects_of(cs.task(task)) == effects_of(cs.task(function))


def test_a_generator_that_all_share_is_a_state_of_its_own() -> None:
    (kind,) = effects_of(cs.task(shared_generator)).states
    assert state_in_words(kind) == "the generator RNG"
    assert effects_of(cs.task(shared_generator)).doubts == (CHANCE,)


def test_a_helper_that_is_redefined_counts_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "_helper", lambda: 1)
    assert effects_of(cs.task(partial)).states == NUMPY  # the partial holds the one of before
    assert effects_of(cs.task(seeded)).states == NUMPY
    monkeypatch.setitem(globals(), "_PARTIAL", lambda: 1)
    assert effects_of(cs.task(partial)).states == {}


class _Proxy:
    """Like those of web frameworks: it answers for what is not there yet."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("working outside of a request")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("working outside of a request")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("working outside of a request")

    __hash__ = None  # type: ignore[assignment]


class _Odd:
    __module__ = 3  # type: ignore[assignment]

    def go(self) -> float:
        return random.random()


PROXY: Any = None
ODD = _Odd()


def uses_odd_things() -> Any:
    return PROXY.user.name, ODD.go(), ODD, _Odd, _Odd.go


def test_objects_that_answer_no_question_are_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is gone after the test: others count objects by their class.
    monkeypatch.setitem(globals(), "PROXY", _Proxy())
    assert effects_of(cs.task(uses_odd_things)).states in ({}, {"random": True})


def test_the_code_of_a_helper_is_read_once_however_often_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each kind of task of each run is looked at, with all helpers: for one that leads to hundreds
    # of functions with defaults that was most of what a short run took.
    rows: list[int] = []

    def helper(n: int, into: list[int] = rows, more: object = dt) -> int:
        into += [n]
        return len(into)

    def step(n: int) -> int:
        return helper(n) + helper(n, [])

    first = effects_of(cs.task(step))
    monkeypatch.setattr(dis, "get_instructions", lambda code: pytest.fail("it is read again"))
    assert effects_of(cs.task(step)) == first
    assert first.states
