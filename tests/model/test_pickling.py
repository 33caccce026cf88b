"""Lazy values and tasks pickle: those of modules, scripts and notebooks, here and elsewhere."""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.graph import to_json

SCRIPT = """
import json, pickle, sys
import cloudpickle
import cascade_nb as cs

@cs.task
def give(x): return x

@cs.task
def add(x, k=1, *, z=0): return x + k + z

@cs.task
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)

LIMIT = 7
helped = cs.task(name="helped")(lambda x: min(x, LIMIT))

def asked():
    a = give(3)
    return [
        a,
        add(a, z=a).named("y").with_retry(2).run_if(give(True)),
        give.map(x=[1, a]),
        a + 1,
        add.partial(k=5)(a),
        cs.Router(give(1), {1: a}),
        depth(5),
        cs.Param("p", 4) * 2,
        helped(99),
    ]

if __name__ == "__main__":
    found = {}
    for name, dumps in (("pickle", pickle.dumps), ("cloudpickle", cloudpickle.dumps)):
        lazies = asked()
        if name == "pickle":
            del lazies[-1]  # a lambda has no name by which it could be found
        back = pickle.loads(dumps(lazies))
        found[name] = cs.run(back)
        found[name + " shares"] = back[1].args[0] is back[0] and back[3].args[0] is back[0]
    found["same task"] = pickle.loads(pickle.dumps(give)) is give
    open(sys.argv[1], "wb").write(cloudpickle.dumps(asked()))
    print(json.dumps(found))
"""
READ = "import pickle, sys, cascade_nb as cs; print(cs.run(pickle.load(open(sys.argv[1], 'rb'))))"


def _out(*args: str) -> str:
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lazy_values_of_a_script_pickle_and_cloudpickle_takes_them_elsewhere(
    tmp_path: Path,
) -> None:
    script, file = tmp_path / "script.py", tmp_path / "lazies"
    script.write_text(SCRIPT)
    want = [3, 7, [1, 3], 4, 8, 3, 5, 8]
    assert json.loads(_out(str(script), str(file))) == {
        "pickle": want,
        "pickle shares": True,
        "cloudpickle": [*want, 7],
        "cloudpickle shares": True,
        "same task": True,
    }
    assert _out("-c", READ, str(file)).strip() == str([*want, 7])


@cs.task
def here(x: int) -> int:
    return x


def test_what_stands_in_a_module_comes_back_as_itself() -> None:
    asked = here(1).named("a").tagged("t").after(here(2))
    back = pickle.loads(pickle.dumps([asked, asked]))
    assert back[0] is back[1]
    assert back[0].task is here
    assert (back[0].options.name, back[0].options.tags) == ("a", {"t"})
    assert pickle.loads(pickle.dumps(here.partial(x=1)))() is not None


def test_a_task_that_is_gone_is_said_as_pickle_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(here(1))
    monkeypatch.delitem(globals(), "here")
    with pytest.raises(AttributeError, match=r"there is no 'here' in the module"):
        pickle.loads(data)


def test_lazy_conditions_and_else_values_pickle() -> None:
    asked: Any = here(1).run_if(here(0), otherwise=[5])
    assert cs.run(pickle.loads(pickle.dumps(asked))) == [5]


@cs.task
def reads(*values: Any, **named: Any) -> Any:
    return values, named


WAYS = [
    lambda x, y: reads(x),
    lambda x, y: reads([x], y=y),
    lambda x, y: reads({x}, {"k": (y, frozenset({y}))}),
    lambda x, y: reads.map(x=[x, 1], y=[y, 2]),
    lambda x, y: x + 1,
    lambda x, y: reads(1).after(x, y),
    lambda x, y: reads(x).run_if(y, otherwise=[x]),
    lambda x, y: cs.Router(x, {1: y, 2: 3}).named("choice"),
    lambda x, y: cs.sequence(x, reads(y).tagged("t")),
    lambda x, y: reads(x).with_constraints(gpu=y),
    lambda x, y: reads(x, p=cs.Param("p", 1)).with_retry(2),
]


@st.composite
def lazies(draw: st.DrawFn) -> list[Any]:
    made: list[Any] = [reads(0), reads(1)]
    for _ in range(draw(st.integers(1, 12))):
        one, other = (made[draw(st.integers(0, len(made) - 1))] for _ in "ab")
        made.append(draw(st.sampled_from(WAYS))(one, other))
    return draw(st.lists(st.sampled_from(made), min_size=1, max_size=4))


def _with_python(value: Any) -> bytes:
    place = io.BytesIO()
    pickle._Pickler(place).dump(value)
    return place.getvalue()


@given(lazies())
def test_what_comes_back_is_the_same_graph_and_shares_what_it_shared(asked: list[Any]) -> None:
    want = to_json(cs.build_graph(asked))
    for dumps in (pickle.dumps, _with_python):
        back = pickle.loads(dumps(asked))
        assert to_json(cs.build_graph(back)) == want
        same = [[a is b for b in asked] for a in asked]
        assert [[a is b for b in back] for a in back] == same


@pytest.mark.parametrize(
    "step",
    [
        reads,
        lambda x: reads([{"k": x}]),
        lambda x: x + 1,
        lambda x: reads(1).after(x),
        lambda x: reads(1).run_if(x),
        lambda x: reads({x, 1}),
    ],
    ids=["argument", "nested", "operator", "after", "condition", "set"],
)
def test_a_chain_of_thousands_pickles_is_copied_and_built(step: Any) -> None:
    last = first = reads(0)
    for _ in range(5_000):
        last = step(last)
    for dumps in (pickle.dumps, _with_python):
        back = pickle.loads(dumps([last, first]))
        assert len(cs.build_graph(back)) == 5_001
    assert copy.deepcopy([last])[0] is last


def test_many_values_of_one_chain_pickle_in_a_time_that_grows_with_them() -> None:
    chain = [reads(0)]
    for _ in range(5_000):
        chain.append(reads(chain[-1]))
    began = time.perf_counter()
    back = pickle.loads(pickle.dumps(chain))
    assert time.perf_counter() - began < 20
    assert back[-1].args[0] is back[-2]
    assert len(cs.build_graph(back)) == 5_001
