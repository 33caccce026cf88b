"""Shows a value as Jupyter would, whatever its `repr` does: within a time and a size."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from typing import Any, Final, NamedTuple, TypeVar

from IPython.lib.pretty import RepresentationPrinter
from IPython.utils.dir2 import get_real_method

from cascade_nb.control.words import seconds_text, size_text
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.graph.fingerprint.content import content_key
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.notebook.drawer.texts import Json, line, plain

T = TypeVar("T")
#: Seconds that a `repr` may take.
PATIENCE: Final = 10.0
#: Bytes of a value in one format, and of values whose content is looked at before and after.
MOST: Final = 2_000_000
_WATCHED: Final = 10_000_000
_WIDTH: Final = 88
_FORMATS: Final = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "application/json",
    "application/vnd.jupyter.widget-view+json",
)


class Shown(NamedTuple):
    """A value as it can be shown.

    Attributes:
        text: as text.
        data: in richer formats, by media type.
        notes: what is to be said of it, in sentences.
    """

    text: str
    data: Mapping[str, Any]
    notes: Sequence[str]


class TooSlowError(Exception):
    """A `repr` is not there in time."""


def within(seconds: float, work: Callable[[], T], context: Context) -> T:
    """What `work` gives in a thread of its own; whoever waits for it is not the kernel's loop.

    Raises:
        TooSlowError: it is not there in time; its thread goes on, since nothing can end it.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            given.append(context.run(work))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body, name="cascade-repr", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TooSlowError(f"its repr is not there after {seconds_text(seconds)}")
    if raised:
        raise raised[0]
    return given[0]


def shown_value(formatter: Any, value: Any, size: int, is_kept: bool) -> Shown:
    """A value in every format that the shell's formatters have for it.

    Args:
        formatter: the shell's.
        value: it.
        size: its bytes, about.
        is_kept: whether this is the kept object itself, and not a copy of it.
    """
    notes: list[str] = []
    before = _content(value) if size <= _WATCHED else None
    text = _text(formatter, value, notes)
    data = dict(_rich(formatter, value, notes))
    if before is not None and _content(value) != before:
        whose = ", and what later tasks read" if is_kept else "; what is kept is as it was"
        notes.append(f"Showing this value changes it{whose}.")
    return Shown(plain(text), data, notes)


def facts_of_value(value: Any, size: int) -> list[list[str]]:
    """Its type, its shape or length, and its size, as pairs of words."""
    facts = [["type", line(type(value).__qualname__)]]
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and shape:
            facts.append(["shape", line(" by ".join(f"{one:,}" for one in shape))])
        elif isinstance(value, (list, tuple, dict, set, frozenset, str, bytes)):
            facts.append(["length", f"{len(value):,}"])
        dtype = getattr(value, "dtype", None)
        if dtype is not None:
            facts.append(["dtype", line(str(dtype))])
    except BaseException:  # a property of the user's, which raises what it likes
        facts.append(["shape", "cannot be told"])
    return [*facts, ["in memory", f"about {size_text(size)}"]]


def _content(value: Any) -> object:
    """What tells whether a value changed; None where nothing does."""
    try:
        return content_key(value)
    except BaseException:  # the user's own methods are asked
        return None


def _text(formatter: Any, value: Any, notes: list[str]) -> str:
    own = formatter.formatters["text/plain"]
    stream = io.StringIO()
    try:
        printer: Any = RepresentationPrinter(  # type: ignore[no-untyped-call]
            stream,
            max_width=_WIDTH,
            max_seq_length=own.max_seq_length,
            singleton_pprinters=own.singleton_printers,
            type_pprinters=own.type_printers,
            deferred_pprinters=own.deferred_printers,
        )
        printer.pretty(value)
        printer.flush()
    except BaseException as error:  # the user's `__repr__` may raise anything
        notes.append(f"Its repr raised {line(error_text(error), 300)}")
        return short_repr(value)
    return stream.getvalue()


def _rich(formatter: Any, value: Any, notes: list[str]) -> Iterator[tuple[str, Any]]:
    """The value in richer formats; what raises or is too large is said."""
    for name, given in _formats(formatter, value, notes):
        is_raw = isinstance(given, (bytes, bytearray))
        made = base64.b64encode(given).decode("ascii") if is_raw else given
        size = len(made) if isinstance(made, str) else len(repr(made))
        if size > MOST:
            notes.append(f"Its {name} has {size_text(size)}, too much to show.")
        else:
            yield name, made


def _formats(formatter: Any, value: Any, notes: list[str]) -> Iterator[tuple[str, Any]]:
    bundle = _asked(formatter.mimebundle_formatter, value, notes)
    if isinstance(bundle, tuple):
        bundle = bundle[0]
    given = bundle if isinstance(bundle, Mapping) else {}
    for name in _FORMATS:
        if name in given:
            yield name, given[name]
        elif name in formatter.formatters:
            made = _asked(formatter.formatters[name], value, notes)
            if isinstance(made, tuple):
                made = made[0]
            if made is not None:
                yield name, made


def _asked(one: Any, value: Any, notes: list[str]) -> Any:
    """What one formatter gives; IPython itself would show what it raises below some cell."""
    if not one.enabled:
        return None
    try:
        try:
            printer = one.lookup(value)
        except KeyError:
            method = get_real_method(value, one.print_method)
            return None if method is None else method()
        return printer(value)
    except BaseException as error:  # as for its text
        notes.append(f"Its {one.print_method} raised {line(error_text(error), 300)}")
        return None


def as_json(shown: Shown) -> Json:
    """As a message has it."""
    return {"text": shown.text, "data": dict(shown.data), "notes": list(shown.notes)}
