"""`cascade-nb plan`; and `mcp`, which looks, plans, holds and starts for a coding agent."""

from __future__ import annotations

from argparse import Namespace

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
