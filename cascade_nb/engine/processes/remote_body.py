"""Runs the body of a task in another process, as an attempt would in a thread."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from cascade_nb.concurrency.process_protocols import BodyOutcome
from cascade_nb.engine.body_context import at_end, finish_body, own_gpus, progress_told
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.remote_files import FilesToNote, RemoteBody
from cascade_nb.engine.processes.displays import show_what_is_left, shown_elsewhere
from cascade_nb.engine.processes.surroundings import Place, Telling
from cascade_nb.model.tasks.body import enter_body
from cascade_nb.model.tasks.present import returned

_OFTEN: Final = 0.05  # seconds between two words of progress


class Channel(Protocol):
    """The way to the process that asked."""

    def tell(self, message: Any) -> None:
        """Send a message, while the body runs."""


def run_body(
    channel: Channel,
    place: Place,
    said: bytes,
    noted: tuple[Any, ...],
    gpus: tuple[str, ...],
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> BodyOutcome:
    """Run it, in a context of its own; called in the other process. What it is called with is read
    there in this order. Gives its result, and the files that it met.

    Args:
        channel: the way back, while it runs.
        place: where it runs.
        said: of logging and warnings.
        noted: the fields of a `FilesToNote`; a class would be looked for in each message.
        gpus: the ids of those that it has.
        fn, args, kwargs: the call.

    Raises:
        BaseException: whatever the body does.
    """
    place.go()  # which was read long ago, where it came with an earlier body
    files = FilesToNote(*noted).opened()
    body = (channel, place, said, files, fn, args, kwargs, gpus)
    return contextvars.copy_context().run(_run, *body)


def _run(
    channel: Channel,
    place: Place,
    said: bytes,
    files: OpenedFiles,
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    gpus: tuple[str, ...],
) -> BodyOutcome:
    def tell(kind: str, what: Any) -> None:
        channel.tell((kind, what))

    settings = _telling.begin(said, tell).enter()
    progress_told.set(partial(_Progress().told, tell))
    shown_elsewhere(tell)
    own_gpus.set(gpus)
    enter_body()
    at_end.set(None)
    files.begin(args, kwargs)
    stands_for_it = RemoteBody(files)
    stands_for_it.begin()
    try:
        with settings or contextlib.nullcontext():
            result = returned(fn(*args, **kwargs))
        files.finish(result)
    finally:
        finish_body()
        stands_for_it.end()
        show_what_is_left()
        _telling.end()
        place.go()  # whatever it changed of its process is no other body's
    return BodyOutcome(result, files.met)


_telling: Final = Telling()


class _Progress:
    """Tells how far a body is, not too often."""

    def __init__(self) -> None:
        self._last = 0.0

    def told(self, tell: Callable[[str, Any], None], done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last >= _OFTEN or done == total:
            self._last = now
            tell("progress", (done, total))
