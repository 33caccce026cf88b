"""Shows what a run would do before anything runs: `cs.plan`, and the picture of `cs.visualize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.concurrency.scarce import told_where_scarce
from cascade_nb.defaults import default_engine
from cascade_nb.errors import CascadeError

if TYPE_CHECKING:
    from cascade_nb.plan_view import ShownPlan
    from cascade_nb.view.visual import Visual


def plan(target: Any, *, params: Mapping[str, Any] | None = None, on: Any = None) -> ShownPlan:
    """What a run of `target` would do, node by node, and why; nothing runs. It displays itself as a
    table in a notebook.

    Args:
        target: what a call of a task gives, or a container of such.
        params: values of parameters by name.
        on: where sync tasks run, as for `run`; nothing is started there, and no cluster is asked.

    Returns:
        The plan, which prints as text.

    Raises:
        GraphError, ParamError: as `Engine.start`.

    Example:
        >>> print(cs.plan(report))  # doctest: +ELLIPSIS
        report: ...
    """
    with told_where_scarce(CascadeError, "no plan can be shown now"):
        from cascade_nb.plan_view import ShownPlan  # noqa: PLC0415 - it shows itself, with the view's help

    return ShownPlan.of(on_own_loop(default_engine().plan(target, params=params, on=on)))


def visualize(target: Any) -> Visual:
    """A picture of what `target` needs, which displays itself in a notebook; nothing runs.

    Args:
        target: what a call of a task gives, or a container of such.

    Returns:
        The picture: `.save("flow.svg")` writes it to a file, and it prints as text.

    Raises:
        GraphError: there is nothing to show, or it needs itself.

    Example:
        >>> print(cs.visualize(report))  # doctest: +ELLIPSIS
        report: 3 nodes...
    """
    with told_where_scarce(CascadeError, "no picture can be drawn now"):
        from cascade_nb.view.visual import Visual  # noqa: PLC0415 - most scripts draw nothing

    return Visual(default_engine().graph_of(target))
