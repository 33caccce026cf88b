"""What asks the clock or chance only where an argument is missing is told of there alone."""

from __future__ import annotations

import pytest

import cascade_nb as cs
from cascade_nb.graph.effects.effects import effects_of
from tests.graph.cells import Cells

SETUP = """
import gzip, random, secrets, tempfile, threading, time
from multiprocessing import shared_memory
from time import localtime, strftime
import numpy as np
seed = None
day = time.gmtime(0)
def helper(seed=None):
    return np.random.default_rng(seed)
"""
DRAWS = "draws random numbers"
CLOCK = "reads the clock"
NO_SEED = "draws random numbers where it is given no seed"
NO_TIME = "reads the clock where it is given no time"
TOLD = {
    "np.random.default_rng(seed)": DRAWS,
    "np.random.default_rng(seed=None)": DRAWS,
    "np.random.default_rng(x)": NO_SEED,
    "np.random.default_rng(seed=y)": NO_SEED,
    "np.random.default_rng(3)": "",
    "np.random.default_rng(z)": "",
    "np.random.Generator(np.random.PCG64()).random()": DRAWS,
    "np.random.Generator(np.random.PCG64(3)).random()": "",
    "random.Random(x).random()": NO_SEED,
    "helper()": NO_SEED,
    "secrets.SystemRandom().random()": DRAWS,
    "strftime('%H')": CLOCK,
    "time.strftime(z)": CLOCK,
    "time.strftime('%H', day)": "",
    "time.strftime('%H', time.gmtime(0))": "",
    "localtime(x)": NO_TIME,
    "localtime(0)": "",
    "gzip.compress(b'a')": CLOCK,
    "gzip.compress(b'a', mtime=0)": "",
    "tempfile.mkdtemp()": "makes up names of temporary files",
    "tempfile.TemporaryDirectory()": "",
    "threading.current_thread().name": "asks about this machine",
    "shared_memory.SharedMemory('a')": "reads memory that processes share",
}


@pytest.mark.parametrize("call", TOLD)
def test_what_nobody_can_know_is_told_where_the_call_leaves_it_open(call: str) -> None:
    body = f"def f(z, x=None, *, y=None):\n    return {call}\n"
    for cells in (Cells().run(SETUP, body), Cells().run(SETUP, body, "def g(z): return f(z)")):
        task = cs.task(cells.names.get("g", cells.names["f"]))
        assert effects_of(task).doubts == ((TOLD[call],) if TOLD[call] else ())
