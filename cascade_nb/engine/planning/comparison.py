"""Compares two runs that are over: what changed between them, what got slower, which values
differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.observing.status import KindStatus, RunStatus
from cascade_nb.engine.planning.rerun_reasons import common_cause, indented
from cascade_nb.engine.reporting.history import EndedNode
from cascade_nb.engine.reporting.report import counts_line
from cascade_nb.graph.fingerprint.content import Unkeyed, content_key
from cascade_nb.graph.fingerprint.provenance import Change, changes
from cascade_nb.graph.fingerprint.text_diff import OTHER_CONTENT
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.protocols.state_backend import StateBackend

_VALUES: Final = 40  # that are looked at, and shown
_NODES: Final = 6
_REPR: Final = 60
# Of an attempt; what differs by less is chance.
_SECONDS: Final = 0.05
_PART: Final = 0.2


class Remembered(NamedTuple):
    """A run that is over, with what is left of it.

    Attributes:
        status: how it stood in the end.
        nodes: its nodes by id; None where they are not remembered any more.
        state: where its results were kept.
    """

    status: RunStatus
    nodes: Mapping[str, EndedNode] | None
    state: StateBackend


class WhatChanged(NamedTuple):
    """One thing that differs in what two runs were made of.

    Attributes:
        words: "`clean` changed, line 3".
        lines: the difference, where it takes more.
        nodes: ids of the nodes of which it is so.
    """

    words: str
    lines: tuple[str, ...]
    nodes: tuple[str, ...]


class Pace(NamedTuple):
    """A task whose attempts took longer, or less long, than before.

    Attributes:
        task: its name.
        before, after: seconds of an attempt, on average.
        attempts: how many there were in the second run.
    """

    task: str
    before: float
    after: float
    attempts: int

    @property
    def words(self) -> str:
        """Of which task, and how much: "train: 2.1 s → 3.4 s each, 12 times"."""
        times = f" each, {self.attempts:,} times" if self.attempts > 1 else ""
        return f"{self.task}: {seconds_text(self.before)} → {seconds_text(self.after)}{times}"


class Differing(NamedTuple):
    """A node whose result is another one.

    Attributes:
        node: its id.
        before, after: both results, short; "not kept" for what is gone.
    """

    node: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is other in a run than in one before it.

    Attributes:
        before, after: how both stood in the end.
        changed: what differs in what they were made of.
        slower, faster: tasks that took longer, and less long; those that matter most first.
        values: nodes whose results differ.
        unkept: how many results would have to be compared, and one of both is not kept.
        left_off: how many results were not compared, as there are too many.
        forgotten: whether the nodes of one of them are not remembered any more.
    """

    before: RunStatus
    after: RunStatus
    changed: tuple[WhatChanged, ...] = ()
    slower: tuple[Pace, ...] = ()
    faster: tuple[Pace, ...] = ()
    values: tuple[Differing, ...] = ()
    unkept: int = 0
    left_off: int = 0
    forgotten: bool = False

    @property
    def title(self) -> str:
        """Which two, and how long they took."""
        took = f"{seconds_text(self.before.elapsed)} → {seconds_text(self.after.elapsed)}"
        return f"Run {self.before.number} → run {self.after.number} of {self.after.title}: {took}"

    @property
    def notes(self) -> list[str]:
        """What cannot be said, in sentences."""
        told = []
        if self.forgotten:
            told.append("What one of them was made of is not remembered any more.")
        if self.unkept:
            what = "result" if self.unkept == 1 else "results"
            told.append(f"{self.unkept:,} {what} cannot be compared: not kept any more.")
        if self.left_off:
            told.append(f"{self.left_off:,} more results were not compared.")
        return told

    def __str__(self) -> str:
        both = (self.before, self.after)
        lines = [self.title]
        lines += [f"  run {one.number}: {one.headline} · {counts_line(one)}" for one in both]
        if not (self.changed or self.forgotten):
            lines.append("Nothing changed in code, arguments and parameters.")
        for one in self.changed:
            lines.append(f"{one.words} · {some_nodes(one.nodes)}")
            lines += indented(one.lines)
        for title, paces in (("Slower:", self.slower), ("Faster:", self.faster)):
            lines += [title, *(f"  {one.words}" for one in paces)] if paces else []
        if self.values:
            lines.append("Other values:")
            lines += [f"  {one.node}: {one.before} → {one.after}" for one in self.values]
        return "\n".join([*lines, *self.notes])


def some_nodes(nodes: tuple[str, ...]) -> str:
    """The first few of some nodes."""
    more = f" and {len(nodes) - _NODES:,} more" if len(nodes) > _NODES else ""
    return ", ".join(nodes[:_NODES]) + more


async def compare(before: Remembered, after: Remembered) -> Comparison:
    """What is other in the second of two runs than in the first; nothing of them is kept by it.

    Raises:
        StateError: results cannot be read where they are kept.
    """
    slower, faster = _paces(before.status.kinds, after.status.kinds)
    known = Comparison(before.status, after.status, slower=slower, faster=faster)
    if before.nodes is None or after.nodes is None:
        return dataclasses.replace(known, forgotten=True)
    old, new = before.nodes, after.nodes
    changed = await run_in_thread(lambda: tuple(_changed(old, new)))
    asked = {
        name: (old[name].made_of.key, node.made_of.key)
        for name, node in new.items()
        if name in old and _is_told(node) and node.done and old[name].done
    }
    # What has the same key is the same, and what has none was not kept.
    asked = {name: keys for name, keys in asked.items() if None in keys or keys[0] != keys[1]}
    shown = dict(list(asked.items())[:_VALUES])
    first = await before.state.values([one for one, _ in shown.values() if one is not None])
    second = await after.state.values([one for _, one in shown.values() if one is not None])
    there = {n: (a, b) for n, (a, b) in shown.items() if a in first and b in second}
    values = await run_in_thread(
        lambda: tuple(
            Differing(name, short_repr(first[a], _REPR), short_repr(second[b], _REPR))
            for name, (a, b) in there.items()
            if a is not None and b is not None and not _same(first[a], second[b])
        )
    )
    return dataclasses.replace(
        known,
        changed=changed,
        values=values,
        unkept=len(shown) - len(there),
        left_off=len(asked) - len(shown),
    )


def _is_told(node: EndedNode) -> bool:
    return node.named and not node.is_param


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same; where they have no key, whether they look the same."""
    keys = content_key(one), content_key(other)
    if any(isinstance(key, Unkeyed) for key in keys):
        return short_repr(one) == short_repr(other)
    return keys[0] == keys[1]


def _changed(
    before: Mapping[str, EndedNode], after: Mapping[str, EndedNode]
) -> Iterator[WhatChanged]:
    found: dict[str, tuple[tuple[str, ...], list[str]]] = {}
    for name, node in after.items():
        if name not in before or node.made_of.key == before[name].made_of.key is not None:
            continue
        for change in changes(before[name].made_of, node.made_of):
            if change.source is None:  # else what it reads is told
                words = _words(name, node, change)
                found.setdefault(words, (change.lines, []))[1].append(name)
    if any(not _is_vague(words) for words in found):  # a list of results, say, of which one changed
        found = {words: what for words, what in found.items() if not _is_vague(words)}
    for words, (lines, nodes) in found.items():
        yield WhatChanged(words, lines, tuple(nodes))
    for words, here, there in (("new", after, before), ("gone", before, after)):
        only = tuple(name for name, node in here.items() if name not in there and node.named)
        if only:
            yield WhatChanged(words, (), only)


def _is_vague(words: str) -> bool:
    return words.endswith(OTHER_CONTENT)


def _words(name: str, node: EndedNode, change: Change) -> str:
    return common_cause(
        name,
        node.task,
        change.words,
        line=change.line,
        of_code=change.of_code,
        is_param=node.is_param,
        named=node.named,
    )[0]


def _paces(
    before: tuple[KindStatus, ...], after: tuple[KindStatus, ...]
) -> tuple[tuple[Pace, ...], tuple[Pace, ...]]:
    """The tasks that took longer for an attempt, and those that took less long."""
    old = {kind.name: kind for kind in before if kind.attempts}
    paces = [
        Pace(kind.name, was.seconds / was.attempts, kind.seconds / kind.attempts, kind.attempts)
        for kind in after
        if kind.attempts and (was := old.get(kind.name)) is not None
    ]
    telling = [
        one for one in paces if abs(one.after - one.before) > max(_SECONDS, _PART * one.before)
    ]
    telling.sort(key=lambda one: -abs(one.after - one.before) * one.attempts)
    slower = tuple(one for one in telling if one.after > one.before)
    return slower, tuple(one for one in telling if one.after < one.before)
