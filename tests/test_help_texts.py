"""The examples in help texts run as they stand there."""

from __future__ import annotations

import builtins
import doctest
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FunctionType

import pytest

import cascade_nb as cs
import cascade_nb.errors
import cascade_nb.graph
import cascade_nb.model
from cascade_nb.defaults import default_engine


@cs.task(name="fetch")
def fetch(n: int = 3) -> list[int]:
    return list(range(n))


FAULTS: list[OSError] = []


@cs.task
def sometimes(n: int) -> list[int]:
    while FAULTS:
        raise FAULTS.pop()
    return list(range(n))


@cs.task(name="total")
def total(xs: list[int]) -> int:
    return sum(xs)


#: What is found by `cs.<tab>` and is no type of what others give.
NO_EXAMPLE = {
    "Graph",  # made by build_graph
    "Missing",
    "load_ipython_extension",  # %load_ext does
    "unload_ipython_extension",
}
PUBLIC = sorted(set(cs.__all__) - NO_EXAMPLE)
#: Types whose methods users call, with the help of `x.with_retry?` and the like.
TYPES = [
    getattr(room, name)
    for room in (cascade_nb.model, cascade_nb.graph)
    for name in room.__all__
    if inspect.isclass(getattr(room, name)) and not issubclass(getattr(room, name), Enum)
]
#: Made by those who have names, not by users: there is nothing to run.
PROTOCOLS = {cascade_nb.graph.Bindings}
#: `cs.run` and its like, whose examples run elsewhere in this file.
FUNCTIONS = {
    f"cs.{name}": getattr(cs, name) for name in PUBLIC if inspect.isfunction(getattr(cs, name))
}

CONTROLS = ("pause", "resume", "limit", "rate", "breaker")
READINGS = ("partial", "states")


def methods() -> dict[str, FunctionType]:
    """By name, public functions of the model and the graph, public methods of their types, and what
    controls and reads engines and runs.
    """
    found: dict[str, FunctionType] = {}
    for room in (cascade_nb.model, cascade_nb.graph):
        for name in room.__all__:
            if inspect.isfunction(getattr(room, name)):
                found[f"{room.__name__}.{name}"] = getattr(room, name)
    for kind in TYPES:
        for owner in kind.__mro__:
            if owner.__module__.startswith("cascade_nb."):
                for name, held in vars(owner).items():
                    public = not name.startswith("_") or (name == "__call__" and held.__doc__)
                    if public and inspect.isfunction(held) and kind not in PROTOCOLS:
                        found[f"{owner.__name__}.{name}"] = held
    for kind in (cs.Engine, cs.Run):
        for name in (*CONTROLS, *(READINGS if kind is cs.Run else ())):
            found[f"{kind.__name__}.{name}"] = getattr(kind, name)
    return found


METHODS = methods()
PART = re.compile(r"^(Args|Returns|Raises|Example):\n((?: .*\n|\n)+)", re.MULTILINE)


@pytest.fixture(autouse=True)
def nothing_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    engine = default_engine()
    engine.given.clear()
    yield
    cs.use_state("memory:")
    engine.given.clear()


def run_example(text: str | None, names: dict[str, object]) -> None:
    assert text is not None
    example = doctest.DocTestParser().get_doctest(text, names, "example", None, 0)
    assert example.examples, "there is none"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)


def some_names() -> dict[str, object]:
    size = cs.Param("size", default=3, type=int)
    report = total(fetch(size)).named("report")
    engine = default_engine()
    return {"cs": cs, "engine": engine, "fetch": fetch, "total": total, "report": report}


@pytest.mark.may_block("a state is opened and read from a thread that waits")
@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "attach"])
def test_the_help_of_a_public_name_has_an_example_that_runs(name: str) -> None:
    run_example(getattr(cs, name).__doc__, some_names())


@pytest.mark.may_block("a result is waited for in the thread of a cell")
@pytest.mark.parametrize("name", METHODS)
def test_the_help_of_a_method_has_an_example_that_runs(name: str) -> None:
    run_example(METHODS[name].__doc__, some_names())


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_help_says_what_is_taken_given_and_raised(name: str) -> None:
    method = {**FUNCTIONS, **METHODS}[name]
    text = inspect.getdoc(method) or ""
    parts = dict(PART.findall(f"{text}\n"))
    signature = inspect.signature(method)
    taken = [one for one in signature.parameters if one not in ("self", "unknown", "options")]
    missing = [one for one in taken if not re.search(rf"\b{one}\b", parts.get("Args", ""))]
    assert not missing, f"Args: says nothing of {missing}"
    gives = signature.return_annotation not in (None, "None")
    assert gives == ("Returns" in parts), "Returns:"
    for error in re.findall(r"^    (\w[\w, ]*):", parts.get("Raises", ""), re.MULTILINE):
        for one in error.split(", "):
            assert hasattr(cascade_nb.errors, one) or hasattr(builtins, one), one
    if "raise " in inspect.getsource(method).replace(text, ""):
        assert "Raises" in parts, "Raises:"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_the_help_of_a_type_says_what_its_attributes_are(kind: type) -> None:
    text = inspect.getdoc(kind) or ""
    assert text.partition("\n\n")[0].rstrip().endswith(".")
    shown = {
        name: member.fget
        for owner in kind.__mro__
        if owner.__module__.startswith("cascade_nb.")
        for name, member in vars(owner).items()
        if isinstance(member, property) and not name.startswith("_")
    }
    for name, reader in shown.items():
        assert (reader.__doc__ or "").strip(), f"{kind.__name__}.{name}"


@pytest.mark.may_block("a state is opened and read from a thread that waits")
def test_the_example_of_attach_goes_on_with_a_run_that_came_to_no_end() -> None:
    cs.use_state("sqlite:///results.db")
    FAULTS.append(OSError("not yet"))
    with pytest.raises(OSError, match="not yet"):
        cs.run(total(sometimes(3)).named("report"))
    cs.use_state("memory:")
    run_example(cs.attach.__doc__, some_names())


@pytest.mark.parametrize("name", cs.__all__)
def test_the_help_of_a_public_name_begins_with_a_sentence(name: str) -> None:
    shown = getattr(cs, name)
    text = inspect.getdoc(shown) or ""
    first = text.partition("\n\n")[0]
    assert first.rstrip().endswith((".", ":")), f"{name}: its first sentence"
