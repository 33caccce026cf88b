"""`cascade-nb watch`: how runs go, again and again, until they are over."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Final, Protocol

from cascade_nb.door.answers import MOST_WAIT
from cascade_nb.door.asked import Among, Answer, who
from cascade_nb.door.callers import PATIENCE, Caller, new_request
from cascade_nb.door.discovery import Neighbours, Silent, ask_each, neighbours
from cascade_nb.door.known_runs import is_called
from cascade_nb.door.protocol import Request
from cascade_nb.errors import UnknownNameError
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.terminal.output import DONE, NOBODY, complain, say, say_json
from cascade_nb.terminal.remote.place import asked_at, nobody_at
from cascade_nb.terminal.seen_runs import ENDED, Rates, SeenRun, run_line

LOOK_AROUND: Final = 10.0  # seconds after which new processes are looked for
STATUS: Final = new_request("status", {})
RUNS: Final = new_request("runs", {})


class View(Protocol):
    """Shows runs."""

    def show(self, runs: list[SeenRun]) -> None:
        """Show how they stand now."""


class Watch:
    """Asks all processes how their runs stand, or one about one run.

    Args:
        run: a run's number or how its id begins; None for all that go on.
        among: finds those that can be asked.
    """

    def __init__(self, run: str | None, among: Among = neighbours) -> None:
        self._run, self._among = run, among
        self._found = Neighbours([], [])
        self._looked = -LOOK_AROUND
        self._rates = Rates()
        self._of: dict[str, Caller] = {}
        self._seen: dict[str, SeenRun] = {}
        self._gone: set[str] = set()
        self._silent: list[str] = []

    @property
    def silent(self) -> list[str]:
        """Who is there and said nothing, and why, each in a line."""
        return [one for one in self._silent if isinstance(one, Silent)]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to what was seen."""
        return all(one.is_over or name in self._gone for name, one in self._seen.items())

    def look(self) -> list[SeenRun]:
        """The runs that go on, and how those stood last that did.

        Raises:
            UnknownNameError: there is no such run.
        """
        now = time.monotonic()
        if now - self._looked > LOOK_AROUND:
            self._found, self._looked = self._among(), now
        self._silent = [one for one in self._found.skipped if isinstance(one, Silent)]
        told = _asked([(caller, STATUS) for caller in self._found.callers], skipped=self._silent)
        for caller, answer in told:
            for run in answer.get("runs", ()):
                is_known = run["run_id"] in self._of
                if is_known or (self._is_meant(run) and run["phase"] not in ENDED):
                    self._take(caller, answer, run)
        if self._run is not None and not self._seen:
            self._find_ended(told)
        self._ask_for_the_rest(told)
        return list(self._seen.values())

    def rest(self, seconds: float) -> None:
        """Wait so long, or until a run is over: how it ended is heard even of a process that ends
        with it.
        """
        asked = [
            (self._of[name], new_request("wait", {"run": name, "seconds": min(seconds, MOST_WAIT)}))
            for name, one in self._seen.items()
            if not one.is_over and name not in self._gone
        ]
        for caller, answer in _asked(asked, seconds + PATIENCE):
            for run in answer.get("runs", ()):
                if run["run_id"] in self._of:
                    self._take(caller, answer, run)

    def _is_meant(self, run: Answer) -> bool:
        return self._run is None or is_called(run["number"], run["run_id"], self._run)

    def _take(self, caller: Caller, answer: Answer, run: Answer) -> None:
        name = run["run_id"]
        self._of[name] = caller
        rates = self._rates.of(run, time.monotonic())
        self._seen[name] = SeenRun(who(answer), run, rates, answer.get("in_force", []))

    def _take_first(self, caller: Caller, answer: Answer) -> None:
        """Of an answer about one run; whoever is on a broker may say that there is none."""
        for run in answer["runs"][:1]:
            self._take(caller, answer, run)

    def _find_ended(self, told: list[tuple[Caller, Answer]]) -> None:
        """A run that was named may be over.

        Raises:
            UnknownNameError: there is none.
        """
        known: list[str] = []
        for caller, answer in _asked([(caller, RUNS) for caller, _ in told]):
            for run in answer.get("runs", ()):
                known.append(str(run["number"]))
                if self._is_meant(run) and not self._seen:
                    asked = new_request("status", {"run": run["run_id"]})
                    for _, one in _asked([(caller, asked)]):
                        self._take_first(caller, one)
        if not self._seen:
            raise UnknownNameError("run", self._run, known, "" if known else "; nothing is running")

    def _ask_for_the_rest(self, told: list[tuple[Caller, Answer]]) -> None:
        """How those ended that are not among the runs that go on any more."""
        answered = {caller.place for caller, _ in told}
        told_of = {run["run_id"] for _, answer in told for run in answer.get("runs", ())}
        for name, one in self._seen.items():
            if one.is_over or name in told_of:
                continue
            if self._of[name].place not in answered:
                self._gone.add(name)
                continue
            asked = new_request("status", {"run": name})
            for caller, answer in _asked([(self._of[name], asked)]):
                self._take_first(caller, answer)


def _asked(
    questions: list[tuple[Caller, Request]],
    patience: float = PATIENCE,
    skipped: list[str] | None = None,
) -> list[tuple[Caller, Answer]]:
    told = ask_each(questions, [] if skipped is None else skipped, patience)
    return [(caller, answer) for caller, answer in told if answer["ok"]]


def watch(given: Namespace) -> int:
    """Tell how runs go until they are over; a run that was named gives its outcome as exit code."""
    every = seconds_of(given.every)
    with asked_at(given) as among:
        return _watch(given, Watch(given.run, among), every)


def _watch(given: Namespace, looked: Watch, every: float) -> int:
    seen = looked.look()
    if not seen:
        silent = looked.silent
        here = f"nothing is seen to run: {silent[0]}" if silent else "nothing is running"
        return _nothing(given.json, nobody_at(given, here))
    with _view(given.json) as view:
        while True:
            if given.json:
                runs = [{**one.run, "process": one.who, "rates": one.rates} for one in seen]
                say_json({"time": time.time(), "runs": runs})
            else:
                view.show(seen)
            if looked.is_over:
                break
            looked.rest(every)
            seen = looked.look()
    return _outcome(seen) if given.run is not None else DONE


def _outcome(seen: list[SeenRun]) -> int:
    """The exit code of a run that was named."""
    run = seen[0].run
    if run["phase"] not in ENDED:
        complain(f"the process of run {run['run_id']} is gone; how the run ended is not known")
    return ENDED.get(run["phase"], NOBODY)


def _nothing(as_json: bool, words: str) -> int:
    if as_json:
        say_json({"ok": False, "error": words, "exit": NOBODY})
    else:
        complain(words)
    return NOBODY


@contextlib.contextmanager
def _view(as_json: bool) -> Iterator[View]:
    """A picture that is painted anew where somebody sits at a terminal and `rich` is there; else
    lines.
    """
    if as_json or sys.stdout is None or not sys.stdout.isatty():
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
