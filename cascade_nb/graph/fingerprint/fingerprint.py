"""Makes the fingerprint of each node: one key of its code, its arguments and everything upstream.

Two nodes with the same fingerprint give the same result, as far as code and data can tell, so that
one's result may stand for the other's: later in the session, after an edit, in another kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, NewType

from cascade_nb.graph.code.code_key import CodeKey, reference
from cascade_nb.graph.fingerprint.content import Unkeyed, key_with, whole
from cascade_nb.graph.fingerprint.draws import Draws
from cascade_nb.graph.fingerprint.large_arguments import LargeArguments
from cascade_nb.graph.fingerprint.own_writes import OwnWrites
from cascade_nb.graph.fingerprint.task_calls import (
    NO_TASK,
    TaskKey,
    arguments,
    call_bytes,
    check,
    map_bytes,
    named_variables,
    obstacle,
    task_key,
    with_rules,
)
from cascade_nb.graph.fingerprint.twins import Twins
from cascade_nb.graph.fingerprint.unkeyed import NEW_EACH_TIME, Gap, UnkeyedNodes, UpstreamError
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.values.atoms import ATOMS, DIGEST_SIZE, CannotKeyError, digest
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.arguments.inputs import CALLS
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import PLAIN, Lazy
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.model.routing import Router, route_name

Fingerprint = NewType("Fingerprint", str)  # 32 hexadecimal digits


class Fingerprints(Sequence["Fingerprint | None"]):
    """The fingerprints of a graph's nodes by index, and None for a node that has none.

    They tell of code and data as these were when they were made.

    Attributes:
        read: by index, what a node's readers build on, and None where they cannot; it differs from
            the node's own key where more than its call decides what they get.
        gaps: why some have none.
        own: what counts as it was before, since tasks themselves changed it.
    """

    def __init__(self, graph: Graph, params: Mapping[str, Any], own: OwnWrites) -> None:
        self._graph, self._params, self.own = graph, params, own
        # Marked as what a node's readers take into their own; digits are made of what is asked for.
        self._keys: list[bytes | None] = []
        self.gaps = UnkeyedNodes(graph)
        self.read: list[bytes | None] = []
        self._tasks: dict[AnyTask | None, TaskKey] = {None: NO_TASK}
        self._twins = Twins(graph.place, self.read, reference, self._lazy)
        self._large, self._draws = LargeArguments(graph), Draws()
        self._seen: Encoder | None = Encoder(reference, self._lazy, self._large.seen)
        self._key_all()

    def __getitem__(self, index: Any) -> Any:
        found = self._keys[index]
        return [*map(_in_digits, found)] if isinstance(found, list) else _in_digits(found)

    def __iter__(self) -> Iterator[Fingerprint | None]:
        return map(_in_digits, self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def why_not(self, index: int) -> str | None:
        """Why node `index` has no fingerprint; see `UnkeyedNodes.why_not`."""
        return self.gaps.why_not(index)

    def forget_values(self) -> None:
        """Keep no bytes of the graph's values any more: these may change from now on."""
        self._seen = None

    def code(self, index: int) -> CodeKey | None:
        """The key of the code that node `index` runs; None for a parameter or a router."""
        task = self._graph.nodes[index].task
        return None if task is None else self._task(task).code

    def codes(self) -> dict[str, CodeKey]:
        """The key of the code of each task, by a name that no other task has."""
        found: dict[str, CodeKey] = {}
        twice: set[str] = set()
        for task, key in self._tasks.items():
            if task is not None:
                known = found.setdefault(task.name, key.code)
                if known.digest != key.code.digest:
                    twice.add(task.name)
        return {name: code for name, code in found.items() if name not in twice}

    def since(self) -> OwnWrites:
        """What its tasks change from now on."""
        return OwnWrites(self._tasks, frozenset(self.own.reset))

    def key_of(self, value: Any) -> str:
        """A digest of an argument's content, or of what is known of a lazy one; "" without one."""
        key = key_with(self._encoder(), value)
        return "" if isinstance(key, Unkeyed) else digest(key).hex()

    def of_items(
        self, index: int, items: Sequence[Mapping[str, Any]]
    ) -> list[Fingerprint | Unkeyed]:
        """The keys of a mapped node's items, for the values that they have.

        The items count by content, what is fixed for all as the graph knows it. An item's key is
        that of a plain call, so that what is put in front of others costs no more than it.

        Args:
            index: of a mapped node.
            items: for each item the values of the parameters that are gone through.
        """
        node = self._graph.nodes[index]
        assert isinstance(node.lazy, MappedLazyResult), "only a mapped node has items"
        encoder, fixed = self._encoder(), node.lazy.fixed
        placed = node.task.placed  # type: ignore[union-attr]
        found = [self._late(node, encoder, *placed({**fixed, **item})) for item in items]
        return self._draws.items_apart(node, found) if self._task(node.task).doubtful else found

    def _late(
        self, node: Node, encoder: Encoder, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Fingerprint | Unkeyed:
        key = self._task(node.task)
        try:
            self._large.check(node.index)
            check(key)
            said = call_bytes(key, encoder, args, kwargs)
            if self._twins.among(node.lazy.inputs):
                said += self._twins.told_apart(lambda one: call_bytes(key, one, args, kwargs))
            raw = self._in_order(node, with_rules(digest(said), node.options.cache, node.task))
            return Fingerprint(raw.hex())
        except CannotKeyError as error:
            gap = self._blame(error, list(arguments(key, args, kwargs)), encoder)
            return Unkeyed("this call", self.gaps.story(gap))

    def _key_all(self) -> None:
        """Key every node; what a node reads comes before it."""
        encoder, large = self._encoder(), self._large
        encode, place, read, tasks = encoder.encode, self._graph.place, self.read, self._tasks
        for node in self._graph.nodes:
            lazy = node.lazy
            try:
                if large.changed:
                    large.check(node.index)
                key = tasks.get(node.task) or self._task(node.task)
                if lazy.__class__ is LazyResult and not lazy.kwargs and key.most >= len(lazy.args):
                    # nearly every node of a large graph: what `call_bytes` gives, without its calls
                    parts, several = [key.prefix], 0
                    for value in lazy.args:
                        kind = value.__class__
                        if kind in ATOMS:
                            parts.append(ATOMS[kind](value))
                        elif kind in CALLS:
                            parts.append(read[place[value.identity]] or self._lazy(value))
                        else:
                            parts.append(encode(value))
                            several += 1
                    if key.tails:
                        parts.append(key.tails[len(lazy.args)])
                    if several > 1:
                        parts.append(encoder.across(lazy.args))
                    said, alike = b"".join(parts), several or len({*parts}) < len(parts)
                else:
                    said, alike = self._bytes(node, encoder), True
                if alike and len(lazy.inputs) > 1 and self._twins.among(lazy.inputs):
                    said += self._twins.told_apart(partial(self._bytes, node))
                if key.doubtful:
                    said += self._draws.apart(node, said)
                raw = blake2b(said, digest_size=DIGEST_SIZE).digest()
                if lazy.options is not PLAIN:
                    raw = self._in_order(node, with_rules(raw, lazy.options.cache, node.task))
            except CannotKeyError as error:
                self.gaps.own[node.index] = self._blame(error, self.given(node.index), encoder)
                self._keys.append(None)
                read.append(None)
            else:
                marked = b"<" + raw
                self._keys.append(marked)
                read.append(marked)
            if lazy.options is not PLAIN:
                self._as_read(node)
        large.keep(encoder)

    def _bytes(self, node: Node, encoder: Encoder) -> bytes:
        """The bytes of a node of any kind."""
        lazy, key = node.lazy, self._task(node.task)
        check(key)
        if isinstance(lazy, LazyResult):
            return call_bytes(key, encoder, lazy.args, lazy.kwargs)
        if isinstance(lazy, MappedLazyResult):
            return map_bytes(key, encoder, lazy.collections, lazy.fixed, lazy.how)
        if isinstance(lazy, Router):
            routes = [encoder.encode(key) + encoder.encode(r) for key, r in lazy.routes.items()]
            return b"router" + encoder.encode(lazy.selector) + b"".join(sorted(routes))
        assert isinstance(lazy, Param), f"an unknown kind of node: {lazy!r}"
        if not self._known(lazy):
            raise CannotKeyError("a parameter", "value is known only once a run is given one")
        return b"param" + encoder.encode(lazy.value_in(self._params))

    def _as_read(self, node: Node) -> None:
        """What the readers of a node build on, where it is not just the node's key.

        Whether a node is skipped decides what its readers do, so its condition, and what stands for
        its result where that is false, are in their keys, though not in its own. A task with
        effects may give another result each time, so that nothing can be built on its key.
        """
        index, condition, own = node.index, node.control.condition, self.read[node.index]
        if condition is None and node.control.wanted:
            if not node.options.reuse:
                self.read[index] = None
                self.gaps.read[index] = NEW_EACH_TIME
            return
        self.read[index] = None
        decides = b"" if condition is None else self.read[condition]
        if decides is None:
            self.gaps.read[index] = Gap("", condition)
        elif decides and not node.options.reuse:
            self.gaps.read[index] = NEW_EACH_TIME
        elif own is not None or not decides:
            try:
                instead = self._instead(node.options.otherwise)
                # what never runs does not count
                said = instead if own is None or not decides else own + decides + instead
                self.read[index] = b"<" + digest(b"if" + said)
            except CannotKeyError as error:
                given = [("otherwise", node.options.otherwise)]
                self.gaps.read[index] = self._blame(error, given, self._encoder())

    def _instead(self, otherwise: Any) -> bytes:
        """The bytes of what stands for a skipped result."""
        return b"" if otherwise is NO_ELSE else b"else" + self._encoder().encode(otherwise)

    def _in_order(self, node: Node, raw: bytes) -> bytes:
        """The key of a node that comes after others: `raw` is what it would be without them.

        Raises:
            CannotKeyError: one of them gives nothing to build a key on.
        """
        control = node.control
        if not control.after and not control.follows:
            return raw
        parts = [raw]
        for tag, sources in ((b"after", control.after), (b"follows", control.follows)):
            known = [self.read[source] for source in sources]
            if None in known:
                raise UpstreamError(sources[known.index(None)], "comes after")
            parts += [tag, *sorted(set(filter(None, known)))]
        return digest(b"".join(parts))

    def _task(self, task: AnyTask | None) -> TaskKey:
        if (key := self._tasks.get(task)) is None:
            assert task is not None, "what has no task has a key from the start"
            key = self._tasks[task] = self.own.key(task, task_key(task, self._encoder()))
        return key

    def given(self, index: int) -> list[tuple[str, Any]]:
        """Name and value of all that node `index` was given."""
        node = self._graph.nodes[index]
        lazy = node.lazy
        if isinstance(lazy, LazyResult) and node.task is not None:
            return list(arguments(self._task(node.task), lazy.args, lazy.kwargs))
        if isinstance(lazy, MappedLazyResult):
            ignored = self._task(node.task).ignored
            every = (*lazy.collections.items(), *lazy.fixed.items())
            return [(name, value) for name, value in every if name not in ignored]
        if isinstance(lazy, Router):
            routes = [(route_name(key), route) for key, route in lazy.routes.items()]
            return [("selector", lazy.selector), *routes]
        assert isinstance(lazy, Param), f"an unknown kind of node: {lazy!r}"
        return [("value", lazy.value_in(self._params))] if self._known(lazy) else []

    def variables(self, index: int) -> Mapping[str, str]:
        """The environment variables that the arguments of node `index` name and its code reads."""
        node = self._graph.nodes[index]
        if node.task is None or not self._task(node.task).code.environment:
            return NOTHING
        return named_variables(self._task(node.task), (), dict(self.given(index)))

    def _known(self, param: Param) -> bool:
        """Whether a parameter has a value in this run."""
        return param.default is not REQUIRED or param.name in self._params

    def _blame(
        self, error: CannotKeyError, given: Sequence[tuple[str, Any]], encoder: Encoder
    ) -> Gap:
        """Which of the arguments `given` is in the way."""
        if isinstance(error, UpstreamError) and error.verb != "reads":
            return Gap("", error.source, error.verb)
        for name, value in given:
            cause = obstacle(encoder, value)
            if isinstance(cause, UpstreamError):
                return Gap("", cause.source)
            if cause is not None:
                return Gap(f"argument {name} ({whole(value, cause)}) cannot be keyed: {cause.why}")
        return Gap(error.why)

    def _encoder(self) -> Encoder:
        return self._seen or Encoder(reference, self._lazy, self._large.seen)

    def _lazy(self, lazy: Lazy) -> bytes:
        index = self._graph.place.get(lazy.identity)
        if index is None:  # it came into a container after the call was made
            raise CannotKeyError(f"the lazy value {lazy.label}", "it is no part of this graph")
        known = self.read[index]
        if known is None:
            raise UpstreamError(index)
        return known


def fingerprints(
    graph: Graph, params: Mapping[str, Any] = NOTHING, before: Fingerprints | None = None
) -> Fingerprints:
    """The fingerprint of each node of `graph`, for code and data as they are now.

    A node's fingerprint covers the code of its task (`code_key`), the task's version, its arguments
    by content (`content_key`) and, where they are results of nodes, those nodes' fingerprints; what
    it comes after counts like an argument. How a call was written does not count (by place or by
    name), nor do names, tags, retries, timeouts and resource needs. A parameter counts by the value
    that it has in this run, a router by its selector and all its routes. A condition, and the value
    where it is false, are in the keys of what reads the node that it decides about.

    It reads files' times and sizes, and hashes large data: call it in a thread, not on the loop.

    Args:
        graph: what will run.
        params: the values that the run is given.
        before: those of the run that goes on; what its tasks changed themselves is no edit.

    Raises:
        ParamError: a value of `params` does not fit its parameter's type.
    """
    return Fingerprints(graph, params, OwnWrites() if before is None else before.since())


def _in_digits(key: bytes | None) -> Fingerprint | None:
    return None if key is None else Fingerprint(key[1:].hex())
