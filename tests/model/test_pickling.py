"""Lazy values and tasks pickle: those of modules, scripts and notebooks, here and elsewhere."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs

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
