"""Gives each task pyplot figures of its own, where it uses pyplot or has a panel.

pyplot keeps one list of figures for the process, and IPython's inline backend shows and closes all
that are on it after each cell and each message of a widget: also those that a task is still
drawing. So the list is one for each task and one for the cells. What a task leaves open is shown
when it ends, in its own output, as it would be after a cell.
"""

from __future__ import annotations

import contextvars
import importlib.machinery
import sys
import threading
import traceback
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from cascade_nb.engine.body_context import at_end

Undo = Callable[[], None]
_Ending = list[Callable[[], object]]

_MODULE: Final = "matplotlib._pylab_helpers"
_INLINE: Final = "matplotlib_inline.backend_inline"

#: The figures of the task whose body is running here, and the task's list of what to do at its end.
_here: Final[contextvars.ContextVar[tuple[_Ending, OrderedDict[int, Any]] | None]] = (
    contextvars.ContextVar("cascade_figures", default=None)
)


#: Who wants a task to have figures of its own, as questions whether such a task is running here.
_asked: Final[list[Callable[[], bool]]] = []
_asking: Final = threading.Lock()
_undo: list[Undo] = []


class TaskFigures:
    """Stands for pyplot's list of figures, and is that of whoever asks.

    Args:
        cells: those of cells, and of everything else that is no task.
    """

    def __init__(self, cells: OrderedDict[int, Any]) -> None:
        self.cells = cells

    def _own(self) -> OrderedDict[int, Any]:
        if not any(is_task() for is_task in tuple(_asked)):
            return self.cells
        mine, ending = _here.get(), at_end.get()
        if mine is None or mine[0] is not ending:  # or they are those of what started this run
            ending = ending if ending is not None else []
            mine = ending, OrderedDict()
            _here.set(mine)
            ending.append(partial(show_left, mine[1]))
            at_end.set(ending)
        return mine[1]

    def __contains__(self, number: object) -> bool:
        return number in self._own()

    def __iter__(self) -> Iterator[int]:
        return iter(self._own())

    def __len__(self) -> int:
        return len(self._own())

    def __getitem__(self, number: int) -> Any:
        return self._own()[number]

    def __setitem__(self, number: int, manager: Any) -> None:
        self._own()[number] = manager

    def __delitem__(self, number: int) -> None:
        del self._own()[number]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own(), name)


def figures_by_task(is_task: Callable[[], bool]) -> Undo:
    """From now on each task has figures of its own; also where pyplot is yet to be imported.

    Args:
        is_task: whether a task that is to have some is running here.
    """
    with _asking:
        _asked.append(is_task)
        if len(_asked) == 1:
            _install()

    def undo() -> None:
        with _asking:
            _asked.remove(is_task)
            if not _asked:
                for step in _undo:
                    step()
                _undo.clear()

    return undo


def _install() -> None:
    if _MODULE in sys.modules:
        _put(sys.modules[_MODULE])
        return
    finder = AfterImport(_MODULE, _put)
    sys.meta_path.insert(0, finder)
    _undo.append(lambda: finder in sys.meta_path and sys.meta_path.remove(finder))  # type: ignore[func-returns-value, arg-type]


def _put(module: types.ModuleType) -> None:
    gcf = module.Gcf
    figures = gcf.figs = TaskFigures(gcf.figs)

    def undo() -> None:
        if gcf.figs is figures:
            gcf.figs = figures.cells

    _undo.append(undo)


def show_left(figures: OrderedDict[int, Any]) -> None:
    """Show what a task that is over has left open, and close it; in the task's own context."""
    inline = sys.modules.get(_INLINE)
    try:
        if figures and inline is not None:
            inline.show(True)
    except Exception:  # as after a cell, where it is told and the cell has done its work
        sys.stderr.write(traceback.format_exc())
    finally:
        figures.clear()


class AfterImport:
    """A finder of modules, on `sys.meta_path`, that calls back when one was imported, once.

    It derives from no class of `importlib.abc`: to import that takes as long as fifty of ours.

    Args:
        module: its name.
        then: called with it.
    """

    def __init__(self, module: str, then: Callable[[types.ModuleType], None]) -> None:
        self._module = module
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As the import system asks; only that one module is answered for."""
        if name != self._module:
            return None
        sys.meta_path.remove(self)
        for finder in tuple(sys.meta_path):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._then)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """Loads as another would, and then calls back."""

    def __init__(self, usual: Any, then: Callable[[types.ModuleType], None]) -> None:
        self._usual = usual
        self._then = then

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        """As the usual one."""
        return self._usual.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: types.ModuleType) -> None:
        """As the usual one, and then call back."""
        self._usual.exec_module(module)
        self._then(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)
