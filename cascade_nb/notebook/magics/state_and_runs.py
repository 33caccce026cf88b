"""`%cascade state`, `runs` and `attach`: results and runs that outlive this kernel."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.control.words import ago, count_text, seconds_text, size_text
from cascade_nb.defaults import state_of
from cascade_nb.engine.observing.history import EndedRun
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.errors import LeaseHeldError, UsageError
from cascade_nb.kept import Usage
from cascade_nb.model.options.caching import checked_older
from cascade_nb.notebook.magics.launching import present
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.protocols import RunRecord

_SHOWN: Final = 20
_UNKNOWN: Final = "(unknown task)"


def keep_in(session: Session, given: Namespace, awaited: bool) -> Any:
    """Say where results are kept, keep them elsewhere, or remove some."""
    if given.older is not None and not given.clean:
        raise UsageError("--older goes with --clean, which removes results")
    if given.clean and given.url is not None:
        raise UsageError("--clean removes from the place where results are kept now; give no URL")
    if given.url is None:
        older = checked_older(given.older)
        return _done(_clean(session, older) if given.clean else _tell(session), awaited)
    state = state_of(given.url)

    async def move() -> None:
        await session.engine.use_state(state)
        say(f"From now on results are kept in {state.where}.")

    return _done(move(), awaited)


def tell_runs(session: Session, _given: Namespace, awaited: bool) -> Any:
    """List the runs of this kernel's memory, and what is written down."""
    here = here_in_words(
        [run.status for run in session.live_runs()],
        [one for engine in session.engines for one in engine.history.runs],
        session.engine.clock.wall(),
    )
    if session.engine.journal_writer is None:
        where = "They are only in this kernel's memory; `%cascade state sqlite:///results.db`"
        say(f"{here}\n{where} keeps results and runs.")
        return None

    async def tell() -> None:
        recorded = runs_in_words(await session.engine.recorded(), time.time())
        say(f"{here}\n\nWritten down in {session.engine.state.where}:\n{recorded}")

    return _done(tell(), awaited)


def here_in_words(live: list[RunStatus], ended: list[EndedRun], now: float) -> str:
    """A table of this kernel's runs, latest first; `now` is in seconds since the epoch."""
    latest = sorted(ended, key=lambda one: -one.started)
    rows = [(status, "goes on") for status in live]
    rows += [(one.status, ago(now - one.started)) for one in latest]
    if not rows:
        return "Nothing was run in this kernel yet."
    shown = _below_their_own(rows)
    titles = [
        f"{'  ' * (depth - 1)}{'↳ ' if depth else ''}{status.title} "
        f"({count_text(status.total, 'node')})"
        for depth, status, _ in shown[:_SHOWN]
    ]
    width = max(map(len, titles))
    lines = [
        f"  {status.number:>3}  {status.run_id}  {title:<{width}}  {when:>14}  {status.headline}"
        for (_, status, when), title in zip(shown, titles, strict=False)
    ]
    if len(rows) > _SHOWN:
        lines.append(f"  … and {count_text(len(rows) - _SHOWN, 'run')} before these")
    return "\n".join(["Runs of this kernel:", *lines])


def _below_their_own(rows: list[tuple[RunStatus, str]]) -> list[tuple[int, RunStatus, str]]:
    """The same, those that a task of another has started below that one, with how deep."""
    known = {status.run_id for status, _ in rows}
    inside: dict[str | None, list[tuple[RunStatus, str]]] = {}
    for row in rows:
        parent = row[0].parent
        inside.setdefault(parent if parent in known else None, []).append(row)
    found: list[tuple[int, RunStatus, str]] = []
    left = [(0, *row) for row in reversed(inside.get(None, []))]
    while left:
        depth, status, when = left.pop()
        found.append((depth, status, when))
        left += [(depth + 1, *row) for row in inside.get(status.run_id, [])]
    return found


def go_on(session: Session, given: Namespace, awaited: bool) -> Any:
    """Take up a run, and show its panel."""
    engine = session.engine
    if not awaited:
        graph, orders, run_id = on_own_loop(engine.take_up(given.run, on_wait=_wait_for))
        begin = partial(engine.begin, graph, orders)
        return present(session, begin, run_id, wait=given.wait)

    async def attach() -> Any:
        graph, orders, run_id = await engine.take_up(given.run, on_wait=_wait_for)
        begin = partial(engine.begin, graph, orders)
        shown = present(session, begin, run_id, wait=given.wait, awaited=True)
        return await shown if isinstance(shown, Coroutine) else shown

    return attach()


def runs_in_words(records: list[RunRecord], now: float) -> str:
    """A table of runs, latest first.

    Args:
        records: the runs.
        now: in seconds since the epoch.
    """
    if not records:
        return "No run is written down here yet."
    lines = [_line(record, now) for record in records[:_SHOWN]]
    width = max(len(title) for _, title, _, _ in lines)
    table = [
        f"  {run_id}  {title:<{width}}  {begun:>14}  {how}" for run_id, title, begun, how in lines
    ]
    more = len(records) - _SHOWN
    if more > 0:
        table.append(f"  … and {count_text(more, 'run')} before these")
    left = [record for record in records if _is_left(record)]
    if left:
        table.append(f"`%cascade attach {left[0].run_id[:4]}` goes on with {left[0].title}.")
    return "\n".join(table)


async def _tell(session: Session) -> None:
    say(kept_in_words(session.engine.state.where, await session.engine.usage(), time.time()))


async def _clean(session: Session, older: float | None) -> None:
    cleaned = await session.engine.clean(older)
    if cleaned.results:
        size = size_text(cleaned.size)
        say(f"Removed {count_text(cleaned.results, 'result')}, {size}.")
    elif older is None:
        say("Nothing has expired. `%cascade state --clean --older 30d` removes what is unused.")
    elif older:
        say(f"Nothing was unused for {seconds_text(older)}.")
    else:
        say("There are no results to remove.")


def kept_in_words(where: str, usage: list[Usage], now: float) -> str:
    """Where results are kept, and a table of what takes how much.

    Args:
        where: the place, as the end of "results are kept in …".
        usage: by task, the largest first.
        now: in seconds since the epoch.
    """
    if not usage:
        return f"Results are kept in {where}. There are none yet."
    results, size = sum(one.results for one in usage), sum(one.size for one in usage)
    lines = [f"Results are kept in {where}: {count_text(results, 'result')}, {size_text(size)}."]
    shown = usage[:_SHOWN]
    width = max(len(one.task or _UNKNOWN) for one in shown)
    lines += [
        f"  {one.task or _UNKNOWN:<{width}}  {size_text(one.size):>9}"
        f"  {count_text(one.results, 'result'):>14}  used {ago(now - one.used)}"
        for one in shown
    ]
    more = len(usage) - _SHOWN
    if more > 0:
        lines.append(f"  … and {count_text(more, 'task')} with less")
    return "\n".join(lines)


def _wait_for(held: LeaseHeldError) -> None:
    """A lease has to run out first: say so, rather than seem to hang."""
    say(
        f"This run was last in the hands of {held.owner}. If that is gone, its claim ends in "
        f"{seconds_text(max(1.0, held.left))}, and it goes on here …"
    )


def _line(record: RunRecord, now: float) -> tuple[str, str, str, str]:
    if record.status != "running":
        how = record.status
    elif _is_left(record):
        how = f"left by {record.owner}"
    else:
        how = f"goes on in {record.owner}, for {seconds_text(record.lease_left)} at least"
    size = count_text(record.total, "node")
    return record.run_id, f"{record.title} ({size})", ago(now - record.started), how


def _is_left(record: RunRecord) -> bool:
    return record.status == "running" and record.lease_left <= 0


def _done(work: Coroutine[Any, Any, None], awaited: bool) -> Any:
    return work if awaited else on_own_loop(work)
