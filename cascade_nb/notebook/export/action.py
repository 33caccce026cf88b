"""The action of `%cascade export`: a module of the workspace, or a report of a run."""

from __future__ import annotations

import asyncio
import contextvars
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import size_text
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UsageError
from cascade_nb.notebook.drawer.results import Results
from cascade_nb.notebook.export.flow import Wanted, prepared
from cascade_nb.notebook.export.written import refuse_what_is_there, write
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own
from cascade_nb.notebook.report.gathered import gathered, marks_of, run_to_tell
from cascade_nb.notebook.report.page import page_of
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.view.graphviz.layout import lay_out
from cascade_nb.view.picture.picture import picture_of
from cascade_nb.view.visual import fits_a_file, lay_out_for_file


def export(session: Session, given: Namespace, awaited: bool) -> Any:
    """Write the workspace as a module, or a run as a page."""
    path = Path(given.file).expanduser()
    if path.suffix == ".py":
        work = prepared(session, Wanted(path, given.name, given.tests, given.force))
        done = _module(work)
    elif path.suffix in (".html", ".htm"):
        if given.tests or len(given.name) > 1:
            raise UsageError("a report is of one run, as in `%cascade export report.html 6`")
        refuse_what_is_there([path], given.force)
        run = run_to_tell(session, given.name[0] if given.name else None)
        done = _page(session, run, path, given.force)
    else:
        raise UsageError(
            f"{given.file} is no module and no page: `%cascade export flow.py` writes the "
            "workspace, `%cascade export report.html` a run"
        )
    if awaited:
        return done
    on_a_loop_of_its_own(done)
    return None


async def _module(work: Any) -> None:
    say("\n".join(await run_in_thread(work)))


async def _page(session: Session, run: Run, path: Path, force: bool) -> None:
    marks = marks_of(run)
    drawn = await lay_out(await run_in_thread(partial(picture_of, run.graph)), marks=marks)
    drawn = await lay_out_for_file(run.graph, drawn, marks)
    picture = (drawn.svg if fits_a_file(drawn) else None, drawn.text)
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    results = Results(loop, context, lambda: session.shell.display_formatter)

    def work() -> str:
        text = page_of(gathered(run, results, picture))
        write({path: text}, force)
        return text

    text = await run_in_thread(work)
    size = size_text(len(text.encode()))
    say(f"Wrote {path}, {size}: run {run.number} of {run.graph.title}.")
