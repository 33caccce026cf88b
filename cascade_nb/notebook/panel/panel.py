"""The panel of a run: it shows what the kernel says and asks the run for what is clicked.

::

    run = engine.start(target)
    panel = Panel.open(run)     # in a cell; shows itself below it and returns at once
    await panel.finished()      # where a cell waits: until what is saved says how the run ended

It lives as long as the run: it has its picture laid out off the loop, tells the browser what
changed at most ten times a second, takes what tasks print, lets clicks through while a cell is busy
as far as the kernel can, and ends the run when the user interrupts an idle kernel. When the run is
over all of that is undone.

In a headless execution there is no browser, so there is no widget and output stays where it is; the
picture and the text that are saved with the notebook are all there is, and `finished` must be
awaited in the cell.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task, ended_within
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.notebook.kernel.ending import end_with_kernel
from cascade_nb.notebook.kernel.output import catch_widgets, route
from cascade_nb.notebook.kernel.shims import (
    ClickDelivery,
    LaunchingCell,
    is_headless,
    on_idle_interrupt,
)
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.panel.page_messages import PageMessages
from cascade_nb.notebook.panel.portrait import Portrait
from cascade_nb.notebook.panel.saved import SavedRun
from cascade_nb.notebook.panel.unfolding import Unfolding, unfold_after
from cascade_nb.view.graphviz.layout import Rendered, lay_out
from cascade_nb.view.picture.picture import Picture
from cascade_nb.view.picture.states import LOOKS, UNMARKED, Marks
from cascade_nb.view.visual import lay_out_for_file

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run
    from cascade_nb.graph.graph import Graph
    from cascade_nb.notebook.drawer.desk import Desk
    from cascade_nb.notebook.panel.widget import PanelWidget

#: Seconds between two updates while somebody looks, and while nobody does.
OFTEN: Final = 0.1
SELDOM: Final = 2.0
#: Seconds between two updates of what tasks displayed, which may be large.
DISPLAYS: Final = 1.0
#: Seconds to the first update of the text that is saved, from one to the next, of two pictures.
SAVED_FIRST: Final = 1.0
SAVED: Final = 10.0
PICTURES: Final = 60.0

#: The panels of runs that go on; nobody else need hold one.
_open: Final[set[Panel]] = set()
_BUSY: Final = "The running cell holds the kernel: clicks arrive when it awaits or ends."
_DEAF: Final = "The running cell holds the kernel: clicks arrive when the cell ends."


class Panel:
    """Use `Panel.open`.

    Attributes:
        run: whose panel it is.
        output: what the run's tasks wrote; empty in a headless execution.
        headless: whether it has no widget.
    """

    def __init__(self, run: Run, headless: bool, output: TaskOutput) -> None:
        self.run = run
        self.headless = headless
        self.output = output
        self._loop = asyncio.get_running_loop()
        self._door = LoopPortal(self._loop)
        self._cell = LaunchingCell()
        self._saved = SavedRun(run, self.output)
        self._portrait = Portrait(run, self.output)
        self._lock = threading.Lock()
        self.widget: PanelWidget | None = None
        self._desk: Desk | None = None
        self._unfolding: Unfolding | None = None
        self._undo: list[Callable[[], None]] = []
        self._clicks: ClickDelivery | None = None
        self._heard = False
        self._lost = False
        self._often = True
        self._timer: asyncio.TimerHandle | None = None
        self._displays_at = 0.0
        self._graph = run.graph
        self._picture: Picture | None = None
        self._redrawing: asyncio.Future[None] = self._loop.create_future()
        self._redrawing.set_result(None)
        self._over = asyncio.Event()

    @classmethod
    def open(
        cls, run: Run, rendered: Rendered | None = None, output: TaskOutput | None = None
    ) -> Panel:
        """Show the panel of a run below the current cell; call it on the kernel's loop.

        Args:
            run: just started, or still running.
            rendered: the picture of its graph, where it is at hand.
            output: what its tasks write, where that is taken already; see `route`.
        """
        panel = cls(run, is_headless(), TaskOutput() if output is None else output)
        panel._show(rendered)
        _open.add(panel)
        run.add_done_callback(panel._run_is_over)
        return panel

    @classmethod
    def of(cls, run: Run) -> Panel | None:
        """The panel of a run that goes on, if it has one."""
        return next((panel for panel in _open if panel.run is run), None)

    def show_again(self) -> None:
        """Show it below the current cell, whose earlier outputs are gone."""
        self._cell = LaunchingCell()
        self._saved.show_again()
        if self.widget is not None:
            self.widget.show()

    async def finished(self) -> None:
        """Wait until the run is over and everything that is saved says so."""
        await asyncio.shield(self._drawing)

    # ---- showing ---------------------------------------------------------------------------------

    def _show(self, rendered: Rendered | None) -> None:
        self._saved.show_picture(rendered)
        self._saved.show_text()
        self._undo.append(end_with_kernel(self.run))
        if not self.headless:
            self._undo.append(route(self.run.id, self.output))
            self._show_widget()
        self._drawing = begin_task(self._draw(rendered), self._loop)

    def _show_widget(self) -> None:
        # Loading ipywidgets takes a while, and not every notebook runs something.
        from cascade_nb.notebook.drawer.desk import Desk  # noqa: PLC0415
        from cascade_nb.notebook.panel.widget import PanelWidget  # noqa: PLC0415

        catch_widgets()
        status = self.run.status
        self._desk = desk = Desk(self.run, self.output, self._cell, type(self).open)
        self._unfolding = unfolding = Unfolding(self.run, self._door)
        unfolding.put = lambda rendered, run: self._put_into_widget(rendered, run.graph)
        heard = PageMessages(self.run, self, self._door, desk, unfolding)
        self.widget = PanelWidget(status.title, status.number, self._everything, heard.hear)
        # and not this panel's: they outlive the run
        desk.send = unfolding.send = self.widget.send
        self._clicks = clicks = ClickDelivery(self.widget.comm)
        clicks.install()
        self._undo += [
            clicks.undo,
            on_idle_interrupt(self._loop, lambda: self.run.cancel("interrupted")),
        ]
        self.widget.show()
        self._arm()

    async def _draw(self, rendered: Rendered | None) -> None:
        graph = self._graph
        if rendered is None:
            # Folding a large graph takes a while too, so it happens off the loop.
            rendered = await lay_out(await run_in_thread(partial(self._portrait.drawn, graph)))
        self._put_into_widget(rendered, graph)
        filed = await lay_out_for_file(graph, rendered)
        self._cell.call(self._saved.show_picture, filed)
        self._picture = self._picture or filed.picture  # unless an edit was drawn meanwhile
        await self._save_until_over()
        await self._saved.show_times(self._cell)
        if self.widget is not None:
            assert self._desk is not None, "it was shown"
            assert self._unfolding is not None, "it was shown"
            path = await run_in_thread(self._desk.keep_timeline)
            marked = self._portrait.mark_path(path, self._graph)
            self._cell.call(lambda: self.tell(path=marked) if self._heard else None)
            unfold_after(self._unfolding, self._desk, self.widget, self._everything(), path)
        _open.discard(self)

    async def _redraw(self, graph: Graph) -> None:
        """An edit was taken up: show the graph as it is now."""
        rendered = await lay_out(await run_in_thread(partial(self._portrait.drawn, graph)))
        if graph is not self._graph:
            return  # and another one since: that has a drawing of its own
        self._picture = (await lay_out_for_file(graph, rendered)).picture
        if self._unfolding is not None:
            rendered = await self._unfolding.opened(graph, rendered)
        self._put_into_widget(rendered, graph)

    def _put_into_widget(self, rendered: Rendered, graph: Graph) -> None:
        if self.widget is not None:
            with self._lock:
                self._portrait.place(rendered.picture, graph)
            if self._desk is not None and self._unfolding is not None and graph is self._graph:
                self._desk.drawn(rendered.picture)
                self._unfolding.drawn(rendered.picture)
            # What is told of boxes that are not there yet shows as soon as they are.
            if self._heard:
                self._tell_everything()
            self.widget.svg = rendered.svg or ""

    def _notice_edits(self) -> None:
        """See whether the run goes on with another graph."""
        graph = self.run.graph
        if graph is not self._graph:
            self._graph = graph
            self._redrawing = begin_task(self._redraw(graph), self._loop)

    async def _save_until_over(self) -> None:
        """Keep what is saved true while the run goes on, and have it say the last word."""
        marks, painted = UNMARKED, self._loop.time()
        wait = SAVED_FIRST
        over = False
        while not over:
            over = await self._is_over_within(wait)
            wait = SAVED
            if over or self._loop.time() - painted >= PICTURES:
                # The names of 100,000 nodes take a while, too.
                before, marks = marks, await run_in_thread(self._marker())
                painted = self._loop.time()
                if over or marks != before:
                    await self._redrawing
                    assert self._picture is not None  # or there would be nothing to save
                    drawn = await lay_out(self._picture, marks=marks)
                    self._cell.call(self._saved.show_picture, drawn)
            self._cell.call(self._saved.show_text)

    def _marker(self) -> Callable[[], Marks]:
        with self._lock:
            return self._portrait.marker()

    async def _is_over_within(self, seconds: float) -> bool:
        try:
            await ended_within(seconds, self._over.wait())
        except asyncio.TimeoutError:
            return False
        return True

    # ---- telling the browser ---------------------------------------------------------------------

    def _arm(self) -> None:
        """Look again in a while. On the loop."""
        if self._timer is not None:
            self._timer.cancel()
        wait = OFTEN if self._often else SELDOM
        self._timer = self._loop.call_later(wait, self._look, context=self._cell.context)

    def _look(self) -> None:
        if self._over.is_set():
            return
        try:
            self._notice_edits()
            self.tell()
            self._tell_displays()
        finally:  # one message that cannot be sent is the loop's to report, and not the last
            self._arm()

    def tell(self, **more: Any) -> None:
        """Say what changed, if somebody ever looked, and `more`; all of it after a lost message."""
        with self._lock:
            if self._lost:
                news = {**self._all_there_is(), **more}
            else:
                news = {**self._portrait.changes(), **more} if self._heard else more
            if news:
                self._lost = True
                self._send(news)
                self._lost = False

    def _tell_everything(self) -> None:
        with self._lock:
            self._send(self._all_there_is())

    def _tell_displays(self) -> None:
        now = self._loop.time()
        if now - self._displays_at >= DISPLAYS and self.widget is not None:
            bundles = self.output.take_displays()
            if bundles is not None:
                self._displays_at = now
                self.widget.show_displays(bundles)

    def _send(self, news: Mapping[str, Any]) -> None:
        if self.widget is not None:
            self.widget.send({"type": "patch", **news})

    def _everything(self) -> dict[str, Any]:
        """For browsers that ask late."""
        with self._lock:
            return self._all_there_is()

    def _all_there_is(self) -> dict[str, Any]:
        """What the portrait shows, and what never changes. With the lock."""
        awaits = self._clicks is not None and self._clicks.while_awaiting
        return {
            **self._portrait.everything(),
            "twin": self.run.id,
            "looks": {state: [look.word, look.icon] for state, look in LOOKS.items()},
            "busyWords": _BUSY if awaits else _DEAF,
        }

    # ---- hearing the browser: in any thread ------------------------------------------------------

    def hello(self) -> None:
        """Somebody looks now, and knows nothing."""
        self._heard = True
        self._tell_everything()

    def watch(self, visible: bool) -> None:
        """The panel can be seen, or not any more."""
        self._often = visible
        if visible:
            self.tell()
        self._door.call(self._arm_if_running)

    def _arm_if_running(self) -> None:
        if not self._over.is_set():
            self._arm()

    # ---- the end ---------------------------------------------------------------------------------

    def _run_is_over(self, _run: Run) -> None:
        """On the thread where it ended."""
        self._door.call(self._end)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._notice_edits()
            self._displays_at = 0.0
            self._tell_displays()
            self.tell()
        finally:
            for undo in self._undo:
                undo()
            self._undo.clear()
            self._over.set()
