"""The examples in help texts run as they stand there."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.shortcuts import default_engine


@cs.task(name="fetch")
def fetch(n: int = 3) -> list[int]:
    return list(range(n))


FAULTS: list[OSError] = []


@cs.task
def sometimes(n: int) -> list[int]:
    while FAULTS:
        raise FAULTS.pop()
    return list(range(n))


@cs.task(name="help_total")
def total(xs: list[int]) -> int:
    return sum(xs)


#: What is found by `cs.<tab>` and is no type of what others give.
NO_EXAMPLE = {
    "Graph",  # made by build_graph
    "LazyResult",
    "MappedLazyResult",
    "Missing",
    "load_ipython_extension",  # %load_ext does
    "unload_ipython_extension",
}
PUBLIC = sorted(set(cs.__all__) - NO_EXAMPLE)
METHODS = [
    cs.LazyResult.run_if,
    cs.LazyResult.with_cache,
    cs.LazyResult.with_retry,
    type(fetch).map,
]


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
    return {"cs": cs, "fetch": fetch, "total": total, "report": report}


@pytest.mark.may_block("a state is opened and read from a thread that waits")
@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "attach"])
def test_the_help_of_a_public_name_has_an_example_that_runs(name: str) -> None:
    run_example(getattr(cs, name).__doc__, some_names())


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.__name__)
def test_the_help_of_a_method_has_an_example_that_runs(method: object) -> None:
    run_example(method.__doc__, some_names())


@pytest.mark.may_block("a state is opened and read from a thread that waits")
def test_the_example_of_attach_goes_on_with_a_run_that_came_to_no_end() -> None:
    cs.use_state("sqlite:///results.db")
    FAULTS.append(OSError("not yet"))
    with pytest.raises(OSError, match="not yet"):
        cs.run(total(sometimes(3)).named("report"))
    cs.use_state("memory:")
    run_example(cs.attach.__doc__, some_names())


@pytest.mark.parametrize("name", cs.__all__)
def test_the_help_of_a_public_name_says_what_it_is_and_what_it_takes(name: str) -> None:
    shown = getattr(cs, name)
    text = inspect.getdoc(shown) or ""
    first = text.partition("\n\n")[0]
    assert first.rstrip().endswith((".", ":")), f"{name}: its first sentence"
    if inspect.isfunction(shown):
        taken = {
            one for one in inspect.signature(shown).parameters if one not in ("unknown", "shell")
        }
        missing = [one for one in taken if not re.search(rf"\b{one}\b", text)]
        assert not missing, f"{name} says nothing of {missing}"
