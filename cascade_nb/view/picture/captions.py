"""Writes the words in a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cascade_nb.graph.graph import Node, NodeKind
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult, length_of
from cascade_nb.model.params.param import Param
from cascade_nb.model.routing import Router
from cascade_nb.view.picture.folding import Because, Group
from cascade_nb.view.picture.labels import clean

TIMES: Final = "\u00d7"
_TITLE: Final = 30
_CAPTION: Final = 34
_PLURALS: Final = {NodeKind.PARAM: "parameters", NodeKind.ROUTER: "routers"}


@dataclass(frozen=True)
class Words:
    """The words of one box; `stacked` says whether they speak of several pieces of work."""

    title: str
    caption: str
    tooltip: str
    stacked: bool


def words_of(group: Group, *, decides: bool, target: bool) -> Words:
    """The words for `group`.

    A title is the name of its node, or of its task, and how many there are; a caption says what a
    title leaves open: the task of a named node, what a map goes through, the type of a parameter.

    Args:
        decides: whether its result decides if something else runs.
        target: whether it was asked for.
    """
    first = group.nodes[0]
    if len(group.nodes) > 1:
        name = _name_of_many(group)
        count = f"{len(group.nodes):,}"
        caption = _SEVERAL.get(group.because) or f"{first.id} to {group.nodes[-1].id}"
        title, stacked = f"{name} {TIMES}{count}", True
        what = f"{count} nodes, {first.id} to {group.nodes[-1].id}: {caption}"
    else:
        title, caption = _one(first)
        stacked = first.kind is NodeKind.MAP
        what = f"{first.id}: {_KIND_WORDS[first.kind]}"
    if decides:
        caption = f"{caption} · decides" if caption else "decides"
    if not first.control.wanted:
        caption = "will be skipped"
    asked = ", asked for" if target else ""
    return Words(title, clean(caption, _CAPTION), clean(f"{what}{asked}", 160), stacked)


_SEVERAL: Final = {
    Because.ALIKE: "side by side",
    Because.CROWDED: "side by side",
    Because.KIND: "all of them",
    Because.LAYER: "a layer, all of it",
}
_KIND_WORDS: Final = {
    NodeKind.TASK: "a task",
    NodeKind.MAP: "a task for each item",
    NodeKind.PARAM: "a parameter",
    NodeKind.ROUTER: "takes one of several branches",
}


def _name_of_many(group: Group) -> str:
    first = group.nodes[0]
    if group.because is Because.LAYER:
        last = group.nodes[-1]
        if last.task_name == first.task_name:
            return clean(first.task_name, _TITLE)
        return f"{clean(first.task_name, _TITLE // 2)} … {clean(last.task_name, _TITLE // 2)}"
    return _PLURALS.get(first.kind) or clean(first.task_name, _TITLE)


def _one(node: Node) -> tuple[str, str]:
    """Title and caption of one node."""
    lazy = node.lazy
    if isinstance(lazy, MappedLazyResult):
        return _mapped(node, lazy)
    if isinstance(lazy, Param):
        kind = f": {lazy.kind.name}" if lazy.kind is not None else ""
        return clean(lazy.name, _TITLE), clean(f"parameter{kind}", _CAPTION)
    if isinstance(lazy, Router):
        title = node.name or lazy.label
        return clean(title, _TITLE), f"one of {len(lazy.routes)}"
    task = clean(node.task_name, _TITLE)
    if node.name is None or node.name == node.task_name:
        return clean(node.label, _TITLE), ""
    written = lazy.task.label_of(lazy.args) if isinstance(lazy, LazyResult) else task
    return clean(node.name, _TITLE), f"{task}()" if written == node.task_name else written


def _mapped(node: Node, lazy: MappedLazyResult[Any]) -> tuple[str, str]:
    length = length_of(lazy)
    count = "" if length is None else f" {TIMES}{length:,}"
    between = ", " if lazy.how == "zip" else f" {TIMES} "
    through = f"for each {between.join(lazy.collections)}"
    if node.name is None or node.name == node.task_name:
        return clean(node.task_name, _TITLE) + count, through
    return clean(node.name, _TITLE) + count, f"{node.task_name}() {through}"
