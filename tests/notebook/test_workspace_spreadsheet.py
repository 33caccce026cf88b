"""Random cells, run, edited, run again, failing and dropped, against the oracle spreadsheet.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.errors import CycleError, DroppedNameError, UnknownNameError
from cascade_nb.model.lazy.lazy import Lazy
from tests.notebook.sheet import Sheet
from tests.notebook.spreadsheet import CircleError, FailedError, LostError, Spreadsheet
from tests.support.examples import examples

names = st.sampled_from("xyz")
tags = st.integers(0, 9)
plain = st.integers(100, 109)
#: How Python can bind a name. What a second name for a node means is known of an assignment only.
WAYS = (
    "{name} = {value}",
    "any(({name} := v) is None for v in [{value}])",
    "exec('global {name}; {name} = {value}')",
    "exec('def _set(v):\\n global {name}\\n {name} = v'); _set({value})",
    "for {name} in [{value}]: pass",
    "globals()['{name}'] = {value}",
    "exec('{name} = {value}')",
)
ways = st.integers(0, len(WAYS) - 1)
lines = st.one_of(
    st.tuples(st.just("f"), names, tags, st.lists(names, max_size=2).map(tuple), ways),
    st.tuples(st.just("f"), names, tags, st.lists(names, max_size=2).map(tuple), ways),
    st.tuples(st.just("plain"), names, plain, st.just(0)),
    st.tuples(st.just("same"), names, names, st.just(0)),
)
bodies = st.tuples(st.lists(lines, max_size=3), st.sampled_from([False] * 9 + [True]))
steps = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([*"ABCD", None]), bodies),
    st.tuples(st.just("run"), st.sampled_from([*"ABCD"]), bodies),
    st.tuples(st.just("drop"), names),
)


def source(line: tuple[Any, ...]) -> str:
    kind, name, *rest = line
    way = rest.pop()
    value = f"f({', '.join([str(rest[0]), *rest[1]])})" if kind == "f" else str(rest[0])
    return WAYS[way].format(name=name, value=value)


def worth(find: Any, ref: Any) -> Any:
    """What something comes to; an exception's class where it comes to nothing."""
    try:
        return find(ref)
    except (DroppedNameError, LostError):
        return LostError


@settings(max_examples=examples(300))
@given(st.lists(steps, max_size=9))
def test_names_mean_what_a_spreadsheet_says(history: list[tuple[Any, ...]]) -> None:
    sheet, oracle = Sheet(), Spreadsheet()
    handles: list[tuple[Lazy, int]] = []
    for kind, *rest in history:
        if kind == "drop":
            if oracle.drop(rest[0]):
                sheet.workspace.drop(rest[0])
            else:
                with pytest.raises(UnknownNameError):
                    sheet.workspace.drop(rest[0])
        else:
            key, (body, fails) = rest
            text = "\n".join([*map(source, body), "raise ValueError" if fails else "pass"])
            planned = [*body, ("raise", "")] if fails else body
            laid: dict[str, int] = {}
            try:
                laid = oracle.run(object() if key is None else key, planned)
            except FailedError as failed:
                with pytest.raises((ValueError, NameError)):
                    sheet.cell(key, text)
                laid = failed.laid
            except CircleError:
                with pytest.raises(CycleError):
                    sheet.cell(key, text)
            else:
                sheet.cell(key, text)
            for name, layer in laid.items():
                chain = sheet.workspace.chains[name]
                made = next(n for n in chain if n.cell.label == f"In[{sheet.count}]")
                assert made.meaning is not None
                handles.append((made.meaning.whole, layer))
        compare(sheet, oracle)
        for lazy, layer in handles:
            assert worth(sheet.value, lazy) == worth(oracle.state.value, layer)


def compare(sheet: Sheet, oracle: Spreadsheet) -> None:
    """Every name shows and means the same in both."""
    state = oracle.state
    for name in "xyz":
        top = state.top(name) if name in state.chains else None
        if name in state.plain:
            assert sheet.names[name] == state.plain[name]
        elif top is None:
            assert name not in sheet.names
        else:
            shown = sheet.names[name]
            mine = worth(sheet.value, shown) if isinstance(shown, Lazy) else shown
            assert mine == worth(state.value, top)
