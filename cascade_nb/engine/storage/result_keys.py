"""Chooses the keys by which the results of a run are kept.

A result that has a fingerprint is kept by it, and stands for every later node with the same one.
One that has none (its argument cannot be keyed, or it is new each time) is kept, where states last,
by its place in this very run: only whoever takes up the run finds it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine.files.kept_files import KeptFiles
from cascade_nb.engine.reuse.expiry import ExpiryBound
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints
from cascade_nb.graph.graph import Graph, Node, NodeKind
from cascade_nb.model.copying.isolation import come_again, each_its_own
from cascade_nb.protocols.state_backend import StateBackend

_NONE: Final[Mapping[int, str]] = {}


class Standing(NamedTuple):
    """A result that stands for an item, and the files that it was made of."""

    value: Any
    files: Stamps


class Keys:
    """The keys of one run.

    Args:
        run_id: the run.
        graph: what runs.
        of: by index, the keys by fingerprint.
        prints: what they come from, if anything.
        journal_writer: where the run is written down, if it is.
        since: results made before this moment, in seconds since the epoch, do not count.
        revision: how often the graph was edited since the run began.
        known: by index, keys under which results are that stand, whatever `of` says.
        written: for whoever took the run up, the revision whose items' keys are written down …
        anew: … but for those of these nodes, whose code is not what it was.
        partial: names of tasks of whose maps items may be kept; None: they always are.

    Attributes:
        of: by index, for each node whose result is worth keeping.
        floors: by index, before which moment results are too old.
    """

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        of: Mapping[int, str],
        prints: Fingerprints | None,
        journal_writer: JournalWriter | None,
        since: float,
        revision: int = 0,
        *,
        known: Mapping[int, str] = _NONE,
        written: int | None = None,
        anew: Collection[int] = (),
        partial: Collection[str] | None = None,
    ) -> None:
        self._run_id = run_id
        self._prints = prints
        self._journal_writer = journal_writer
        self._since = since
        self._revision = revision
        self._written = written
        self._anew = anew
        self._partial = partial
        self.floors: Mapping[int, ExpiryBound] = {}
        self.of = {**of, **known}
        if journal_writer is not None:
            # A place of its own for each revision: a node may be another now at the same index.
            for node in graph.nodes:
                if node.index not in self.of and node.kind is not NodeKind.PARAM:
                    self.of[node.index] = f"{run_id}/{revision}.{node.index}"

    def for_items(self, node: Node) -> bool:
        """Whether items of a mapped node may be there, or are kept one by one."""
        if self._prints is None or self._partial is None:
            return self._prints is not None
        return node.task_name in self._partial and node.options.reuse and self._since != math.inf

    def enter(self, items: Sequence[int], keys: Sequence[str]) -> None:
        """A mapped node has these items, whose results are worth keeping by these keys."""
        self.of.update(
            (item, key)
            for item, key in zip(items, keys, strict=False)
            if self._partial is None or "/" not in key  # only who takes up the run asks for those
        )

    async def of_items(self, node: Node, columns: Mapping[str, list[Any]]) -> list[str]:
        """The keys of a mapped node's items, in order.

        An item's key is that of a call with the same arguments, so that an item which was put in
        front of others costs no more than what is new. They are written down before the first item
        starts: whoever takes up the run may know the arguments, but not the code as it was.

        Raises:
            StateError: they cannot be read or written down now.
        """
        keys: list[str] = []
        if self._written is not None and node.index not in self._anew:
            assert self._journal_writer is not None
            part = f"items.{self._written}.{node.index}"
            with contextlib.suppress(KeyError):  # the run had not come so far
                keys = await self._journal_writer.journal.read(self._run_id, part)
            if keys and self._written == self._revision:
                return keys
        count = len(next(iter(columns.values())))
        if len(keys) != count:
            keys = await run_in_thread(lambda: self._made(node, columns, count))
        if self._journal_writer is not None:
            await self._journal_writer.note(
                self._run_id, f"items.{self._revision}.{node.index}", keys
            )
        return keys

    async def standing(
        self, index: int, keys: Sequence[str], state: StateBackend
    ) -> dict[int, Standing]:
        """The results of a node, or of items of one, that are there and count, by position.

        Raises:
            StateError: the place cannot be read.
        """
        if self._since == math.inf:
            return {}
        floor = self.floors.get(index)
        since = self._since if floor is None else max(self._since, floor.moment)
        known = await state.known(keys)
        there = {key for key in keys if key in known and known[key].made >= since}
        files = KeptFiles(known, dict(enumerate(keys)))
        there.difference_update(keys[n] for n in await files.outdated())
        values = await state.values(list(there)) if there else {}
        found = {n: values[key] for n, key in enumerate(keys) if key in values}
        if again := come_again(found, dict(enumerate(keys))):
            found.update(await run_in_thread(lambda: each_its_own(found, again)))
        return {n: Standing(value, known[keys[n]].files) for n, value in found.items()}

    def _made(self, node: Node, columns: Mapping[str, list[Any]], count: int) -> list[str]:
        place = f"{self._run_id}/{self._revision}.{node.index}"
        own = [f"{place}/{position}" for position in range(count)]
        if self._prints is None or not node.options.reuse:
            return own
        items = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        found = self._prints.of_items(node.index, items)
        return [key if isinstance(key, str) else own[n] for n, key in enumerate(found)]
