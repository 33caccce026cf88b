"""Routes what running tasks print and display to the panel of their run, and nowhere else.

While a run has a panel, the streams that `print` uses and IPython's display publisher ask whose
task it is that writes, which contextvars tell in worker threads too. What no such task writes goes
its usual way. The objects themselves are changed, and not what `sys.stdout` names, so that whoever
holds one already, a logging handler for instance, is routed too.
"""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from IPython import get_ipython

from cascade_nb.engine.body_context import current_runs
from cascade_nb.engine.dispatch.attempt import node_here
from cascade_nb.engine.dispatch.figures import figures_by_task
from cascade_nb.notebook.kernel.captured import catch_in_tasks, caught, cleared, stream_of
from cascade_nb.notebook.kernel.task_output import TaskOutput


class _Writer(NamedTuple):
    """Whose output it is that is written here, and which of the runs above it in that is."""

    output: TaskOutput
    depth: int

    @property
    def node(self) -> str:
        """The node of that run that writes."""
        return node_here(self.depth)


class _Router:
    """Stands in for what tasks write to, while there is a run whose tasks it knows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outputs: dict[str, TaskOutput] = {}
        self._undo: list[Callable[[], None]] = []
        self._catches_widgets = False

    def add(self, run_id: str, output: TaskOutput) -> None:
        with self._lock:
            if not self._outputs:
                self._install()
            self._outputs = {**self._outputs, run_id: output}

    def catch_widgets(self) -> None:
        with self._lock:
            if self._outputs and not self._catches_widgets:
                self._catch_widgets()

    def remove(self, run_id: str) -> None:
        with self._lock:
            left = {key: output for key, output in self._outputs.items() if key != run_id}
            if self._outputs and not left:
                for undo in self._undo:
                    undo()
                self._undo.clear()
                self._catches_widgets = False
            self._outputs = left

    def here(self) -> _Writer | None:
        """The output of the run whose task is running here, or of the run that it is part of,
        whichever has a panel.
        """
        runs = current_runs.get()
        for depth in range(len(runs) - 1, -1, -1):
            output = self._outputs.get(runs[depth])
            if output is not None:
                return _Writer(output, depth)
        return None

    def _install(self) -> None:
        for name in ("stdout", "stderr"):
            self._reroute(getattr(sys, name), name)
        publisher = getattr(get_ipython(), "display_pub", None)
        if publisher is not None:
            self._replace(publisher, "publish", self._publisher)
            self._replace(publisher, "clear_output", self._clearer)
        self._undo.append(figures_by_task(self._is_task))
        if "ipywidgets" in sys.modules:
            self._catch_widgets()

    def _catch_widgets(self) -> None:
        self._catches_widgets = True
        self._undo.append(catch_in_tasks(self._is_task))

    def _is_task(self) -> bool:
        return self.here() is not None

    def _reroute(self, stream: Any, name: str) -> None:
        kind = type(stream)
        try:
            stream.__class__ = _asking(kind, name, self.here)
        except TypeError:
            return  # a stream written in C, outside of Jupyter: it keeps what it gets
        self._undo.append(lambda: setattr(stream, "__class__", kind))

    def _replace(
        self, owner: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        ours = vars(owner)[name] = around(getattr(owner, name))

        def undo() -> None:
            # Where somebody has replaced it after us, ours stays below theirs and only hands on.
            if vars(owner).get(name) is ours:
                del vars(owner)[name]

        self._undo.append(undo)

    def _publisher(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def publish(
            data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, **more: Any
        ) -> Any:
            writer = self.here()
            display_id = (more.get("transient") or {}).get("display_id")
            if writer is not None:
                bundle, update = _bundle(data, metadata), more.get("update", False)
                if not update and caught(bundle):
                    return None
                if writer.output.display(bundle, display_id, update, writer.node):
                    return None
            return usual(data, metadata, **more)

        return publish

    def _clearer(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def clear_output(wait: bool = False) -> Any:
            # It would clear the launching cell, the panel and the saved picture with it.
            writer = self.here()
            if writer is None:
                return usual(wait)
            return None if cleared() else writer.output.clear()

        return clear_output


def _asking(kind: type[Any], name: str, here: Callable[[], _Writer | None]) -> type[Any]:
    """A class like `kind` whose `write` asks first who it is that writes.

    IPython puts a `write` of its own on the stream for the time of a cell and then puts back the
    one it had found. A property sees both come and go, where an attribute would be lost at the
    cell's end.
    """

    def get(stream: Any) -> Callable[[str], Any]:
        usual = _own(vars(stream).get("write")) or kind.write.__get__(stream)

        def write(text: str) -> Any:
            writer = here()
            if writer is None or not isinstance(text, str):
                return usual(text)
            if not caught(stream_of(name, text)):
                writer.output.write(name, text, writer.node)
            return len(text)

        write.usual = usual  # type: ignore[attr-defined]
        return write

    def put(stream: Any, write: Any) -> None:
        vars(stream)["write"] = _own(write)

    return type(
        kind.__name__, (kind,), {"write": property(get, put), "__module__": kind.__module__}
    )


def _own(write: Any) -> Any:
    """What somebody found and puts back is what was below our question."""
    return getattr(write, "usual", write)


def _bundle(data: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    plain = {
        kind: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for kind, value in data.items()
    }
    return {"output_type": "display_data", "data": plain, "metadata": dict(metadata or {})}


_router: Final = _Router()


def route(run_id: str, output: TaskOutput) -> Callable[[], None]:
    """From now on, give `output` what the tasks of this run write; returns what ends that.

    Do it before the run begins: a first task prints before anything else can be done. A second time
    changes nothing.
    """
    _router.add(run_id, output)
    return lambda: _router.remove(run_id)


def catch_widgets() -> None:
    """Give `Output` widgets what is theirs too, now that ipywidgets is loaded: that takes longer
    than a run's first task, and what this one prints must find its way.
    """
    _router.catch_widgets()
