"""Sends a question to the processes of this user that can be asked, and gathers their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cascade_nb.door.callers import Caller, new_request
from cascade_nb.door.discovery import Neighbours, Silent, ask_all, neighbours
from cascade_nb.door.known_runs import is_called
from cascade_nb.errors import UnknownNameError, UsageError

Answer = dict[str, Any]
Among = Callable[[], Neighbours]  # finds those that can be asked: of this machine, or on a broker


class Asked(NamedTuple):
    """Who answered what.

    Attributes:
        answers: each with who gave it.
        skipped: who did not answer, and why.
    """

    answers: list[tuple[Caller, Answer]]
    skipped: list[str]

    @property
    def good(self) -> list[Answer]:
        """Those that refuse nothing."""
        return [answer for _, answer in self.answers if answer["ok"]]

    @property
    def refused(self) -> list[Answer]:
        """Those that refuse."""
        return [answer for _, answer in self.answers if not answer["ok"]]


def ask(callers: Iterable[Caller], skipped: list[str], do: str, given: Mapping[str, Any]) -> Asked:
    """Ask some."""
    return Asked(ask_all(callers, new_request(do, given), skipped), skipped)


def ask_everybody(do: str, given: Mapping[str, Any], among: Among = neighbours) -> Asked:
    """Ask whoever is there."""
    found = among()
    return ask(found.callers, found.skipped, do, given)


def ask_those_with(
    run: str | None,
    do: str,
    given: Mapping[str, Any],
    *,
    live: bool,
    among: Among = neighbours,
) -> Asked:
    """Ask those whose runs are meant.

    Args:
        run: a run's number or id, whose process is asked alone.
        do, given: the question.
        live: whether only those are meant in which something runs, where no run is named.
        among: finds those that can be asked.

    Raises:
        UnknownNameError: nobody has such a run.
        UsageError: several have.
    """
    said = ask_everybody("runs", {}, among)
    if run is None:
        meant = [caller for caller, it in said.answers if it["ok"] and (it["live"] or not live)]
        return ask(meant, said.skipped, do, given)
    having = [
        (caller, one)
        for caller, it in said.answers
        for one in it.get("runs", ())
        if is_called(one["number"], one["run_id"], run)
    ]
    going = [(caller, one) for caller, one in having if one["started"] is None] or having
    if not going:
        known = [str(one["number"]) for _, it in said.answers for one in it.get("runs", ())]
        silent = [f"; but {one}" for one in said.skipped if isinstance(one, Silent)]
        ending = silent[0] if silent else "" if known else "; nothing is running"
        raise UnknownNameError("run", run, known, ending)
    if len(going) > 1:
        ids = ", ".join(f"{one['run_id']} ({one['title']})" for _, one in going)
        raise UsageError(f"several runs are called {run}, so say which by its id: {ids}")
    caller, one = going[0]
    return ask([caller], said.skipped, do, {**given, "run": one["run_id"]})


def who(answer: Answer) -> str:
    """Who has answered."""
    process = answer.get("process") or {}
    where = process.get("source") or f"process {process.get('pid')}"  # that of another machine
    return f"{process.get('kind')} {process.get('title')} ({where})"
