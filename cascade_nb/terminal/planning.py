"""`cascade-nb plan` and `export`, in which nothing runs; and `mcp`, which looks, plans, holds and
starts for a coding agent.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.defaults import default_engine
from cascade_nb.door.as_json import plan_dict
from cascade_nb.errors import UsageError
from cascade_nb.terminal.output import DONE, prints_of_others_aside, say, say_json
from cascade_nb.terminal.running import executor_of, meant


def plan(given: Namespace) -> int:
    """Say what a run would do; nothing runs."""
    with prints_of_others_aside(given.json):
        place, graph, params = meant(given)
        planner, on = default_engine(), executor_of(place, given.on)
        made = on_own_loop(planner.plan(graph, params=params, bindings=place.bindings, on=on))
        if given.json:
            say_json({"ok": True, **plan_dict(made), "exit": DONE})
        else:
            say(*str(made).splitlines())
    return DONE


def export(given: Namespace) -> int:
    """Write what a notebook defines as a module.

    Raises:
        UsageError: it cannot be one.
    """
    notebook = Path(given.notebook)
    path = Path(given.file) if given.file is not None else notebook.with_suffix(".py")
    if notebook.suffix != ".ipynb" or path.suffix != ".py":
        raise UsageError(
            f"{given.notebook} to {path}: say a notebook and a module, as in `cascade-nb export "
            "study.ipynb flow.py`"
        )
    from cascade_nb.notebook.export.flow import Wanted  # noqa: PLC0415 - IPython for notebooks alone
    from cascade_nb.notebook.headless import export_notebook  # noqa: PLC0415

    wanted = Wanted(path, given.name, given.tests, given.force)
    with prints_of_others_aside(True):
        lines = export_notebook(notebook, wanted)
    if given.json:
        say_json({"ok": True, "files": [*map(str, wanted.files)], "said": lines, "exit": DONE})
    else:
        say(*lines)
    return DONE


def serve_agent(_given: Namespace) -> int:
    """Offer an agent its tools until it goes.

    Raises:
        UsageError: the SDK of the Model Context Protocol is not installed.
    """
    try:
        from cascade_nb.agents.served import serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise UsageError(
            'cascade-nb mcp needs the SDK; install it with pip install "cascade-nb[mcp]"'
        ) from None
    serve()
    return DONE
