"""`%cascade state`, `runs` and `attach`: results and runs that outlive this kernel."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Coroutine
from functools import partial
from typing import Any

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.control.words import count_text, seconds_text, size_text
from cascade_nb.defaults import state_of
from cascade_nb.errors import LeaseHeldError, UsageError
from cascade_nb.grammar.tables import kept_in_words, runs_in_words
from cascade_nb.model.options.caching import checked_older
from cascade_nb.notebook.magics.launching import present
from cascade_nb.notebook.overview.comparing import compared
from cascade_nb.notebook.overview.in_words import here_in_words
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say


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


def tell_runs(session: Session, given: Namespace, awaited: bool) -> Any:
    """List the runs of this kernel's memory, and what is written down; or compare two of them."""
    if given.before is not None:
        if given.after is None:
            raise UsageError("two runs are compared, so give two numbers: `%cascade runs 6 7`")
        before, after = session.status_named(given.before), session.status_named(given.after)

        async def tell_difference() -> None:
            say(str(await compared(session, before.run_id, after.run_id)))

        return _done(tell_difference(), awaited)
    here = here_in_words(session)
    if session.engine.journal_writer is None:
        where = "They are only in this kernel's memory; `%cascade state sqlite:///results.db`"
        say(f"{here}\n{where} keeps results and runs.")
        return None

    async def tell() -> None:
        recorded = runs_in_words(await session.engine.recorded(), time.time())
        say(f"{here}\n\nWritten down in {session.engine.state.where}:\n{recorded}")

    return _done(tell(), awaited)


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


def _wait_for(held: LeaseHeldError) -> None:
    """A lease has to run out first: say so, rather than seem to hang."""
    say(
        f"This run was last in the hands of {held.owner}. If that is gone, its claim ends in "
        f"{seconds_text(max(1.0, held.left))}, and it goes on here …"
    )


def _done(work: Coroutine[Any, Any, None], awaited: bool) -> Any:
    return work if awaited else on_own_loop(work)
