"""Marks a picture with the states of its nodes."""

from __future__ import annotations

from typing import Final

from cascade_nb.errors import UnknownNameError
from cascade_nb.view.picture.picture import Box, Picture
from cascade_nb.view.picture.states import LOOKS, Mark, Marks, together

_OVER: Final = frozenset({"done", "reused", "skipped"})


def marks_on(picture: Picture, marks: Marks) -> dict[str, Mark]:
    """What stands on each box, by its id, with `marks` on its nodes.

    A stack of several nodes shows how many of them are over, once one of them has a state; the
    stack of a mapped node shows the progress that `marks` has for it.

    Raises:
        UnknownNameError: there is no such state.
    """
    for state in set(marks.states.values()) - LOOKS.keys():
        raise UnknownNameError("state", state, LOOKS)
    return {box.id: _mark(box, picture.members[box.id], marks) for box in picture.boxes}


def _mark(box: Box, nodes: tuple[str, ...], marks: Marks) -> Mark:
    states = [marks.states.get(node, "waiting") for node in nodes]
    state = together(states)
    if not box.stacked:
        return Mark(state)
    if len(nodes) == 1:
        return Mark(state, marks.progress.get(nodes[0]))
    if not any(node in marks.states for node in nodes):
        return Mark(state)
    return Mark(state, (sum(state in _OVER for state in states), len(nodes)))
