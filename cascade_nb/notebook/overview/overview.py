"""The panel of all runs of a kernel: it shows what goes on and what was, and asks for what is
clicked.

There is one of a kernel, however often and in however many browsers it is shown, so that all of
them show the same. It looks at the runs only while somebody looks at it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.constraint import TYPES
from cascade_nb.control.holders import the_user
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.notebook.kernel.shims import ClickDelivery, LaunchingCell
from cascade_nb.notebook.overview.comparing import compared
from cascade_nb.notebook.overview.facts import Json, OverviewFacts, comparison_facts, news_since
from cascade_nb.notebook.overview.in_words import HEAD
from cascade_nb.notebook.overview.widget import RunsWidget
from cascade_nb.notebook.session import Session
from cascade_nb.shortcuts.everywhere import pause, resume

#: Seconds between two looks while something goes on, and while nothing does.
OFTEN: Final = 0.5
SELDOM: Final = 2.0

_BUSY: Final = "The running cell holds the kernel: clicks arrive when it awaits or ends."


class Overview:
    """Make it on the kernel's loop.

    Args:
        session: whose runs it shows.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._facts = OverviewFacts(session)
        self._loop = asyncio.get_running_loop()
        self._portal = LoopPortal(self._loop)
        self._cell = LaunchingCell()
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}
        self._rows: dict[str, Json] = {}
        self._seen = False
        self._timer: asyncio.TimerHandle | None = None
        self._at_work: set[asyncio.Task[None]] = set()
        self.widget = RunsWidget(self._everything, self.hear)
        self._clicks = ClickDelivery(self.widget.comm)
        self._hears_busy = False

    def show(self) -> None:
        """Show it below the current cell, once more if it is shown already."""
        self.widget.show()
        self._look()

    # ---- telling the browser ---------------------------------------------------------------------

    def _everything(self) -> dict[str, Any]:
        """For browsers that ask late."""
        with self._lock:
            self._rows = self._facts.rows()
            self._told = self._fields()
            return {
                **self._told,
                "rows": self._rows,
                "twin": HEAD,
                "busyWords": _BUSY,
                **self._now(),
            }

    def _fields(self) -> dict[str, Any]:
        """Everything but the rows and the time."""
        constraints = self._facts.constraints()
        held = any(one["scope"] == "global" and one["kind"] == "pause" for one in constraints)
        return {"order": list(self._rows), "constraints": constraints, "held": held}

    def _now(self) -> dict[str, float]:
        return {"time": round(self._session.engine.clock.wall(), 1)}

    def tell(self, **more: Any) -> None:
        """Say what changed, and `more`; nothing if there is neither."""
        with self._lock:
            before, self._rows = self._rows, self._facts.rows()
            fields, self._told = self._told, self._fields()
            news = {name: new for name, new in self._told.items() if _is_news(fields, name, new)}
            rows = news_since(before, self._rows)
            if rows:
                news["rows"] = rows
            if news or more:
                self.widget.send({"type": "patch", **news, **self._now(), **more})

    def _look(self) -> None:
        """Say what changed, and look again in a while. On the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self.tell()
            self._take_clicks()
        finally:  # one message that cannot be sent is the loop's to report, and not the last
            if self._seen:
                wait = OFTEN if self._session.live_runs() else SELDOM
                self._timer = self._loop.call_later(wait, self._look, context=self._cell.context)

    def _take_clicks(self) -> None:
        """Have clicks come while a cell is busy, as long as there is something to click on."""
        wanted = self._seen and bool(self._session.live_runs())
        if wanted is not self._hears_busy:
            self._hears_busy = wanted
            (self._clicks.install if wanted else self._clicks.undo)()

    # ---- hearing the browser: in any thread ------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take a message; what means nothing does nothing."""
        match message:
            case {"type": "hello"}:
                self.widget.send({"type": "patch", **self._everything()})
            case {"type": "watch", "visible": bool(visible)}:
                self._seen = visible
                self._portal.call(self._look)
            case {
                "run": str(run),
                "type": "hold",
                "on": bool(on),
                "page": str(page),
                "seq": int(seq),
            }:
                self._answer(page, seq, lambda: self._hold(run, on))
            case {"run": str(run), "type": "cancel", "page": str(page), "seq": int(seq)}:
                # On the loop, which has to end it anyway.
                self._portal.call(lambda: self._answer(page, seq, lambda: self._cancel(run)))
            case {
                "type": "lift",
                "scope": str(scope),
                "kind": str(kind),
                "page": str(page),
                "seq": int(seq),
            } if kind in TYPES:
                self._answer(page, seq, lambda: self._lift(scope, kind))
            case {
                "type": "compare",
                "before": str(before),
                "after": str(after),
                "page": str(page),
                "seq": int(seq),
            }:
                self._portal.call(lambda: self._compare_soon(page, seq, before, after))

    def _hold(self, run: str, on: bool) -> None:
        """Hold or let go of one run, or of everything."""
        if run:
            one = self._run(run)
            (one.pause if on else one.resume)(by=the_user())
        else:
            (pause if on else resume)(by=the_user())

    def _lift(self, scope: str, kind: str) -> None:
        """Lift what one row shows, in every engine."""
        for engine in self._session.engines:
            engine.constraints.lift(scope, kind, by=the_user(), exactly=True)

    def _cancel(self, run: str) -> None:
        self._run(run).cancel("cancelled from the panel of all runs")

    def _run(self, run_id: str) -> Run:
        for run in self._session.live_runs():
            if run.id == run_id:
                return run
        raise UsageError("that run is over")

    def _answer(self, page: str, seq: int, ask: Callable[[], object]) -> None:
        """Do what was asked, and acknowledge it with how things stand, whatever came of it."""
        error = None
        try:
            ask()
        except CascadeError as refused:
            error = str(refused)
        self.tell(ack=seq, page=page, error=error)

    def _compare_soon(self, page: str, seq: int, before: str, after: str) -> None:
        task = begin_task(self._compare(page, seq, before, after), self._loop)
        self._at_work.add(task)  # the loop itself holds a task only weakly
        task.add_done_callback(self._at_work.discard)

    async def _compare(self, page: str, seq: int, before: str, after: str) -> None:
        answer: dict[str, Any] = {
            "type": "compared",
            "page": page,
            "before": before,
            "after": after,
        }
        try:
            found = await compared(self._session, before, after)
            answer["comparison"] = comparison_facts(found)
        except CascadeError as refused:
            answer["error"] = str(refused)
        self.widget.send(answer)
        self.tell(ack=seq, page=page, error=None)


def _is_news(told: Mapping[str, Any], name: str, now: Any) -> bool:
    """Whether a field is other than it was told."""
    return name not in told or bool(told[name] != now)
