"""`cascade-nb watch`: how runs go, again and again, until they are over."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final, Protocol

from cascade_nb.door.callers import Caller, new_request
from cascade_nb.door.discovery import Neighbours, ask_all, neighbours
from cascade_nb.door.known_runs import is_called
from cascade_nb.errors import UnknownNameError
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.terminal.asked import Answer, who
from cascade_nb.terminal.output import DONE, NOBODY, complain, say, say_json
from cascade_nb.terminal.seen_runs import ENDED, Rates, SeenRun, run_line

LOOK_AROUND: Final = 10.0  # seconds after which new processes are looked for


class View(Protocol):
    """Shows runs."""

    def show(self, runs: list[SeenRun]) -> None:
        """Show how they stand now."""


class Watch:
    """Asks all processes, or one, how their runs stand.

    Args:
        run: a run's number or how its id begins; None for all.
    """

    def __init__(self, run: str | None) -> None:
        self._run = run
        self._found = Neighbours([], [])
        self._looked = -LOOK_AROUND
        self._rates = Rates()
        self._ids: set[str] = set()

    def look(self) -> tuple[list[SeenRun], list[Answer]]:
        """The runs that go on and those that did when one looked last, and the answers.

        Raises:
            UnknownNameError: there is no such run.
        """
        now = time.monotonic()
        if now - self._looked > LOOK_AROUND:
            self._found, self._looked = neighbours(), now
        answers = self._ask()
        seen = []
        known: list[str] = []
        for answer in answers:
            for run in answer.get("runs", ()):
                known.append(str(run["number"]))
                meant = self._run is None or is_called(run["number"], run["run_id"], self._run)
                is_new = run["run_id"] not in self._ids
                if not meant or (is_new and self._run is None and run["phase"] in ENDED):
                    continue
                self._ids.add(run["run_id"])
                rates = self._rates.of(run, now)
                seen.append(SeenRun(who(answer), run, rates, answer.get("in_force", [])))
        if self._run is not None and not seen and not self._ids:
            raise UnknownNameError("run", self._run, known, "" if known else "; nothing is running")
        return seen, answers

    def _ask(self) -> list[Answer]:
        """What all answer, and of runs that were seen and are over how they ended."""
        gone: list[str] = []
        told = _asked(self._found.callers, "status", {}, gone)
        answers = [answer for _, answer in told]
        going = {run["run_id"] for answer in answers for run in answer.get("runs", ())}
        wanted = {*self._ids, *([self._run] if self._run is not None else [])} - going
        for caller, _ in told:
            for run in wanted:
                answers += [one for _, one in _asked([caller], "status", {"run": run}, gone)]
        return answers


def _asked(
    callers: list[Caller], do: str, given: dict[str, Any], gone: list[str]
) -> list[tuple[Caller, Answer]]:
    told = ask_all(callers, new_request(do, given), gone)
    return [(caller, answer) for caller, answer in told if answer["ok"]]


def watch(given: Namespace) -> int:
    """Tell how runs go until they are over; a run that was named gives its outcome as exit code."""
    every = seconds_of(given.every)
    looked = Watch(given.run)
    seen, answers = looked.look()
    if not any(not one.is_over for one in seen) and given.run is None:
        return _nothing(given.json)
    last: list[SeenRun] = seen
    with _view(given.json) as view:
        while True:
            if given.json:
                say_json({"time": time.time(), "answers": answers})
            else:
                view.show(seen)
            if all(one.is_over for one in seen):
                break
            time.sleep(every)
            last = seen
            seen, answers = looked.look()
    return _outcome(seen or last) if given.run is not None else DONE


def _outcome(seen: list[SeenRun]) -> int:
    """The exit code of a run that was named."""
    run = seen[0].run
    if run["phase"] not in ENDED:
        complain(f"the process of run {run['run_id']} is gone; how the run ended is not known")
    return ENDED.get(run["phase"], NOBODY)


def _nothing(as_json: bool) -> int:
    if as_json:
        say_json({"ok": False, "error": "nothing is running", "exit": NOBODY})
    else:
        complain("nothing is running")
    return NOBODY


@contextlib.contextmanager
def _view(as_json: bool) -> Iterator[View]:
    """A picture that is painted anew where somebody sits at a terminal and `rich` is there; else
    lines.
    """
    if as_json or not sys.stdout.isatty():
        yield Lines()
        return
    try:
        from cascade_nb.terminal.live_view import (  # noqa: PLC0415 - it is an extra
            live_view,
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        yield Lines()
        return
    with live_view() as view:
        yield view


class Lines:
    """Tells what changed, a line each; see `View`."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show(self, runs: list[SeenRun]) -> None:
        """Say those that changed."""
        for one in runs:
            line = run_line(one)
            key = one.run["run_id"]
            if self._told.get(key) != line:
                self._told[key] = line
                clock = time.strftime("%H:%M:%S")
                say(f"{clock} {line}")
            for held in one.in_force:
                scope = held.partition(", since")[0]
                if self._told.get(f"{key} {scope}") is None:
                    self._told[f"{key} {scope}"] = ""
                    say(f"         in force: {held}")
