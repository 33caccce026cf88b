"""The actions of `%cascade export` and `%cascade import`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.errors import UsageError
from cascade_nb.notebook.export.flow import Wanted, prepared
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say


def export(session: Session, given: Namespace, awaited: bool) -> Any:
    """Write the workspace as a module."""
    path = Path(given.file).expanduser()
    if path.suffix != ".py":
        raise UsageError(f"{given.file} is no file of Python: `%cascade export flow.py`")
    work = prepared(session, Wanted(path, given.name, given.tests, given.force))

    async def tell() -> None:
        say("\n".join(await run_in_thread(work)))

    if awaited:
        return tell()
    on_a_loop_of_its_own(tell())
    return None
