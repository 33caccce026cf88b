"""Takes up a run that another kernel left: its graph, its keys, its constraints, its history."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.run_state import Request
from cascade_nb.engine.reuse.lookup import GraphSnapshot
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.errors import LeaseHeldError, UnknownNameError, UsageError
from cascade_nb.graph.code.code_key import carried_code
from cascade_nb.graph.graph import Graph
from cascade_nb.graph.serialization.graph_pickle import pack_graph, unpack_graph
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.protocols.journal import Journal, Lease, RunRecord
from cascade_nb.text import quoted

OnWait = Callable[[LeaseHeldError], object]

_SLACK: Final = 1.0  # seconds after the end of a lease in which whoever waits for it gets it
_LOOK: Final = 0.25  # seconds between two looks at a lease


@dataclasses.dataclass(frozen=True)
class TakenUp:
    """What a run has that began in another kernel.

    Attributes:
        lease: the right to go on with it.
        keys: by index, by which key each result was to be kept.
        code: by index, a digest of its task's code.
        revision: how often the graph was edited in it.
        since: results made before this moment, in seconds since the epoch, do not count.
        history: what happened so far, an event a line.
    """

    lease: Lease
    keys: Mapping[int, str]
    code: Sequence[str | None]
    revision: int
    since: float
    history: tuple[str, ...]


def order_of(
    graph: Graph, request: Request, keys: Mapping[int, str], since: float
) -> dict[str, Any]:
    """What a run's journal keeps of it, before it begins."""
    return {
        "graph": pack_graph(graph),
        "params": dict(request.params),
        "on_error": request.on_error,
        "keys": [keys.get(node.index) for node in graph.nodes],
        "code": _codes_of(graph),
        "since": since,
    }


async def take_up(
    journal_writer: JournalWriter,
    record: RunRecord,
    manager: ConstraintManager,
    on_wait: OnWait | None = None,
) -> tuple[Graph, Mapping[str, Any], str, TakenUp]:
    """Everything that going on with a run takes: its graph, its parameters, what it does on an
    error, and the rest. Its constraints are in force when this returns.

    Args:
        journal_writer: who writes, and so who will own the run.
        record: which run.
        manager: where the constraints are applied; what is in force already stays as it is.
        on_wait: told once, when another kernel's lease has to run out first.

    Raises:
        UsageError: it was never written down in full.
        LeaseHeldError: another kernel goes on with it.
        StateError: the place cannot be reached or read.
    """
    journal = journal_writer.journal
    lease = await _claimed(journal_writer, record.run_id, on_wait)
    try:
        said = await _order(journal, record)
        graph = await run_in_thread(lambda: unpack_graph(said["graph"]))
        history = await journal.history(record.run_id)
        for constraint in await _constraints(journal, record.run_id):
            apply_again(manager, constraint)
    except BaseException:
        await journal.release(lease)
        raise
    keys = {index: key for index, key in enumerate(said["keys"]) if key is not None}
    taken_up = TakenUp(lease, keys, said["code"], said["revision"], said["since"], tuple(history))
    return graph, said["params"], said["on_error"], taken_up


def changed_since(
    graph: Graph, sight: GraphSnapshot, taken_up: TakenUp
) -> tuple[list[str], frozenset[int]]:
    """The tasks of a run whose code is not what it was when the run was written down, by name, and
    their nodes, with all that come after them. It may read files: not for the loop.
    """
    code = _codes_of(graph)
    roots = [
        node
        for node in graph.nodes
        if code[node.index] != taken_up.code[node.index]
        and sight.prints[node.index] != taken_up.keys.get(node.index)
    ]
    names = list(dict.fromkeys(node.task_name for node in roots))
    return names, frozenset(graph.descendants([node.index for node in roots]))


def _codes_of(graph: Graph) -> list[str | None]:
    known: dict[AnyTask | None, str | None] = {None: None}
    for node in graph.nodes:
        if node.task not in known:
            known[node.task] = carried_code(node.task)
    return [known[node.task] for node in graph.nodes]


def choose(records: Sequence[RunRecord], named: str | None) -> RunRecord:
    """The run that is meant.

    Raises:
        UnknownNameError: there is none.
        UsageError: nothing was left to take up, or several begin so.
    """
    if named is None:
        open_ones = [record for record in records if record.status != "succeeded"]
        if not open_ones:
            there = f"all {len(records)} runs came to their end" if records else "no run is there"
            if len(records) == 1:
                there = f"the only run, {records[0].run_id}, came to its end"
            raise UsageError(f"there is nothing to take up: {there}")
        # What nobody owns was left by a kernel that died; it comes before what was given up.
        return min(open_ones, key=lambda record: (record.status != "running", -record.started))
    if not isinstance(named, str):
        raise UsageError(f"a run is named by its id, or by how that begins, not by {quoted(named)}")
    found = [record for record in records if record.run_id.startswith(named)]
    if not found:
        raise UnknownNameError("run", named, [record.run_id for record in records])
    if len(found) > 1:
        ids = ", ".join(record.run_id for record in found[:5])
        raise UsageError(f"several runs begin with {named!r}: {ids}")
    return found[0]


def apply_again(manager: ConstraintManager, said: Mapping[str, Any]) -> None:
    """Put a constraint that was written down into force, unless one of its holder is already."""
    holder = Holder(**said["holder"])
    left = None if said["expires_at"] is None else said["expires_at"] - manager.clock.wall()
    if (left is not None and left <= 0) or manager.find(said["scope"], said["type"], holder):
        return
    manager.apply(
        said["scope"], said["type"], said["params"], reason=said["reason"], by=holder, ttl=left
    )


async def _claimed(journal_writer: JournalWriter, run_id: str, on_wait: OnWait | None) -> Lease:
    """The lease of a run. A dead owner's is waited for; a living one renews it and keeps it.

    Raises:
        LeaseHeldError: its owner lives.
    """
    until: float | None = None
    while True:
        try:
            return await journal_writer.journal.claim(
                run_id, journal_writer.owner, journal_writer.seconds
            )
        except LeaseHeldError as held:
            now = time.monotonic()
            if until is None:
                until = now + max(0.0, held.left) + _SLACK
                if on_wait is not None:
                    on_wait(held)
            if now >= until:
                raise
            await asyncio.sleep(min(_LOOK, max(0.01, held.left)))


async def _order(journal: Journal, record: RunRecord) -> Mapping[str, Any]:
    try:
        said: Mapping[str, Any] = await journal.read(record.run_id, "order")
    except KeyError:
        try:
            why = await journal.read(record.run_id, "refused")
        except KeyError:
            why = "what was written down of it may not be read"
        raise UsageError(
            f"{record.title} ({record.run_id}) cannot be taken up: {why}; run its cells again, "
            "its results are reused"
        ) from None
    return said


async def _constraints(journal: Journal, run_id: str) -> Sequence[Mapping[str, Any]]:
    try:
        found: Sequence[Mapping[str, Any]] = await journal.read(run_id, "constraints")
    except KeyError:
        return ()
    return found
