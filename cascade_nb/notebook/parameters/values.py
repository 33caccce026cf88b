"""Keeps the values that parameters were given for the runs of a notebook, and says what they cost.

A value that was chosen here holds for each `%cascade run`, plan and graph after that, until another
is chosen; what a single run is given with ``-p`` goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.control.words import count_text, some_of
from cascade_nb.engine.planning.plan import time_text
from cascade_nb.errors import CascadeError, UnknownNameError
from cascade_nb.grammar.values import read_value
from cascade_nb.graph.graph import Graph
from cascade_nb.model.params.field import field_of, text_of
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.notebook.panel.drawing import whole_graph
from cascade_nb.notebook.session import Session
from cascade_nb.text import quoted

_LONG: Final = 300  # characters of a value that are shown
NONE_HERE: Final = "; cs.Param('size', default=3, type=int), given to a task, makes one"


class Cost(NamedTuple):
    """What a run of everything would do with the values of now.

    Attributes:
        words: in a sentence or two.
        stale: names of the nodes that were done and would run again.
    """

    words: str
    stale: tuple[str, ...] = ()


def graph_here(session: Session) -> Graph | None:
    """All that the notebook could run now, as far as it can; with thousands of nodes that takes a
    while to build, so what follows is given it.
    """
    return whole_graph(session.workspace)[0]


def read(graph: Graph | None, name: str, text: str | bool | None) -> tuple[Param, Any]:
    """The parameter of this name, and what somebody wrote for it as a value of its type; None, for
    its default, gives `REQUIRED`.

    Raises:
        UnknownNameError: nothing reads such a parameter.
        ParamError: the text is no value of its type.
    """
    here = _params_in(graph)
    if name not in here:
        raise UnknownNameError("parameter", name, here, "" if here else NONE_HERE)
    param = here[name]
    if text is None:
        return param, REQUIRED
    return param, read_value(param, text) if isinstance(text, str) else param.checked(text)


def keep(session: Session, param: Param, value: Any) -> None:
    """Give a parameter this value for all runs after that; `REQUIRED` has it mean its default."""
    for kept in (session.chosen, session.engine.given):
        if value is REQUIRED:
            kept.pop(param.name, None)
        else:
            kept[param.name] = value


def forget(session: Session) -> None:
    """Have each parameter mean its default again."""
    for name in session.chosen:
        session.engine.given.pop(name, None)
    session.chosen.clear()


def fields(session: Session, graph: Graph | None) -> list[dict[str, Any]]:
    """What a form shows of each parameter, as JSON: what `field_of` says, and its `description`,
    `words` for its type, its `value` and its `default` as texts, None where there is none.
    """
    return [_field(session, param) for param in _params_in(graph).values()]


def _field(session: Session, param: Param) -> dict[str, Any]:
    value = session.chosen.get(param.name, param.default)
    return {
        **field_of(param.name, param.kind),
        "description": str(param.description),
        "words": "" if param.kind is None else param.kind.name,
        "value": _shown(param, value),
        "default": _shown(param, param.default),
    }


def _shown(param: Param, value: Any) -> str | None:
    if value is REQUIRED:
        return None
    text = quoted(value, _LONG + 1) if param.kind is None else text_of(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]} …"


async def cost(session: Session, graph: Graph | None) -> Cost:
    """What a run of everything would do now; nothing runs."""
    if graph is None:
        return Cost("There is nothing to run yet.")
    known = graph.params()
    given = session.chosen_for(known)
    missing = [name for name, one in known.items() if one.default is REQUIRED and name not in given]
    if missing:
        return Cost(f"{some_of(missing)} needs a value before what reads it can run.")
    try:
        plan = await session.engine.plan(graph, params=given)
    except CascadeError as error:
        return Cost(f"What a run would do cannot be said: {error}")
    left = [step for step in plan.steps if step.action in ("run", "hold", "queue")]
    if not left:
        return Cost("All results stand: a run would compute nothing.")
    stale = tuple(step.node for step in left if step.node in session.done)
    time = f", {time_text(plan.seconds)} of work" if time_text(plan.seconds) else ""
    first = f"Stale with these values: {some_of(stale)}. " if stale else ""
    every = count_text(len(plan.steps), "node")
    return Cost(f"{first}A run of everything computes {len(left):,} of {every}{time}.", stale)


def in_words(of: list[dict[str, Any]]) -> str:
    """A table of these fields, for where there is no form."""
    if not of:
        return f"No task reads a parameter yet{NONE_HERE}."
    names = max(len(one["name"]) for one in of)
    values = [_value_words(one) for one in of]
    width = max(map(len, values))
    return "\n".join(
        f"  {one['name']:<{names}}  {value:<{width}}  {_about(one)}".rstrip()
        for one, value in zip(of, values, strict=True)
    )


def _value_words(field: Mapping[str, Any]) -> str:
    return "needs a value" if field["value"] is None else str(field["value"])


def _about(field: Mapping[str, Any]) -> str:
    other = field["default"] not in (None, field["value"])
    parts = [field["words"], f"default {field['default']}" if other else "", field["description"]]
    return "; ".join(filter(None, parts))


def _params_in(graph: Graph | None) -> Mapping[str, Param]:
    return {} if graph is None else graph.params()
