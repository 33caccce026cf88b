"""What a function's code is worth, beyond single edits."""

from __future__ import annotations

import functools
import gc
import json
import math
import operator
import os
import pathlib
import socket
import subprocess
import sys
import threading
import types
import weakref
from typing import Any

import numpy as np
import pytest

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.code.source import facts_of
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.model.resources import inject, resource
from cascade_nb.model.tasks.decorator import task
from tests.graph.cells import Cells, Folder

ROOT = pathlib.Path(__file__).parents[2]


def differing(one: Any, other: Any) -> bool:
    return code_key(one).digest != code_key(other).digest


def test_the_key_covers_a_function_by_readable_parts(cells: Cells) -> None:
    cells.run(
        """
        import numpy as np

        LIMIT = 3

        class Model:
            def fit(self): return LIMIT

        def _trim(x, n=2): return x[:n]

        def clean(x, k=1):
            return np.mean(_trim(x)), Model().fit()
        """
    )
    key = cells.key("clean")
    assert set(key.parts) == {
        "function clean",
        "default k",
        "helper _trim",
        "default n of _trim",
        "class Model",
        "method Model.fit",
        "constant LIMIT",
        f"module numpy {np.__version__}",
    }
    assert key.sources["helper _trim"] == "def _trim(x, n=2): return x[:n]\n"
    assert key.sources["method Model.fit"] == "def fit(self): return LIMIT\n"
    assert len(key.digest) == 32
    assert key.unkeyed == ()


def test_a_function_that_is_only_renamed_keeps_its_key(cells: Cells) -> None:
    cells.run("def f(x): return x + 1", "def g(x): return x + 1", "h = lambda x: x + 1")
    assert cells.key("f").digest == cells.key("g").digest == cells.key("h").digest


def test_two_lambdas_on_one_line_differ() -> None:
    one, other = (lambda x: x + 1), (lambda x: x + 2)  # fmt: skip
    assert one.__code__.co_firstlineno == other.__code__.co_firstlineno
    assert differing(one, other)


def test_a_lambda_alone_on_its_line_has_a_source(cells: Cells) -> None:
    cells.run("f = lambda x: x + 1  # one more")
    assert cells.key().sources == {"function <lambda>": "lambda x: x + 1"}


def test_a_docstring_does_not_count_where_there_is_only_bytecode() -> None:
    plain = Cells(source=False).run("def f(): return 'a'").key()
    said = Cells(source=False).run("def f():\n    'What it does.'\n    return 'a'").key()
    other = Cells(source=False).run("def f():\n    'What it did.'\n    return 'a'").key()
    assert said.digest == other.digest
    assert plain.sources == said.sources == {}
    # a docstring that is used as a value is no mere docstring
    used = [Cells(source=False).run(f"def f():\n    '{x}'\n    return '{x}'").key() for x in "ab"]
    assert used[0].digest != used[1].digest


def test_closures_of_one_function_differ_by_what_they_hold() -> None:
    def adder(n: Any) -> Any:
        return lambda x: x + n

    assert differing(adder(1), adder(2))
    assert differing(adder(1), adder(1.0))
    assert not differing(adder([1]), adder([1]))


def test_helpers_that_call_each_other_come_to_an_end(cells: Cells) -> None:
    cells.run(
        "def even(n): return n == 0 or odd(n - 1)",
        "def odd(n): return n != 0 and even(n - 1)",
    )
    before = cells.key("even")
    assert set(before.parts) == {"function even", "helper odd"}
    cells.run("def odd(n): return n > 0 and even(n - 1)")
    assert cells.key("even").digest != before.digest


def test_a_function_that_is_registered_in_what_it_reads_comes_to_an_end(cells: Cells) -> None:
    cells.run(
        """
        STEPS = {}
        def f(x): return STEPS[x](x)
        STEPS["f"] = f
        """
    )
    before = cells.key()
    assert set(before.parts) == {"function f", "constant STEPS"}
    cells.run("STEPS['g'] = len")
    assert cells.key().digest != before.digest


def test_a_chain_of_helpers_may_be_longer_than_the_stack_is_deep(cells: Cells) -> None:
    depth = sys.getrecursionlimit() * 2
    lines = [f"def h{i}(x): return h{i + 1}(x)" for i in range(depth)]
    cells.run("\n".join([*lines, f"def h{depth}(x): return x"]))
    before = cells.key("h0")
    assert len(before.parts) == depth + 1
    cells.run(f"def h{depth}(x): return -x")
    assert cells.key("h0").digest != before.digest


def test_a_code_object_that_is_exchanged_in_place_is_noticed(cells: Cells) -> None:
    # %autoreload puts new code into the functions that there are.
    cells.run("def h(): return 1", "def f(): return h()", "def new(): return 2")
    before = cells.key()
    cells.names["h"].__code__ = cells.names["new"].__code__
    after = cells.key()
    assert {k for k in after.parts if after.parts[k] != before.parts.get(k)} == {"helper h"}


def test_what_is_remembered_of_a_code_object_goes_with_it(cells: Cells) -> None:
    cells.run("def f(): return 1")
    code = cells.names["f"].__code__
    facts_of(code)
    gone = weakref.ref(code)
    del code, cells.names["f"]
    gc.collect()
    assert gone() is None


def test_code_of_equal_bytecode_keeps_its_own_source(cells: Cells) -> None:
    # `1 + 1` is folded: the code objects are equal, and a cache by equality would mix them up.
    cells.run("def f(): return 1+1")
    one = cells.names["f"]
    code_key(one)
    cells.run("def f(): return 0x2")
    if sys.version_info < (3, 14):  # since then they differ in where something stands
        assert one.__code__ == cells.names["f"].__code__
    assert "return 0x2" in cells.key().sources["function f"]


def test_a_method_and_its_object_count() -> None:
    class Scale:
        def __init__(self, by: int) -> None:
            self.by = by

        def run(self, x: int) -> int:
            return x * self.by

        def __call__(self, x: int) -> int:
            return self.run(x)

    assert differing(Scale(1).run, Scale(2).run)
    assert not differing(Scale(1).run, Scale(1).run)
    assert differing(Scale(1), Scale(2))
    assert any(part.endswith("Scale.run") for part in code_key(Scale(1)).parts)


def test_a_foreign_function_bound_to_an_object_counts(cells: Cells) -> None:
    # Pickle would only write the object and a name, behind which there is nothing.
    cells.run(
        """
        import types
        class A: pass
        def made(n):
            def g(self): return n
            return g
        """
    )
    made, owner = cells.names["made"], cells.names["A"]
    assert differing(types.MethodType(made(1), owner()), types.MethodType(made(2), owner()))
    assert not differing(types.MethodType(made(1), owner()), types.MethodType(made(1), owner()))


def test_partials_differ_by_function_arguments_and_keywords() -> None:
    partial = functools.partial
    assert differing(partial(pow, 2), partial(pow, 3))
    assert differing(partial(int, base=2), partial(int, base=3))
    assert differing(partial(max, 1), partial(min, 1))
    assert not differing(partial(max, 1), partial(max, 1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (len, max),
        (math.sin, math.cos),
        (str.upper, str.lower),
        ("a".upper, "b".upper),
        ([1].count, [2].count),
        (operator.itemgetter(1), operator.itemgetter(2)),
        (np.add, np.subtract),
        (np.mean, np.median),
        (dict.fromkeys, dict.get),
        (json.dumps, json.loads),
        (os.path.join, os.path.split),
    ],
)
def test_built_in_and_library_functions_count_by_name(one: Any, other: Any) -> None:
    assert differing(one, other)
    assert not differing(one, one)
    assert code_key(one).unkeyed == ()


def test_a_generic_function_counts_by_its_implementations(cells: Cells) -> None:
    # What `functools` keeps beside them changes when it is called and when an ABC is registered.
    cells.run(
        """
        import abc, collections.abc, functools
        @functools.singledispatch
        def h(x): return 0
        @h.register(collections.abc.Mapping)
        def of_mapping(x): return 1
        def f(x): return h(x)
        class Named(abc.ABC): pass
        """
    )
    before = cells.key()
    cells.run("f({})", "Named.register(int)", "f(())")
    assert cells.key() == before
    cells.run("h.register(int)(lambda x: 2)")
    assert cells.key().digest != before.digest


def test_a_task_counts_as_its_function_and_a_wrapped_one_as_both(cells: Cells) -> None:
    cells.run("def f(x): return x + 1")
    assert not differing(cells.names["f"], task(cells.names["f"]))
    cells.run("import functools", "g = functools.lru_cache(maxsize=9)(f)")
    assert differing(cells.names["f"], cells.names["g"])


def test_an_injected_resource_counts_by_its_function(cells: Cells) -> None:
    cells.names.update(resource=resource, inject=inject)
    cells.run("@resource\ndef db(): yield 1", "def f(x, db=inject(db)): return db")
    before = cells.key()
    assert set(before.parts) == {"function f", "default db", "helper db"}
    cells.run("@resource\ndef db(): yield 2", "def f(x, db=inject(db)): return db")
    assert cells.key().digest != before.digest


def test_what_has_no_content_is_said_with_its_place(cells: Cells) -> None:
    with socket.socket() as connection:
        cells.names["conn"] = connection
        cells.run("def h(): return conn", "def f(): return h()")
        key = cells.key()
        assert key.unkeyed == (
            "constant conn (a socket) cannot be keyed: cannot pickle 'socket' object",
        )
        assert "helper h" in key.parts

        def over() -> Any:
            return connection

        assert "closure connection (a socket)" in code_key(over).unkeyed[0]
        assert "cannot be keyed" in code_key(connection).unkeyed[0]


def test_a_lazy_value_under_a_global_name_has_no_key_and_as_a_default_it_is_an_argument(
    cells: Cells,
) -> None:
    """With a key it would stand for whatever the name's call gives after an edit, too."""
    cells.names["table"] = task(lambda: {"a": 1})()
    cells.run("def f(k): return table[k]")
    assert cells.key().unkeyed == (
        "constant table (the lazy value lambda) cannot be keyed: it is not computed yet",
    )
    cells.run("def f(k, where=table): return where[k]", "del table")
    assert cells.key().unkeyed == ()


def test_tools_that_are_no_inputs_do_not_stand_in_the_way(cells: Cells) -> None:
    cells.names.update(lock=threading.Lock(), cache=weakref.WeakValueDictionary())
    cells.run(
        """
        import contextvars, logging
        log = logging.getLogger("mine")
        here = contextvars.ContextVar("here")
        def f():
            with lock:
                log.info("%s", here.get())
                return cache
        """
    )
    assert cells.key().unkeyed == ()


def test_an_annotation_counts_where_a_decorator_may_read_it(cells: Cells) -> None:
    decorator = """
        import functools
        def checked(g):
            @functools.wraps(g)
            def w(*a): return g(*a)
            return w
        """
    one = Cells().run(decorator, "@checked\ndef f(x: int): return x").key()
    other = Cells().run(decorator, "@checked\ndef f(x: str): return x").key()
    assert one.digest != other.digest
    assert one.parts["function f"] == other.parts["function f"]


def test_a_library_decorator_counts_by_what_it_was_told(
    folder: Folder, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a library keeps in its closures may have no content; then its text in the source counts.
    folder.write(
        "site-packages.retrying",
        """
        import functools, socket
        def retry(n):
            def decorate(f):
                state = (line for line in "")
                @functools.wraps(f)
                def wrapped(*a): return f(*a) or state
                return wrapped
            return decorate
        """,
    )
    monkeypatch.syspath_prepend(folder.place / "site-packages")
    cells.run("from retrying import retry")
    one = cells.run("@retry(1)\ndef f(x): return x").key()
    two = cells.run("@retry(2)\ndef f(x): return x").key()
    body = cells.run("@retry(2)\ndef f(x): return -x").key()
    assert one.unkeyed == ()
    assert len({one.digest, two.digest, body.digest}) == 3
    assert "function f" in one.parts


def test_an_installed_library_counts_by_its_version_and_not_by_its_files(
    folder: Folder, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("site-packages.widely", "__version__ = '1.2'\ndef g(): return 1")
    monkeypatch.syspath_prepend(folder.place / "site-packages")
    cells.run("import widely", "def f(): return widely.g()")
    before = cells.key()
    assert set(before.parts) == {"function f", "module widely 1.2"}
    module = sys.modules["widely"]
    exec("def g(): return 2", vars(module))
    assert cells.key() == before
    monkeypatch.setattr(module, "__version__", "1.3")
    after = cells.key()
    assert after.digest != before.digest
    assert "module widely 1.3" in after.parts


def test_a_library_function_under_another_librarys_decorator_counts_by_name(
    folder: Folder, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(
        "site-packages.decorating",
        """
        import functools
        def deprecated(g):
            kept = (line for line in "")
            @functools.wraps(g)
            def wrapped(*a): return g(*a) or kept
            return wrapped
        """,
    )
    folder.write(
        "site-packages.widely",
        "__version__ = '1.2'\nfrom decorating import deprecated\n@deprecated\ndef g(): return 1",
    )
    monkeypatch.syspath_prepend(folder.place / "site-packages")
    cells.run("from widely import g", "def f(): return g()")
    assert set(cells.key().parts) == {"function f", "module widely 1.2"}
    assert cells.key().unkeyed == ()


def test_the_standard_library_and_this_package_are_no_parts(cells: Cells) -> None:
    cells.run(
        """
        import json, pathlib
        from cascade_nb.model.lazy import lazy
        def f(x): return json.dumps(x), pathlib.Path(x), lazy.Lazy
        """
    )
    assert set(cells.key().parts) == {"function f"}


def test_a_module_that_was_edited_and_not_reloaded_is_keyed_as_what_runs(
    folder: Folder, cells: Cells
) -> None:
    # The text on disk is no longer that of the code in memory; a key made of it would let results
    # of the old code stand for the new.
    folder.write("mylib", "def g(x): return x + 1\n")
    cells.run("import mylib", "def f(x): return mylib.g(x)")
    folder.write("mylib", "def g(x): return x + 2\n")
    edited = cells.key()
    assert "helper mylib.g" not in edited.sources
    cells.run("import importlib", "importlib.reload(mylib)")
    reloaded = cells.key()
    assert reloaded.digest != edited.digest
    assert "x + 2" in reloaded.sources["helper mylib.g"]


def test_lines_that_moved_on_disk_do_not_hide_the_source(folder: Folder, cells: Cells) -> None:
    folder.write("mylib", "def g(x): return x + 1\n")
    cells.run("import mylib", "def f(x): return mylib.g(x)")
    folder.write("mylib", "import os\n\n\ndef g(x): return x + 1\n")
    before = cells.key()
    assert "x + 1" in before.sources["helper mylib.g"]
    cells.run("import importlib", "importlib.reload(mylib)")
    assert cells.key().digest == before.digest


MOVED = """
import functools
LIMIT = 3
def step(x, k=LIMIT): return x + k
step.unit = "m"
def logged(g):
    @functools.wraps(g)
    def call(*given): return g(*given)
    return call
@logged
def shown(x): return [LIMIT, step(x)]
def f(x): return shown(step(x)) + [LIMIT, f.__doc__, step.unit]
"""


def test_a_key_does_not_tell_in_which_module_functions_and_constants_stand(
    folder: Folder, cells: Cells
) -> None:
    folder.write("one", MOVED)
    folder.write("other", MOVED)
    keys = [code_key(folder.load(name).f) for name in ("one", "other")]
    keys.append(cells.run(MOVED).key())
    assert len({key.digest for key in keys}) == 1
    assert {"helper one.step", "constant one.LIMIT"} <= keys[0].parts.keys()
    folder.write("third", MOVED.replace("LIMIT = 3", "LIMIT = 4"))
    assert code_key(folder.load("third").f).digest != keys[0].digest


def test_a_class_counts_with_its_module_whose_instances_no_other_module_knows(
    folder: Folder, cells: Cells
) -> None:
    written = "class P:\n    x = 1\ndef f(): return P()\n"
    folder.write("one", written)
    assert code_key(folder.load("one").f).digest != cells.run(written).key().digest


def test_helpers_of_one_name_out_of_two_modules_do_not_stand_for_one_another(
    folder: Folder, cells: Cells
) -> None:
    folder.write("one", "def g(): return 1\n")
    folder.write("other", "def g(): return 2\n")
    cells.run("import one, other", "def f(): return one.g(), other.g()")
    before = cells.key()
    folder.forget()
    folder.write("one", "def g(): return 2\n")
    folder.write("other", "def g(): return 1\n")
    cells.run("import one, other")
    after = cells.key()
    assert after.digest != before.digest
    assert {"helper one.g", "helper other.g"} <= before.parts.keys() & after.parts.keys()


def test_a_module_handed_on_whole_counts_whole(folder: Folder, cells: Cells) -> None:
    folder.write("mylib", "def g(): return 1\n")
    cells.run("import mylib", "def f(): return getattr(mylib, 'g')()")
    before = cells.key()
    assert set(before.parts) == {"function f", "helper mylib.g", "module mylib"}
    folder.forget()
    folder.write("mylib", "def g(): return 2\n")
    cells.run("import mylib")
    assert cells.key().digest != before.digest


def test_a_module_imported_by_a_body_has_one_key_before_and_after(
    folder: Folder, cells: Cells
) -> None:
    folder.write("deeper", "L = 1\n")
    folder.write("mylib", "import deeper\ndef g(): return deeper.L\n")
    cells.run("def f():\n    import mylib\n    return mylib.g()")
    before = cells.key()
    assert set(before.parts) == {"function f", "module mylib", "module deeper"}
    assert "mylib" not in sys.modules
    assert cells.names["f"]() == 1
    assert cells.key() == before
    folder.write("deeper", "L = 2\n")
    after = cells.key()
    assert after.parts["module deeper"] != before.parts["module deeper"]


def test_a_module_imported_by_a_body_and_edited_since_is_said_to_be_old(
    folder: Folder, cells: Cells
) -> None:
    folder.write("mylib", "def g(): return 1\n")
    cells.run("def f():\n    import mylib\n    return mylib.g()")
    assert cells.names["f"]() == 1
    assert cells.key().unkeyed == ()
    folder.write("mylib", "def g(): return 2\n")
    assert "module mylib was changed on disk after it was imported" in cells.key().unkeyed[0]
    cells.run("import importlib, mylib", "importlib.reload(mylib)")
    assert cells.key().unkeyed == ()


def test_a_module_that_a_body_imported_after_the_last_look_and_edited_since_is_said_to_be_old(
    folder: Folder, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # so that nothing remembers its text
    folder.write("mylib", "def g(): return 1\n")
    cells.run("def f():\n    import mylib\n    return mylib.g()")
    assert cells.key().unkeyed == ()
    assert cells.names["f"]() == 1
    folder.write("mylib", "def g(): return 22\n")
    assert "changed on disk" in cells.key().unkeyed[0]
    del sys.modules["mylib"]
    assert cells.key().unkeyed == ()
    assert cells.names["f"]() == 22
    assert cells.key().unkeyed == ()


def test_an_edit_between_import_and_first_look_is_noticed_too(
    folder: Folder, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The compiled file remembers of which text it was made.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder.write("mylib", "def g(): return 1\n")
    cells.run("import mylib", "def f():\n    import mylib\n    return mylib.g()")
    folder.write("mylib", "def g(): return 22\n")
    assert "changed on disk" in cells.key().unkeyed[0]


def test_relative_imports_of_a_body_lead_to_their_modules(folder: Folder) -> None:
    folder.write("pack.near", "L = 1\n")
    folder.write("pack.main", "def f():\n    from . import near\n    return near.L\n")
    key = code_key(folder.load("pack.main").f)
    assert "module pack.near" in key.parts


NOTEBOOK = """
import functools
from dataclasses import dataclass
from enum import Enum
import numpy as np

NAMES = {"alpha", "beta", "gamma", "delta", "epsilon"}
TABLE = {name: frozenset({name, name * 2}) for name in sorted(NAMES)}

class Kind(Enum):
    A = "a"
    B = "b"

@dataclass
class Item:
    name: str = "x"
    kinds: frozenset = frozenset({"p", "q", "r"})

    def both(self): return {self.name} | self.kinds

def timed(g):
    @functools.wraps(g)
    def inner(*args): return g(*args)
    return inner

@timed
def f(x, item=Item("y"), word="w"):
    if x in {"one", "two", "three"}:
        return [Kind.A, TABLE, np.mean(x)]
    return (lambda y: y + 1)(x), item.both(), sorted(NAMES)

one, two = (lambda x: x in {"a", "b", "c"}), (lambda x: x in {"a", "b", "d"})
"""
PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.graph.cells import Cells
keys = {{}}
for source in (True, False):
    cells = Cells(source).run({NOTEBOOK!r})
    for name in ("f", "one", "two", "Item", "Kind"):
        key = cells.key(name)
        keys[f"{{name}} {{source}}"] = [key.digest, dict(key.parts), key.unkeyed]
print(json.dumps(keys))
"""


def keys_in_another_process(seed: str) -> Any:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_keys_are_the_same_in_every_process_and_for_every_hash_seed() -> None:
    first = keys_in_another_process("0")
    assert not any(unkeyed for _, _, unkeyed in first.values())
    for seed in ("1", "4242"):
        assert keys_in_another_process(seed) == first


class Connected:
    """Something callable that holds a socket."""

    def __init__(self) -> None:
        self.line = socket.socket()

    def __call__(self, x: int) -> int:
        return x


def test_a_decorator_around_what_has_no_key_is_said_and_never_raised() -> None:
    connected = Connected()

    def outer(x: int) -> int:
        return x

    outer.__wrapped__ = connected  # type: ignore[attr-defined]
    with connected.line:
        key = code_key(outer)
        again = fingerprints(build_graph(task(outer)(1)))
    assert any("what it wraps (a socket) cannot be keyed" in words for words in key.unkeyed)
    assert list(again) == [None]
