"""Hears what the page sends: that somebody looks, and what was clicked. In any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.holders import the_user
from cascade_nb.errors import CascadeError
from cascade_nb.notebook.panel.answers import give_answer

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run
    from cascade_nb.notebook.drawer.desk import Desk
    from cascade_nb.notebook.panel.unfolding import Unfolding


class TellsPage(Protocol):
    """Tells the page how the run stands."""

    def hello(self) -> None:
        """Somebody looks now, and knows nothing."""

    def watch(self, visible: bool) -> None:
        """The panel can be seen, or not any more."""

    def tell(self, **more: Any) -> None:
        """Say what changed, and `more`."""


class PageMessages:
    """Does what the page of one run's panel asks for.

    Args:
        run: whose panel it is.
        panel: tells the page.
        portal: the way to the kernel's loop.
        desk: answers what is asked about single nodes.
        unfolding: opens and closes groups of the picture.
    """

    def __init__(
        self, run: Run, panel: TellsPage, portal: LoopPortal, desk: Desk, unfolding: Unfolding
    ) -> None:
        self._run, self._panel, self._portal = run, panel, portal
        self._desk, self._unfolding = desk, unfolding

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take a message; what means nothing does nothing."""
        match message:
            case {"type": "hello"}:
                self._panel.hello()
            case {"type": "watch", "visible": bool(visible)}:
                self._panel.watch(visible)
            case {
                "type": "hold",
                "scope": str(scope),
                "on": bool(on),
                "page": str(page),
                "seq": int(seq),
            }:
                self._answer(page, seq, lambda: self._hold(scope, on))
            case {
                "type": "lift",
                "scope": str(scope),
                "kind": str(kind),
                "page": str(page),
                "seq": int(seq),
            }:
                self._answer(page, seq, lambda: self._lift(scope, kind))
            case {"type": "cancel", "page": str(page), "seq": int(seq)}:
                # On the loop, which has to end it anyway.
                self._portal.call(lambda: self._answer(page, seq, self._cancel))
            case {
                "type": "answer",
                "run": str(run_id),
                "name": str(name),
                "value": value,
                "page": str(page),
                "seq": int(seq),
            }:
                self._answer(page, seq, lambda: give_answer(self._run, run_id, name, value))
            case {"type": "node" | "timeline" | "output" | "find"}:
                self._desk.hear(message)
            case {"type": "fold"}:
                self._unfolding.hear(message)

    def _hold(self, scope: str, on: bool) -> None:
        where = None if scope == "run" else scope
        # Whoever clicks is a person, also where the kernel works for a program or an agent.
        (self._run.pause if on else self._run.resume)(where, by=the_user())

    def _lift(self, scope: str, kind: str) -> None:
        self._run.engine.constraints.lift(scope, kind, by=the_user(), exactly=True)

    def _cancel(self) -> None:
        self._run.cancel("cancelled from the panel")

    def _answer(self, page: str, seq: int, ask: Callable[[], object]) -> None:
        """Do what was asked, and acknowledge it with the run's own state, whatever came of it. The
        clicks of each page have numbers of their own.
        """
        error = None
        try:
            ask()
        except CascadeError as refused:
            error = str(refused)
        self._panel.tell(ack=seq, page=page, error=error)
