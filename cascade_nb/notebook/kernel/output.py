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
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from IPython import get_ipython

from cascade_nb.engine.body_context import current_runs
from cascade_nb.engine.dispatch.figures import figures_by_task
from cascade_nb.notebook.kernel.captured import catch_in_tasks, caught, cleared, stream_of
from cascade_nb.text import readable

#: Characters of text that a run may keep in the kernel; what is older is dropped, and counted.
KEPT: Final = 5_000_000
#: Characters that a browser is given when it asks late.
SHOWN: Final = 200_000
#: Display outputs that a run keeps.
DISPLAYS: Final = 20


class Chunk(NamedTuple):
    """Text that was written to one stream ("stdout" or "stderr") at once."""

    stream: str
    text: str


class TaskOutput:
    """What the tasks of one run wrote. Safe from any thread.

    Attributes:
        dropped: characters that are gone because there were more than `KEPT`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._size = 0
        self._unsent = 0
        self._cleared = False
        self._bundles: dict[str, dict[str, Any]] = {}
        self._bundles_changed = False
        self._serial = 0
        self.dropped = 0

    @property
    def text(self) -> str:
        """Everything that is kept, both streams in the order in which they were written."""
        with self._lock:
            return "".join(chunk.text for chunk in self._chunks)

    def write(self, stream: str, text: str) -> None:
        """Take text."""
        if not text:
            return
        kept = text[-KEPT:]
        chunk = Chunk(stream, readable(kept))
        with self._lock:
            self._chunks.append(chunk)
            self._unsent += 1
            self._size += len(chunk.text)
            self.dropped += len(text) - len(kept)
            while self._size > KEPT:
                gone = len(self._chunks.popleft().text)
                self._size -= gone
                self.dropped += gone

    def display(self, bundle: dict[str, Any], display_id: str | None, update: bool) -> bool:
        """Take a display output as nbformat has it; False for an update of one that is not here."""
        with self._lock:
            if update and display_id not in self._bundles:
                return False
            self._serial += 1
            self._bundles[display_id or f"#{self._serial}"] = bundle
            while len(self._bundles) > DISPLAYS:
                del self._bundles[next(iter(self._bundles))]
            self._bundles_changed = True
        return True

    def clear(self) -> None:
        """Forget everything, as `clear_output` asks."""
        with self._lock:
            self._chunks.clear()
            self._bundles.clear()
            self._size = self._unsent = 0
            self._cleared = self._bundles_changed = True

    def take_new(self) -> tuple[bool, list[Chunk]]:
        """What was written since the last call, or, when that is too much or there was a
        `clear_output` in between, True and everything that is to be shown from now on.
        """
        with self._lock:
            fresh = self._last(SHOWN, self._unsent)
            anew = self._cleared or sum(len(chunk.text) for chunk in fresh) >= SHOWN
            self._cleared, self._unsent = False, 0
        return anew, _joined(fresh)

    def take_displays(self) -> tuple[dict[str, Any], ...] | None:
        """The display outputs, if there was a change since the last call."""
        with self._lock:
            if not self._bundles_changed:
                return None
            self._bundles_changed = False
            return tuple(self._bundles.values())

    def tail(self, size: int = SHOWN) -> list[Chunk]:
        """The last `size` characters."""
        with self._lock:
            return _joined(self._last(size, len(self._chunks)))

    def _last(self, size: int, count: int) -> list[Chunk]:
        """At most the last `count` chunks and `size` characters."""
        kept: list[Chunk] = []
        for chunk in islice(reversed(self._chunks), count):
            if size <= 0:
                break
            kept.append(Chunk(chunk.stream, chunk.text[-size:]))
            size -= len(kept[-1].text)
        return kept[::-1]


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

    def here(self) -> TaskOutput | None:
        """The output of the run whose task is running here, or of the run that it is part of,
        whichever has a panel.
        """
        for run_id in reversed(current_runs.get()):
            output = self._outputs.get(run_id)
            if output is not None:
                return output
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
            output = self.here()
            display_id = (more.get("transient") or {}).get("display_id")
            if output is not None:
                bundle = _bundle(data, metadata)
                if not more.get("update") and caught(bundle):
                    return None
                if output.display(bundle, display_id, more.get("update", False)):
                    return None
            return usual(data, metadata, **more)

        return publish

    def _clearer(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def clear_output(wait: bool = False) -> Any:
            # It would clear the launching cell, the panel and the saved picture with it.
            output = self.here()
            if output is None:
                return usual(wait)
            return None if cleared() else output.clear()

        return clear_output


def _asking(kind: type[Any], name: str, here: Callable[[], TaskOutput | None]) -> type[Any]:
    """A class like `kind` whose `write` asks first who it is that writes.

    IPython puts a `write` of its own on the stream for the time of a cell and then puts back the
    one it had found. A property sees both come and go, where an attribute would be lost at the
    cell's end.
    """

    def get(stream: Any) -> Callable[[str], Any]:
        usual = _own(vars(stream).get("write")) or kind.write.__get__(stream)

        def write(text: str) -> Any:
            output = here()
            if output is None or not isinstance(text, str):
                return usual(text)
            if not caught(stream_of(name, text)):
                output.write(name, text)
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


def _joined(chunks: list[Chunk]) -> list[Chunk]:
    """The same with neighbours of one stream as one."""
    joined: list[tuple[str, list[str]]] = []
    for chunk in chunks:
        if joined and joined[-1][0] == chunk.stream:
            joined[-1][1].append(chunk.text)
        else:
            joined.append((chunk.stream, [chunk.text]))
    return [Chunk(stream, "".join(texts)) for stream, texts in joined]


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
