"""Each name in the tables of what code does is found where code uses it, however it comes to it;
and what only looks like it is not.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator

import pytest

import cascade_nb as cs
from cascade_nb.graph.effects.doubts import BY_CHANCE, DOUBTS
from cascade_nb.graph.effects.effects import Effects, effects_of
from cascade_nb.graph.effects.shared_state import STATES
from tests.graph.cells import Cells


def effects(program: str) -> Effects:
    return effects_of(cs.task(Cells().run(program).names["f"]))


def _using(name: str) -> Iterator[str]:
    """A body that uses a name of the tables, where its package is installed."""
    plain = name.rstrip("=.").partition("(")[0]
    if (
        name == BY_CHANCE
        or "*" in name
        or importlib.util.find_spec(plain.partition(".")[0]) is None
    ):
        return
    module = plain if name.endswith(".") else plain.rpartition(".")[0]
    while not _is_module(module):
        module = module.rpartition(".")[0]
    used = f"{plain}.anything" if name.endswith(".") else plain
    if name.endswith("="):
        yield f"def f():\n    import {module}\n    {used} = 1"
        yield f"def f():\n    import {module}\n    {used}['a'] = 1"
    elif name.endswith("(?)"):
        yield f"import {module}\ndef f(x=None): return {used}(x)"
        yield f"def f(*, x=None):\n    import {module}\n    return {used}(x)"
    else:
        arguments = name.partition("(")[2].rstrip(")") or ("" if name.endswith(")") else "1")
        yield f"def f():\n    import {module}\n    return {used}({arguments})"
        yield f"import {module} as m\ndef f(): return m{used.removeprefix(module)}({arguments})"


def _is_module(name: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what Python has no longer
            return importlib.import_module(name) is not None
    except ImportError:
        return False


@pytest.mark.parametrize("kind", STATES)
def test_each_name_in_the_table_of_states_is_found(kind: str) -> None:
    state = STATES[kind]
    for name in sorted(state.changes | state.reads):
        for program in _using(name):
            assert kind in effects(program).states, program
            assert effects(program).states[kind] == (name in state.changes), program


@pytest.mark.parametrize("words", DOUBTS)
def test_each_name_in_the_table_of_doubts_is_found(words: str) -> None:
    for name in sorted(DOUBTS[words]):
        for program in _using(name):
            assert words in effects(program).doubts, program


CHANCE, CLOCK, MACHINE, NETWORK = (
    "draws random numbers", "reads the clock", "asks about this machine", "asks the network"
)  # fmt: skip

WAYS_OF_CALLING = """
import dataclasses, functools, random, uuid
@dataclasses.dataclass
class Made:
    i: object = dataclasses.field(default_factory=uuid.uuid4)
@functools.singledispatch
def generic(x): return 1
@generic.register
def _(x: int): return random.random()
class Meta(type):
    def __call__(cls): return random.random()
class Called(metaclass=Meta): pass
class Reads:
    def __get__(self, o, t): return random.random()
class Has: a = Reads()
class Keeps:
    @functools.cached_property
    def p(self): return random.random()
kept = Keeps()
"""

#: Lines before a task, what it gives, and what is to be said of it.
WAYS: list[tuple[str, str, str]] = [
    # chance in a table's own methods, fixed or not
    ("import pandas as pd", "df.sample(3)", CHANCE),
    ("import pandas as pd", "df.sample(frac=0.5).reset_index(drop=True)", CHANCE),
    ("import pandas as pd", "df[df.a > df.a.sample(1)].mean()", CHANCE),
    ("import pandas as pd; D = pd.DataFrame({'a': [1]})", "D.sample(1)", CHANCE),
    ("import pandas as pd; D = {'a': pd.DataFrame({'a': [1]})}", "D['a'].sample(1)", CHANCE),
    ("import pandas as pd; K = {'n': 1}", "df.sample(**K)", CHANCE),
    ("import pandas as pd", "df.groupby('a').sample(n=2)", CHANCE),
    ("import polars as pl", "df.select(pl.col('a').shuffle())", CHANCE),
    ("import pandas as pd", "df.sample(3, random_state=0)", ""),
    ("import pandas as pd", "df.sample(frac=max(1, len([2])), random_state=0)", ""),
    ("import polars as pl", "df.sample(3, seed=1), pl.col('a').shuffle(seed=1)", ""),
    ("import pandas as pd, numpy as np", "(np.random.seed(0), df.sample(3))", ""),
    # generators have methods of the same names
    ("import pandas, random", "random.Random(3).sample(df, 2)", ""),
    ("import pandas, numpy as np", "np.random.default_rng(3).shuffle(df)", ""),
    ("import pandas\nclass Own:\n    def sample(self): return 1", "df.sample()", ""),
    # what a value holds
    ("import time; T = {'t': time.time}", "T['t']()", CLOCK),
    ("import time; T = [[time.perf_counter]]", "T[0][0]()", CLOCK),
    ("import random\ndef g(): return random.random()\nT = {'a': g}", "T['a']()", CHANCE),
    ("import random\nclass G:\n    def go(self): return random.random()\nT = {'a': G()}",
     "T['a'].go()", CHANCE),
    ("import random\nclass G: pass\ng = G(); g.fn = random.random", "g.fn()", CHANCE),
    ("import numpy as np, types; R = types.SimpleNamespace(r=np.random.default_rng(1))",
     "R.r.normal()", CHANCE),
    ("import numpy as np\ndef h(r=np.random.default_rng()): return r.normal()", "h()", CHANCE),
    ("import time\ndef h(now=time.time): return now()", "h()", CLOCK),
    ("import functools, time; T = functools.partial(time.time)", "T()", CLOCK),
    ("import datetime; N = datetime.datetime.now", "N()", CLOCK),
    ("from datetime import datetime\nclass D(datetime): pass", "D.now()", CLOCK),
    (WAYS_OF_CALLING, "Made()", CHANCE),
    ("import time, attrs\n@attrs.define\nclass G:\n    i: float = attrs.field(factory=time.time)",
     "G()", CLOCK),
    ("import attrs\n@attrs.frozen\nclass G:\n    i: float = 1.0", "repr(G())", ""),
    (WAYS_OF_CALLING, "generic(1)", CHANCE),
    (WAYS_OF_CALLING, "Called()", CHANCE),
    (WAYS_OF_CALLING, "Has().a", CHANCE),
    (WAYS_OF_CALLING, "kept.p", CHANCE),
    ("from sklearn.ensemble import RandomForestClassifier as R; M = R()", "M.fit([[1]], [1])",
     CHANCE),
    ("import types; N = {'__builtins__': __builtins__, 'a': 1}", "N['a']", ""),
    ("T = {'a': len, 'b': {'c': [1, 'x', None]}}", "T['b']", ""),
    # what is looked up by a text
    ("import time", "getattr(time, 'time')()", CLOCK),
    ("import numpy as np", "getattr(np.random, 'rand')()", CHANCE),
    ("import datetime", "getattr(datetime.datetime, 'now')()", CLOCK),
    ("import time", "vars(time)['time'](), time.__dict__", CLOCK),
    ("import time", "getattr(time, 'sleep')", ""),
    # seeds that are none
    ("import numpy as np", "np.random.default_rng(None).random()", CHANCE),
    ("import numpy as np", "np.random.default_rng(seed=None).random()", CHANCE),
    ("import random", "random.Random(None).random()", CHANCE),
    ("import random", "(random.seed(), random.random())", CHANCE),
    ("import numpy as np", "(np.random.seed(None), np.random.rand())", CHANCE),
    ("import numpy as np", "(np.random.seed(3), np.random.rand())", ""),
    ("from scipy import stats", "stats.norm.rvs(3, random_state=0)", ""),
    ("from scipy import stats; D = stats.norm(0, 1)", "D.rvs(3)", CHANCE),
    ("from scipy.optimize import differential_evolution as de", "de(len, [])", CHANCE),
    ("from scipy.optimize import differential_evolution as de", "de(len, [], seed=1)", ""),
    ("from sklearn.model_selection import KFold", "KFold(3, shuffle=True)", CHANCE),
    ("from sklearn.model_selection import KFold", "KFold(3)", ""),
    ("import secrets", "secrets.compare_digest('a', 'a')", ""),
    # tables of elsewhere
    ("import pandas as pd", "pd.read_csv('https://x/y.csv')", NETWORK),
    ("import pandas as pd; U = 's3://x'", "pd.read_parquet(U)", NETWORK),
    ("import polars as pl; U = 'https://x'", "pl.scan_csv(f'{U}/y.csv')", NETWORK),
    ("import pandas as pd", "pd.DataFrame({'a': ['https://x/y.csv']})", ""),
    ("import threading", "threading.get_ident()", MACHINE),
]  # fmt: skip


@pytest.mark.parametrize(("before", "gives", "told"), WAYS)
def test_what_nobody_can_know_is_told_by_whatever_way_code_comes_to_it(
    before: str, gives: str, told: str
) -> None:
    found = effects(f"{before}\ndef f(df=None): return {gives}").doubts
    assert found == ((told,) if told else ())


@pytest.mark.parametrize(
    ("before", "does", "kind"),
    [
        ("import json", "json.JSONEncoder.default = None", "patches"),
        ("import socket", "socket.socket = None", "patches"),
        ("import builtins", "builtins.open = None", "patches"),
        ("import logging", "logging.root.setLevel(3)", "logging"),
        ("import logging", "logging.getLogger().setLevel(3)", "logging"),
        ("import sys", "sys.path += ['x']", "imports"),
        ("from sys import path", "path.append('x')", "imports"),
        ("import warnings", "warnings.filters.clear()", "warnings"),
        ("import matplotlib.pyplot as plt", "plt.style.use('x')", "pyplot"),
        ("import matplotlib.pyplot as plt", "plt.rcParams['x'] = 1", "pyplot"),
        ("from decimal import getcontext", "getcontext().prec = 3", "decimal"),
        ("import numpy as np\nclass A: pass\na = A()", "a.x = np.pi", ""),
        ("import pandas as pd", "pd.DataFrame().attrs['x'] = 1", ""),
    ],
)
def test_what_is_changed_for_the_whole_process_is_found(before: str, does: str, kind: str) -> None:
    states = effects(f"{before}\ndef f():\n    {does}").states
    assert [one for one in states if one in STATES] == ([kind] if kind else [])
