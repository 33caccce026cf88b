"""Has what a body displays in another process shown where its task was asked for.

A process for tasks has no shell of IPython, without which `display` prints and pyplot shows
nothing. So what is displayed there is told, as the data that a shell would have published; modules
of IPython's are changed as they are imported, and who displays nothing does not pay for it.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import types
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from cascade_nb.engine.dispatch.figures import AfterImport, show_left

_FUNCTIONS: Final = "IPython.core.display_functions"
_FORMATTERS: Final = "IPython.core.formatters"
_FIGURE_TOOLS: Final = "IPython.core.pylabtools"
_SHELL: Final = "IPython.core.interactiveshell"
_PYPLOT: Final = "matplotlib._pylab_helpers"

#: Tells the other process something, for the body that runs here.
_tells: Final[ContextVar[Callable[[str, Any], None] | None]] = ContextVar(
    "cascade_displays", default=None
)


def shown_elsewhere(tell: Callable[[str, Any], None]) -> None:
    """From now on, and in this context, `tell` is told what is displayed.

    Args:
        tell: called with "display" and what `show_here` takes.
    """
    _tells.set(tell)


def put_up() -> None:
    """Change IPython's modules, before anything that is to run here has functions of theirs."""
    if not hasattr(builtins, "display"):  # as in a cell
        builtins.display = _display_of_a_cell  # type: ignore[attr-defined]
        if _FUNCTIONS in sys.modules:
            _put(sys.modules[_FUNCTIONS])
        else:
            sys.meta_path.insert(0, AfterImport(_FUNCTIONS, _put))


def show_what_is_left() -> None:
    """Show the figures of pyplot that a body has left open, as after a cell, and close them."""
    pyplot = sys.modules.get(_PYPLOT)
    if pyplot is not None:
        show_left(pyplot.Gcf.figs)


def show_here(what: tuple[Mapping[str, Any], Mapping[str, Any], dict[str, Any], bool]) -> None:
    """Show what was displayed elsewhere.

    Args:
        what: data and metadata by kind, what says which display it is, and whether that changes.
    """
    data, metadata, transient, update = what
    shell = sys.modules.get(_SHELL)
    if shell is None or not shell.InteractiveShell.initialized():
        sys.stdout.write(f"{data.get('text/plain', '')}\n")
        return
    publish = sys.modules[_FUNCTIONS].publish_display_data
    publish(dict(data), dict(metadata), transient=transient, update=update)


def _display_of_a_cell(*given: Any, **options: Any) -> Any:
    return importlib.import_module(_FUNCTIONS).display(*given, **options)


def _put(module: types.ModuleType) -> None:
    module.display = partial(_display, module.display, module)  # type: ignore[attr-defined]
    own = module.publish_display_data

    def publish(
        data: Any,
        metadata: Any = None,
        *,
        transient: Any = None,
        update: bool = False,
        **more: Any,
    ) -> None:
        tell = _tells.get()
        if tell is None:
            own(data, metadata, transient=transient, update=update, **more)
        else:
            tell("display", (data, metadata or {}, transient or {}, update))

    module.publish_display_data = publish  # type: ignore[attr-defined]


def _display(
    own: Callable[..., Any],
    module: Any,
    *given: Any,
    include: Any = None,
    exclude: Any = None,
    metadata: Any = None,
    transient: Any = None,
    display_id: Any = None,
    raw: bool = False,
    **more: Any,
) -> Any:
    """As IPython's own, but for the shell that it asks."""
    if _tells.get() is None:
        said = {"metadata": metadata, "transient": transient, "display_id": display_id, "raw": raw}
        return own(*given, include=include, exclude=exclude, **said, **more)
    transient = dict(transient or {})
    if display_id is True:
        display_id = uuid.uuid4().hex
    if display_id:
        transient["display_id"] = display_id
    for one in given:
        data, told = (one, {}) if raw else _formatter().format(one, include, exclude)
        if data:
            update = bool(more.get("update"))
            merged = {**told, **(metadata or {})}
            module.publish_display_data(data, merged, transient=transient, update=update)
    return module.DisplayHandle(display_id) if display_id else None


_made: Final[list[Any]] = []


def _formatter() -> Any:
    """Makes data of objects, of figures too once there may be some."""
    if not _made:
        _made.append(importlib.import_module(_FORMATTERS).DisplayFormatter())
    if len(_made) == 1 and "matplotlib.figure" in sys.modules:
        shell = types.SimpleNamespace(display_formatter=_made[0])
        tools = importlib.import_module(_FIGURE_TOOLS)
        tools.select_figure_formats(shell, {"png"}, bbox_inches="tight")
        _made.append(shell)
    return _made[0]
