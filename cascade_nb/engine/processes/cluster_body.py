"""Runs the body of a task on a worker of a cluster, as an attempt would in a thread."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from cascade_nb.concurrency.cluster_protocols import Tells
from cascade_nb.engine.body_context import at_end, finish_body, progress_told
from cascade_nb.engine.dispatch.figures import figures_by_task
from cascade_nb.engine.files.remote_files import FilesToNote, RemoteBody
from cascade_nb.engine.processes.displays import put_up, shown_elsewhere
from cascade_nb.engine.processes.surroundings import Said, record_as_text
from cascade_nb.errors import RunCancelledError
from cascade_nb.file_stamps import Stamps
from cascade_nb.model.copying.isolation import copied_call
from cascade_nb.model.tasks.body import enter_body
from cascade_nb.model.tasks.present import returned

_OFTEN: Final = 0.05  # seconds between two words of progress
_AT_ONCE: Final = 8_000  # characters of output in one word

_tells: contextvars.ContextVar[Tells | None] = contextvars.ContextVar(
    "cascade_cluster", default=None
)


def run_on_cluster(
    channel: Tells,
    said: bytes,
    noted: FilesToNote,
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> tuple[Any, Stamps]:
    """Run it, in a context of its own; called on the worker. Gives its result, and the files that
    it met.

    Raises:
        BaseException: whatever the body does.
        TakenBackError: it was taken back.
    """
    context = contextvars.copy_context()
    return context.run(_run, channel, said, noted, partial(fn, *args, **kwargs))


def _run(channel: Tells, said: bytes, noted: FilesToNote, call: partial[Any]) -> tuple[Any, Stamps]:
    _listen()
    _tells.set(channel)
    settings = _settings(said).enter()
    progress_told.set(partial(_Progress().told, channel))
    shown_elsewhere(channel.tell)
    enter_body()
    at_end.set(None)
    files = noted.opened()
    args, kwargs = copied_call(call.args, call.keywords)
    files.begin(args, kwargs)
    stands_for_it = RemoteBody(files)
    stands_for_it.begin()
    try:
        with settings or contextlib.nullcontext():
            channel.begin()
            result = returned(call.func(*args, **kwargs))
        files.finish(result)
    finally:
        finish_body()
        stands_for_it.end()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        _tells.set(None)
    return result, files.met


class OnCluster:
    """`run_on_cluster`, which makes a worker ready where it is read, ahead of what is to run there:
    that may have functions of IPython's.
    """

    def __call__(self, channel: Tells, *body: Any) -> tuple[Any, Stamps]:
        """Run it."""
        return run_on_cluster(channel, *body)

    def __reduce__(self) -> tuple[Callable[[], OnCluster], tuple[()]]:
        return _made_ready, ()


def _made_ready() -> OnCluster:
    put_up()
    return OnCluster()


class _Progress:
    """Tells how far a body is, not too often, and ends it where nobody waits for it any more."""

    def __init__(self) -> None:
        self._last = 0.0

    def told(self, channel: Tells, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last < _OFTEN and done != total:
            return
        self._last = now
        if channel.is_unwanted():
            raise RunCancelledError("it stopped at a checkpoint, since it was cancelled")
        channel.tell("progress", (done, total))


@lru_cache(maxsize=8)
def _settings(said: bytes) -> Said:
    """What was said where the run was started; what is of the whole process is made so once."""
    made: Said = pickle.loads(said)  # noqa: S301 - from who has this worker do it
    for name, level in made.levels.items():
        if name:  # the root's level decides what Dask itself says
            logging.getLogger(name).setLevel(level)
    return made


class _Stream(io.TextIOBase):
    """A stream of the worker: what a body writes goes to who asked for it, a line at a time.

    Args:
        name: "stdout" or "stderr".
        own: the worker's.
    """

    def __init__(self, name: str, own: Any) -> None:
        self._name = name
        self._own = own
        self._kept: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
            f"cascade_{name}", default=None
        )

    def write(self, text: str) -> int:
        """Write, or tell."""
        if _tells.get() is None:
            return int(self._own.write(text))
        kept = self._kept.get()
        if kept is None:
            self._kept.set(kept := [])
        kept.append(text)
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Tell what is there."""
        channel, kept = _tells.get(), self._kept.get()
        if channel is None:
            self._own.flush()
        elif kept:
            text = "".join(kept)
            kept.clear()
            for start in range(0, len(text), _AT_ONCE):
                channel.tell("wrote", (self._name, text[start : start + _AT_ONCE]))

    def writable(self) -> bool:
        """It is."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


class _Records(logging.Handler):
    """Tells what a body logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it, as text, since its arguments may be anything."""
        channel = _tells.get()
        if channel is None:
            return
        try:
            channel.tell("log", record_as_text(record))
        except Exception:
            self.handleError(record)


_listening = threading.Lock()
_heard: list[_Records] = []


def _listen() -> None:
    """Have what bodies say and draw in this worker go to who asked for them; once."""
    with _listening:
        if _heard:
            return
        sys.stdout, sys.stderr = _Stream("stdout", sys.stdout), _Stream("stderr", sys.stderr)
        logging.getLogger().addHandler(handler := _Records())
        own = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: Any = None,
            line: str | None = None,
        ) -> None:
            channel = _tells.get()
            if channel is None:
                own(message, category, filename, lineno, file, line)
            else:
                channel.tell("warning", (message, category, filename, lineno))

        warnings.showwarning = show
        figures_by_task(lambda: _tells.get() is not None)
        _heard.append(handler)
