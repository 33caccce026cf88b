"""Tells what a user edited from what the tasks of a run changed themselves, such as a counter of
theirs.

What code writes is in its key as long as it reads it, so that a key changes by the work itself. For
later runs that is right. Within the run it is no edit: what was done stands, and is not done twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from cascade_nb.graph.code.code_key import CodeKey, code_key
from cascade_nb.graph.effects.effects import effects_of
from cascade_nb.graph.effects.global_writes import written_name
from cascade_nb.graph.fingerprint.task_calls import TaskKey
from cascade_nb.model.lazy.any_task import AnyTask

_VALUES: Final = ("constant ", "default ", "closure ", "attribute ")
_WORD: Final = re.compile(r"\w+")


class CodeChanges(NamedTuple):
    """Tasks whose code is not what it was.

    Attributes:
        edited: those of which somebody changed something.
        rewritten: those of which only differs what tasks write themselves.
    """

    edited: frozenset[AnyTask]
    rewritten: frozenset[AnyTask] = frozenset()


class OwnWrites:
    """What the tasks of a run changed themselves since their keys were made.

    Args:
        before: their keys.
        reset: the tasks of which the user changed since what they had changed.

    Attributes:
        counted: the tasks whose key of before counts.
        reset: the tasks of which the user changes from now on what they had changed.
    """

    def __init__(
        self,
        before: Mapping[AnyTask | None, TaskKey] | None = None,
        reset: Collection[AnyTask] = (),
    ) -> None:
        self._before, self._reset = before or {}, reset
        self.reset: set[AnyTask] = set()
        self.counted: set[AnyTask] = set()
        self._written: frozenset[str] | None = None

    def key(self, task: AnyTask, now: TaskKey) -> TaskKey:
        """The key that counts of a task whose key is this by now: the one of before, where all that
        differs was written by tasks.
        """
        before = self._before.get(task)
        if before is None or before.code.parts == now.code.parts:
            return now
        if task in self._reset or not self._is_own(before.code, now.code):
            return now
        self.counted.add(task)
        return before

    def changes(self) -> CodeChanges:
        """What changed of all of them until now. It may read files: not for the loop."""
        now = {t: code_key(t) for t in self._before if t is not None}
        others = {t for t, code in now.items() if code.parts != self._before[t].code.parts}
        others_own = others.difference(self._reset)
        own = frozenset(t for t in others_own if self._is_own(self._before[t].code, now[t]))
        return CodeChanges(frozenset(others) - own, own)

    def _is_own(self, before: CodeKey, now: CodeKey) -> bool:
        one, other = before.parts, now.parts
        if one.keys() != other.keys() or before.unkeyed != now.unkeyed:
            return False
        if self._written is None:
            self._written = _written_by(t for t in self._before if t is not None)
        differ = [label for label in one if one[label] != other[label]]
        return all(
            label.startswith(_VALUES) and not self._written.isdisjoint(_WORD.findall(label)[1:])
            for label in differ
        )


def _written_by(tasks: Iterable[AnyTask]) -> frozenset[str]:
    """The names of the variables that tasks write."""
    names = (written_name(kind) for task in tasks for kind in effects_of(task).states)
    return frozenset(filter(None, names))
