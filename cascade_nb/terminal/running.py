"""`cascade-nb run` and `attach`: a run with nobody at it, its progress in lines, its outcome as
exit code.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.control.words import left_text, seconds_text
from cascade_nb.defaults import default_engine, state_of
from cascade_nb.door.opening import DOOR
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import Phase, RunStatus
from cascade_nb.engine.reporting.report import counts_line, summary_lines
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import LeaseHeldError, UsageError
from cascade_nb.events.bus import Subscription
from cascade_nb.executors.resolve import NAMES
from cascade_nb.grammar.arguments import HelpAskedError
from cascade_nb.grammar.values import priority_of
from cascade_nb.graph.graph import Graph
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.shortcuts.what_is_kept import use_state
from cascade_nb.terminal.keeping import place_of, what_is_missing
from cascade_nb.terminal.output import (
    CANCELLED,
    DONE,
    FAILED,
    INTERRUPTED,
    TOLD_TO_END,
    complain,
    prints_of_others_aside,
    say,
    say_json,
)
from cascade_nb.terminal.targets import (
    Place,
    graph_of,
    module_place,
    parameter_lines,
    split_target,
)

EVERY: Final = 2.0  # seconds between two lines of progress
_LOOK: Final = 0.1
_VALUE: Final = 200
_CODES: Final = {Phase.SUCCEEDED: DONE, Phase.FAILED: FAILED, Phase.CANCELLED: CANCELLED}


def run(given: Namespace) -> int:
    """Run a target, and wait for its end."""
    with prints_of_others_aside(given.json):
        place, graph, params = meant(given)
        on = executor_of(place, given.on)

        def start(engine: Engine) -> Run:
            return engine.start(
                graph,
                params=params,
                bindings=place.bindings,
                on_error=given.on_error,
                fresh=given.fresh,
                share=given.share,
                on=on,
                priority=priority_of(given.priority),
            )

        DOOR.title = given.target
        try:
            return follow(start, given.json, split_target(given.target)[1])
        finally:
            DOOR.title = ""


def meant(given: Namespace) -> tuple[Place, Graph, dict[str, Any]]:
    """What a command is about: where that is, its graph, its parameters. What it finds there uses
    the state that was given, whatever is said there.

    Raises:
        UsageError: it is nowhere, it is not clear what, or it cannot be run.
        ParamError: a parameter is unknown or does not fit.
    """
    where, name = split_target(given.target)
    state = None if given.state is None else state_of(given.state)
    place = _place(where, name, with_state=state is None)
    if state is not None:
        use_state(state)
    return place, *graph_of(place, where, name, given.param)


def executor_of(place: Place, word: str | None) -> Any:
    """What is meant by a word behind `--on`: an executor of the module, or else the word."""
    if word is None or word in NAMES:
        return word
    with contextlib.suppress(UsageError):  # which the engine refuses, with the nearest word
        return place.find(word)
    return word


def help_of(text: str, usual: str) -> HelpAskedError:
    """The help of `run` with the parameters of what would run.

    Args:
        text: what is to run.
        usual: the help without them.
    """
    where, name = split_target(text)
    with prints_of_others_aside(True):
        place = _place(where, name)
        if not name and len(place.names) != 1:
            listed = "\n".join(f"  {where}:{one}" for one in place.names) or "  nothing"
            return HelpAskedError(f"{usual}\n\nwhat can be run:\n{listed}")
        lines = parameter_lines(place, where, name)
    told = "\n".join(lines) if lines else "  none"
    return HelpAskedError(f"{usual}\n\nparameters of {text}:\n{told}")


def follow(start: Callable[[Engine], Run], as_json: bool, name: str = "") -> int:
    """Start a run, tell how it goes until it is over, and give the exit code.

    Args:
        start: starts it.
        as_json: whether its events are told, a line of JSON each, instead of progress.
        name: what its value is called; by default as the run is.
    """
    engine = default_engine()
    heard = engine.bus.subscribe() if as_json else None
    begun = start(engine)
    with _told_to_end() as asked:
        code = _wait(begun, heard, asked)
    status = begun.status
    code = code or _CODES[status.phase]
    value = "" if begun.exception() is not None else short_repr(begun.result(), _VALUE)
    if heard is None:
        complain(*summary_lines(status))
        if value:
            say(f"{name or status.title} = {value}")
        return code
    engine.bus.flush()
    _tell(heard)
    heard.close()
    outcome = {
        "event": "Outcome",
        "run_id": begun.id,
        "status": status.phase.value,
        "headline": status.headline,
        "value": value or None,
        "exit": code,
    }
    say_json(outcome)
    return code


def _wait(run: Run, heard: Subscription | None, asked: list[int]) -> int:
    """Wait until a run is over, and tell how it goes.

    Args:
        run: it.
        heard: its events, where these are told; else its progress is.
        asked: gets the exit code when this process is to end.

    Returns:
        the exit code, where something else than the run's outcome says it; else 0.
    """
    over = threading.Event()
    run.add_done_callback(lambda _: over.set())
    code, told, last = DONE, time.monotonic(), ""
    questions: set[str] = set()
    while not over.is_set():
        try:
            over.wait(_LOOK)
            if asked and not code:
                code = asked[0]
                run.interrupt()
            if heard is not None:
                _tell(heard)
            elif time.monotonic() - told >= EVERY:
                status = run.status
                line = progress_line(status)
                if line != last:
                    complain(line)
                new = [one for one in status.questions if one.name not in questions]
                complain(*(f"{one.words}; `{one.command}` answers it" for one in new))
                questions.update(one.name for one in new)
                told, last = time.monotonic(), line
        except KeyboardInterrupt:
            if code == INTERRUPTED:  # once more: whoever waits for its end waits no longer
                raise
            code = INTERRUPTED
            run.interrupt()
    return code


def _tell(heard: Subscription) -> None:
    for event in heard.drain():
        say(event.to_json())


@contextlib.contextmanager
def _told_to_end() -> Iterator[list[int]]:
    """Gets an exit code when this process is told to end, by Ctrl-C or as cron's and a container's
    owner do it. An exception, which may come anywhere, could be taken for one of the user's code,
    that is asked for a text just then, and be lost; the second Ctrl-C is one.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def interrupted(*_: object) -> None:
        if INTERRUPTED in asked:
            raise KeyboardInterrupt
        asked.append(INTERRUPTED)

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: asked.append(TOLD_TO_END))}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupted)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def progress_line(status: RunStatus) -> str:
    """How a run goes, in a line."""
    so_far = f"{seconds_text(status.elapsed)}{left_text(status.remaining)}"
    return " · ".join([status.title, status.headline, counts_line(status), so_far])


def attach(given: Namespace) -> int:
    """Go on with a run whose process is gone."""
    url = place_of(given.state, "attach --state")
    if (missing := what_is_missing(url)) is not None:
        raise UsageError(f"there is no {missing}, so that no run can be taken up from there")
    use_state(url)
    if (here := str(Path.cwd())) not in sys.path:  # where its modules may be
        sys.path.insert(0, here)

    def start(engine: Engine) -> Run:
        graph, request, run_id = on_own_loop(engine.take_up(given.run, on_wait=_wait_for))
        return engine.begin(graph, request, run_id)

    with prints_of_others_aside(given.json):
        return follow(start, given.json)


def _wait_for(held: LeaseHeldError) -> None:
    """A lease has to run out first: say so, rather than seem to hang."""
    complain(f"{held}; waiting for that …")


def _place(where: str, name: str, *, with_state: bool = True) -> Place:
    """Where the target is.

    Raises:
        UsageError: it is nowhere, or cannot be read.
    """
    if where.endswith(".ipynb"):
        from cascade_nb.notebook.headless import (  # noqa: PLC0415 - IPython for notebooks alone
            read_notebook,
        )

        with prints_of_others_aside(True):
            found = read_notebook(Path(where), name, with_state=with_state)
        return Place(found.names, found.target, found.bindings)
    return module_place(where)
