"""Whatever Python or IPython asks of what a notebook has in hand works, or is refused with an error
of Python's own kind or of ours, and nothing starts, ends or changes by it.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, Final

import cascade_nb as cs
from cascade_nb.errors import CascadeError
from tests.engine.test_special_methods import ASKED
from tests.notebook.conftest import Notebook

CELL: Final = """%%cascade --quiet
def load(n=3):
    return list(range(n))

def clean(row):
    return row + 1

rate = cs.Param("rate", default=2)
rows = load(rate)
cleaned = clean.map(row=rows)
"""

#: Magics that give something to hold, by what it is.
MAGICS: Final = {
    "run of a magic": "run cleaned --wait",
    "plan of a magic": "plan cleaned",
    "picture of a magic": "graph",
    "why of a magic": "why cleaned",
    "status of a magic": "status",
    "runs of a magic": "runs",
    "times of a magic": "times",
    "parameters of a magic": "params",
    "state of a magic": "state",
}

COPIES: Final[tuple[Callable[[Any], Any], ...]] = (
    copy.copy,
    copy.deepcopy,
    lambda it: pickle.loads(pickle.dumps(it)),
)


def test_whatever_is_asked_of_what_a_notebook_has_works_or_is_refused(notebook: Notebook) -> None:
    notebook.ok("import cascade_nb as cs")
    notebook.ok(CELL)
    things: dict[str, Any] = {}
    for name, words in MAGICS.items():
        notebook.ok(f"held = %cascade {words}")
        things[name] = notebook.names["held"]
    things |= {
        "named node": notebook.names["cleaned"],
        "task of a cell": notebook.names["clean"],
        "parameter of a cell": notebook.names["rate"],
        "picture": cs.visualize(notebook.names["cleaned"]),
        "plan": cs.plan(notebook.names["cleaned"]),
        "grid": cs.run(cs.grid(notebook.names["clean"].map(row=[1, 2], how="product"))),
        "status of all": cs.status(),
    }
    names = dict(notebook.names)
    wrong: list[str] = []
    for name, thing in things.items():
        for asked, ask in ASKED.items():
            try:
                ask(thing)
            except (CascadeError, TypeError, AttributeError, LookupError):
                pass
            except StopIteration:  # of what is a list, or goes through one
                pass
            except BaseException as error:
                wrong.append(f"{asked} of {name}: {error!r}")
        for how in COPIES:
            try:
                made = how(thing)
            except (CascadeError, TypeError, AttributeError):
                continue
            if type(made) is not type(thing):
                wrong.append(f"a copy of {name} is {made!r:.80}")
    assert wrong == []
    assert {key: id(value) for key, value in names.items()} == {
        key: id(value) for key, value in notebook.names.items()
    }


def test_what_a_notebook_has_can_be_asked_for_help_and_completed(notebook: Notebook) -> None:
    notebook.ok("import cascade_nb as cs")
    notebook.ok(CELL)
    notebook.ok("handle = %cascade run cleaned --wait")
    notebook.ok("table = %cascade plan cleaned")
    for name in ("cleaned", "rows", "clean", "rate", "handle", "table", "cs.run", "cs.Engine"):
        for mark in ("?", "??"):
            told = notebook.ok(f"{name}{mark}").text
            assert "Traceback" not in told
            assert "cannot be shown" not in told
        notebook.complete(f"{name}.")
        notebook.ok(f"{name}; repr({name}); dir({name}); type({name})")
