"""`cascade-nb state`: what is kept at a place for results, and which runs are recorded there."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from typing import Any

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.control.words import count_text, size_text
from cascade_nb.defaults import STATE_VARIABLE, default_engine, state_of
from cascade_nb.errors import UsageError
from cascade_nb.grammar.tables import kept_in_words, runs_in_words
from cascade_nb.model.options.caching import checked_older
from cascade_nb.shortcuts.what_is_kept import clean, use_state
from cascade_nb.terminal.output import DONE, say, say_json


def what_is_missing(url: str) -> str | None:
    """The file that a place for results would be, where it is not there; None where it is. To look
    at one is not to make it: its name may be mistyped.

    Raises:
        UsageError: nobody can read the URL.
    """
    state = state_of(url)
    return None if getattr(state, "is_there", True) else state.where.removeprefix("the ")


def place_of(given: str | None, command: str) -> str:
    """The URL of the place for results, as it was given or as the environment says.

    Raises:
        UsageError: neither says one.
    """
    url = given or os.environ.get(STATE_VARIABLE)
    if not url:
        raise UsageError(
            f"say where results are kept, as in `cascade-nb {command} sqlite:///results.db`, or "
            f"have {STATE_VARIABLE} say it"
        )
    return url


def _nothing(given: Namespace) -> dict[str, Any]:
    """What is said of a place that is not there."""
    return {"results": 0, "size": 0} if given.clean else {"kept": [], "runs": []}


def tell_state(given: Namespace) -> int:
    """Say what is kept there, or remove what is old.

    Raises:
        UsageError: no place is named.
        StateError: it cannot be reached.
    """
    if given.older is not None and not given.clean:
        raise UsageError("--older goes with --clean, which removes results")
    url = place_of(given.url, "state")
    older = checked_older(given.older)
    if (missing := what_is_missing(url)) is not None:
        if given.json:
            say_json({**_nothing(given), "where": f"the {missing}"})
        else:
            say(f"There is no {missing}: nothing is kept there yet.")
        return DONE
    use_state(url)
    engine = default_engine()
    if given.clean:
        cleaned = clean(older)
        if given.json:
            say_json({**cleaned._asdict(), "where": engine.state.where})
        else:
            what = f"{count_text(cleaned.results, 'result')}, {size_text(cleaned.size)}"
            say(f"Removed {what}." if cleaned.results else "Nothing was to be removed.")
        return DONE
    usage = on_own_loop(engine.usage())
    recorded = [] if engine.journal_writer is None else on_own_loop(engine.recorded())
    if given.json:
        kept = [one._asdict() for one in usage]
        runs = [one._asdict() for one in recorded]
        say_json({"where": engine.state.where, "kept": kept, "runs": runs})
        return DONE
    now = time.time()
    say(*kept_in_words(engine.state.where, usage, now).splitlines())
    say(*runs_in_words(recorded, now, "cascade-nb").splitlines())
    return DONE
