"""Records what a result was made of, small enough to be kept, and compares two such records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cascade_nb.file_stamps import files_at, stamp_of
from cascade_nb.graph.code.code_key import CodeKey
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints
from cascade_nb.graph.fingerprint.text_diff import (
    changed_line,
    changers,
    source_difference,
    value_difference,
)
from cascade_nb.graph.graph import FREE, Graph
from cascade_nb.graph.values.atoms import digest, text
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.lazy import Lazy


class InputRecord(NamedTuple):
    """One thing that a node was given.

    Attributes:
        name: "argument rows", "file data.csv", "version".
        digest: of its content; "" where it has no key.
        shown: as a person can read it.
        source: the id of the node whose result it is, or None for a value.
    """

    name: str
    digest: str
    shown: str
    source: str | None = None


class Provenance(NamedTuple):
    """What one result was made of.

    Attributes:
        key: the node's fingerprint, if it had one.
        code: of its task, shared by all nodes of the task; None for a router.
        given: arguments, files and version.
    """

    key: str | None
    code: CodeKey | None
    given: tuple[InputRecord, ...]


class Change(NamedTuple):
    """One thing that differs.

    Attributes:
        words: what follows "its" in a sentence: "helper _trim changed", "argument k changed:
            1 → 2".
        lines: the difference, where it takes more than that.
        source: the id of the node whose result is another one, where that is the change.
        line: of the function that changed, the first that did; 0 where no function's text did.
        of_code: whether the task's code is what differs, and not what one node was given.
    """

    words: str
    lines: tuple[str, ...] = ()
    source: str | None = None
    line: int = 0
    of_code: bool = False


def provenance_of(graph: Graph, prints: Fingerprints, index: int) -> Provenance:
    """What the result of node `index` is made of, for code and data as `prints` found them.

    It looks at files named by a cache rule, and may hash arguments: not for the loop.

    Args:
        graph: which has the node.
        prints: its fingerprints.
        index: of the node.
    """
    node = graph.nodes[index]
    what = "" if node.task is None else "argument "  # a parameter's value, a router's selector
    given = [_given(graph, prints, what + name, value) for name, value in prints.given(index)]
    if node.control is not FREE:
        for number, source in enumerate(node.control.order, 1):
            known, before = prints.read[source], graph.nodes[source].id
            key = "" if known is None else known.hex()
            given.append(InputRecord(f"step before it ({number})", key, before, before))
    code = prints.code(index)
    if code is not None and code.environment:
        for name, value in prints.variables(index).items():  # a secret, perhaps: it is not shown
            given.append(InputRecord(f"environment variable {name}", digest(text(value)).hex(), ""))
    if node.task is not None and node.task.version is not None:
        given.append(InputRecord("version", node.task.version, node.task.version))
    cache = node.options.cache
    if cache is not None and cache.version is not None:
        given.append(InputRecord("cache version", cache.version, cache.version))
    if cache is not None and node.task is None:
        files = (file for rule in cache.files for file in files_at(rule))
        given += [InputRecord(f"file {name}", stamp_of(name, young=False), "") for name in files]
    return Provenance(prints[index], code, tuple(given))


def changes(before: Provenance, after: Provenance) -> list[Change]:
    """What differs between two makings of one node: code first, then what it was given."""
    code: list[Change] = []
    if before.code is not None and after.code is not None:
        code = code_changes(before.code, after.code)
    return [*code, *_given_changes(before, after)]


def code_changes(before: CodeKey, after: CodeKey) -> list[Change]:
    """What differs between two states of a task's code."""
    if before.digest == after.digest:
        return []
    old, new = before.parts, after.parts
    was, now = (next(filter(_is_function, parts), "") for parts in (old, new))
    if was != now and was and now:  # another function: its parts say nothing about the first one's
        return [Change(f"task is {_titled(now)} now, not {_titled(was)}", of_code=True)]
    found = [
        _part_changed(part, before, after) for part, key in new.items() if old.get(part, key) != key
    ]
    come = [part for part in new if part not in old]
    gone = {_unversioned(part): part for part in old if part not in new}
    for part in come:
        twin = gone.pop(_unversioned(part), None)
        words = "is new" if twin is None else f"changed: {_version(twin)} → {_version(part)}"
        found.append(Change(f"{_called(_unversioned(part))} {words}"))
    found += [Change(f"{_called(part)} is gone") for part in gone]
    return [change._replace(of_code=True) for change in found]


def _is_function(part: str) -> bool:
    return part.startswith("function ")


def _titled(part: str) -> str:
    return part.partition(" ")[2]


def _unversioned(part: str) -> str:
    """The name of a part; an installed package has its version in it: "module numpy 2.4.6"."""
    return " ".join(part.split(" ")[:2]) if part.startswith("module ") else part


def _version(part: str) -> str:
    return part.rsplit(" ", maxsplit=1)[-1]


def _part_changed(part: str, before: CodeKey, after: CodeKey) -> Change:
    name = _called(part)
    old, new = before.values.get(part), after.values.get(part)
    if old is not None and new is not None:
        difference = value_difference(old.text, new.text)
        if old.object and old.object == new.object:
            return Change(f"{name} was changed in place: {difference}", _who(part, after))
        return Change(f"{name} changed: {difference}")
    if part in before.sources and part in after.sources:
        lines = source_difference(before.sources[part], after.sources[part])
        if lines:
            line = changed_line(before.sources[part], after.sources[part])
            return Change(f"{name} changed", lines, line=line)
        return Change(f"{name} names something else than before")
    return Change(f"{name} changed")


def _who(part: str, code: CodeKey) -> tuple[str, ...]:
    """Who changes a constant in place, and what to do about it."""
    name = part.partition(" ")[2].partition("#")[0].rpartition(".")[2]
    for label, source in code.sources.items():
        for statement in changers(source, name) if name.isidentifier() else ():
            return (
                f"`{statement}` in {label} changes it each time that it runs, so no earlier result",
                "ever stands; give it as an argument, and return what is to be added",
            )
    return (
        "whatever changes it gives all that names it a new fingerprint; bind it anew where it is",
        "made, or give it as an argument",
    )


def _given(graph: Graph, prints: Fingerprints, name: str, value: object) -> InputRecord:
    if isinstance(value, Lazy):
        source = graph.nodes[graph.place[value.identity]]
        return InputRecord(name, prints.key_of(value), source.id, source.id)
    return InputRecord(name, prints.key_of(value), short_repr(value))


def _given_changes(before: Provenance, after: Provenance) -> Iterator[Change]:
    old = {given.name: given for given in before.given}
    for given in after.given:
        was = old.pop(given.name, None)
        if was is None:
            yield Change(f"{given.name} is new", source=given.source)
        elif was.digest != given.digest or not given.digest:
            yield _value_changed(was, given)
    yield from (Change(f"{name} is gone") for name in old)


def _value_changed(was: InputRecord, given: InputRecord) -> Change:
    if given.source is not None and was.source == given.source:
        return Change(
            f"{given.name}, the result of {given.source}, is another", source=given.source
        )
    if not given.shown and not was.shown:
        return Change(f"{given.name} changed")
    return Change(
        f"{given.name} changed: {value_difference(was.shown, given.shown)}", source=given.source
    )


def _called(part: str) -> str:
    """How a sentence calls a part of the code after "its"."""
    kind, _, title = part.partition(" ")
    return "code" if kind == "function" else f"{kind} {title}"
