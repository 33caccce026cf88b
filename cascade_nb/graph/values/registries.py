"""Keys what somebody has registered for the whole process, by which code goes that does not name
it: what finds modules, how objects are copied, handlers of errors and of signals.

What Python and libraries register themselves does not count, so that where nobody else has,
nothing is added to a key.
"""

from __future__ import annotations

import codecs
import copyreg
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.thread_settings import Settings

_Judge = Callable[[Any], bool]


class _Registry(NamedTuple):
    """Something in which functions and classes are registered.

    Attributes:
        words: how a part of a key is called.
        read: what of it is the user's.
        names: those of which a body has to use one; empty for any.
        library: the package that it has to use; "" for any.
    """

    words: str
    read: Callable[[_Judge], Settings]
    names: frozenset[str] = frozenset()
    library: str = ""


def registered(
    names: Collection[str],
    texts: Iterable[str],
    uses: Callable[[str], bool],
    is_of_user: _Judge,
    *,
    imports: bool,
) -> Iterator[tuple[str, Settings]]:
    """What counts of what is registered now, by the words for it.

    Args:
        names: those that code uses.
        texts: those in it.
        uses: tells whether it uses a package.
        is_of_user: tells whether a function, a class or an object is the user's.
        imports: whether it imports anything while it runs.
    """
    for one in _REGISTRIES:
        if one.library and not uses(one.library):
            continue
        if (not one.names or not one.names.isdisjoint(names)) and (held := one.read(is_of_user)):
            yield one.words, held
    if (imports or not _IMPORTING.isdisjoint(names)) and (held := _finders(is_of_user)):
        yield "what finds modules", held
    if not _ENCODING.isdisjoint(names) and (held := _encoding_errors(texts, is_of_user)):
        yield "handlers of errors of encoding", held


def _finders(is_of_user: _Judge) -> Settings:
    found: dict[str, list[Any]] = {"sys.meta_path": sys.meta_path, "sys.path_hooks": sys.path_hooks}
    return {
        f"{where} {n}": one
        for where, held in found.items()
        for n, one in enumerate(held)
        if is_of_user(one)
    }


def _copiers(is_of_user: _Judge) -> Settings:
    table = list(copyreg.dispatch_table.items())
    return {f"{kind.__module__}.{kind.__qualname__}": one for kind, one in table if is_of_user(one)}


def _encoding_errors(texts: Iterable[str], is_of_user: _Judge) -> Settings:
    found = {}
    for one in sorted(set(texts)):
        try:
            handler = codecs.lookup_error(one)
        except (LookupError, ValueError):  # no handler has that name, or none can have it
            continue
        if is_of_user(handler):
            found[one] = handler
    return found


def _archive_formats(is_of_user: _Judge) -> Settings:
    known = sys.modules.get("shutil")
    if known is None:
        return {}
    return {
        f"{way} {name}": one
        for way, held in (("made", known._ARCHIVE_FORMATS), ("unpacked", known._UNPACK_FORMATS))
        for name, one in held.items()
        if any(map(is_of_user, one))
    }


def _signal_handlers(is_of_user: _Judge) -> Settings:
    held = {one.name: signal.getsignal(one) for one in signal.Signals}
    return {name: one for name, one in held.items() if is_of_user(one)}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IMPORTING: Final = _names("import_module __import__ find_spec resolve_name meta_path path_hooks")
_ENCODING: Final = _names(
    "encode decode open read_text write_text str bytes bytearray reconfigure TextIOWrapper"
    " lookup_error read_csv to_csv check_output run Popen"
)
_REGISTRIES: Final = (
    _Registry(
        "how objects are copied",
        _copiers,
        _names("copy deepcopy pickle load loads dump dumps copyreg Pickler replace"),
    ),
    _Registry("the formats of archives", _archive_formats, library="shutil"),
    _Registry("the handlers of signals", _signal_handlers, _names("getsignal raise_signal kill")),
)
