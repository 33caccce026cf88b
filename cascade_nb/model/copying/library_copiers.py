"""Copies values that are no containers of the language: buffers, arrays, frames, random generators.
Nothing here imports their libraries: the user has, where there is such a value.
"""

from __future__ import annotations

import array
import copy
import decimal
import enum
import gc
import io
import random
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from cascade_nb.model.containers.arrays import array_kind
from cascade_nb.model.copying.figures import figure_copy, figure_of, is_drawn, same_in
from cascade_nb.model.copying.immutable import FROZEN


class OneCopy(Protocol):
    """One copy of a value on its way, as those see it who copy a part of it.

    Attributes:
        born: whether the value comes from a body just now.
        own_arrays: whether large arrays are copied, too.
    """

    born: bool
    own_arrays: bool

    def part(self, value: Any) -> Any:
        """`value` itself where nobody can change it, else what stands for it in the copy."""

    def keep(self, value: Any, copy: Any) -> Any:
        """Remember that `copy` stands for `value`, and give it back."""


Copier = Callable[[OneCopy, Any], Any]

LARGE: Final = 1 << 18
"""Bytes from which on an array is handed out read-only instead of copied."""

_FEW_CELLS: Final = LARGE // 8
"""Up to so many a frame is copied …"""
_CELLS: Final = 1 << 21
"""… and up to so many one with arrays of pandas' own, in milliseconds."""

# Libraries whose objects are data and say themselves how they are copied: estimators, graphs,
# sparse matrices, modules of a network. Objects of others may stand for more than they hold.
COPIES_WELL: Final = frozenset(
    {
        "sklearn", "scipy", "statsmodels", "networkx", "xgboost", "lightgbm", "catboost", "torch",
        "PIL", "xarray", "xml", "lxml",
    }
)  # fmt: skip
_VIEWS: Final[tuple[type, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
_COPIED: Final = (
    bytearray, array.array, io.BytesIO, io.StringIO, random.Random, decimal.Context,
)  # fmt: skip


def library_copier(cls: type) -> Copier | None:
    """How such values of `cls` are copied; None where this room does not know them."""
    if issubclass(cls, _COPIED):
        return lambda copying, value: copying.keep(value, copy.copy(value))
    if cls in _VIEWS:
        return _view
    if cls is memoryview:
        return _memory
    kind = array_kind(cls)
    if kind == "array":
        return _array
    if kind == "frame":
        return _frame
    if is_drawn(cls):
        return _drawing
    library = library_of(cls)
    if library == "pandas" and hasattr(cls, "_concat_same_type"):  # an array of pandas' own
        return lambda copying, value: copying.keep(value, value.copy())
    if library == "polars" and cls.__name__ in ("DataFrame", "Series"):
        return lambda copying, value: copying.keep(value, value.clone())
    if library in COPIES_WELL or (library == "numpy" and "random" in cls.__module__):
        return lambda copying, value: copying.keep(value, copy.deepcopy(value))
    return None


def own_copier(cls: type) -> Copier | None:
    """How values of `cls` are copied by its own `__deepcopy__`, as pydantic's models are; None
    where it has none.

    A class that only says how it is pickled may stand for a connection, and would be connected anew
    for each reader.
    """
    if issubclass(cls, (type, enum.Enum)) or not callable(getattr(cls, "__deepcopy__", None)):
        return None
    return _by_its_own_way


def _by_its_own_way(copying: OneCopy, value: Any) -> Any:
    try:
        return copying.keep(value, copy.deepcopy(value))
    except Exception:  # a handle inside, say: everybody is given the same one
        return value


def library_of(cls: type) -> str:
    """The name of the package that a class comes from."""
    return str(cls.__module__).partition(".")[0]


def is_buffer(value: Any) -> bool:
    """Whether it is a plain piece of memory."""
    return isinstance(value, (bytearray, array.array, memoryview))


def _drawing(copying: OneCopy, value: Any) -> Any:
    """A figure of one's own, and what is on it."""
    figure = figure_of(value)
    if figure is None:
        return value
    if value is figure:
        return copying.keep(value, figure_copy(figure))
    new = copying.part(figure)
    return copying.keep(value, same_in(new, figure, value) or value)


def _view(copying: OneCopy, value: Any) -> Any:
    """The keys, values or items of a dict: those of the copy that stands for it."""
    held = copying.part(gc.get_referents(value)[0])
    name = type(value).__name__.rpartition("_")[2]
    return copying.keep(value, getattr(held, name)())


def _memory(copying: OneCopy, value: memoryview) -> Any:
    """A view of memory of its own; that of bytes, which nobody can change, is shared."""
    if type(value.obj) is bytes:
        return value
    data: Any = value.tobytes() if value.readonly else bytearray(value.tobytes())
    own: Any = memoryview(data)
    return copying.keep(value, own.cast(value.format, value.shape))


def _array(copying: OneCopy, value: Any) -> Any:
    """Small arrays and those of objects are copied. Large ones cannot be written to."""
    if value.dtype.hasobject:
        new = copying.keep(value, value.copy(order="K"))
        if value.dtype.kind == "O" and not FROZEN.issuperset(map(type, value.ravel().tolist())):
            for place, held in sys.modules["numpy"].ndenumerate(value):
                new[place] = copying.part(held)
        return _like(new, value)
    if value.nbytes < LARGE or copying.own_arrays or hasattr(value, "mask"):
        return copying.keep(value, _like(value.copy(order="K"), value))
    if not copying.born:
        view = value.view()
        view.flags.writeable = False
        return copying.keep(value, view)
    if _is_another_s(value):
        value_of_its_own = value.copy(order="K")
        value_of_its_own.flags.writeable = False
        return copying.keep(value, value_of_its_own)
    return copying.keep(value, _locked(value))


def _like(new: Any, old: Any) -> Any:
    if not old.flags.writeable:
        new.flags.writeable = False
    return new


def _is_another_s(value: Any) -> bool:
    """Whether the memory of a writable array is, or may be, somebody else's too."""
    numpy = sys.modules["numpy"]
    while value.base is not None:
        held = value.base
        if not isinstance(held, numpy.ndarray):
            return bool(value.flags.writeable)  # memory of a file, of another library
        if held.flags.writeable and sys.getrefcount(held) > _ONLY_A_BASE:
            return True
        value = held
    return False


def _references(value: Any) -> int:
    """As `_is_another_s` counts those of an array that is only the base of another."""
    held = value.base
    return sys.getrefcount(held)


def _locked(value: Any) -> Any:
    """`value`, which nobody can write to any more, not through what it was made of either."""
    numpy = sys.modules["numpy"]
    at = value
    while isinstance(at, numpy.ndarray):
        at.flags.writeable = False
        at = at.base
    return value


class _View:
    def __init__(self) -> None:
        self.base = object()


_ONLY_A_BASE: Final = _references(_View())
"""How many references there are to what only an array's `base` refers to, as `_is_another_s` looks
at it; more are somebody's."""


def _frame(copying: OneCopy, value: Any) -> Any:
    """A copy that shares memory until one of the two is written to, where pandas does that."""
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.Index):
        return copying.keep(value, value.view() if hasattr(value, "view") else value)
    new = copying.keep(value, value.copy(deep=_is_copied_whole(pandas, value)))
    for name in value._metadata:  # attributes that subclasses hand on
        if name.lstrip("_") != "name" and hasattr(value, name):
            object.__setattr__(new, name, copying.part(getattr(value, name)))
    if hasattr(value, "columns"):
        for place, kind in enumerate(value.dtypes.to_numpy()):
            if kind.kind == "O":
                held = value.iloc[:, place]
                if not FROZEN.issuperset(map(type, held.tolist())):
                    new.isetitem(place, _own_items(copying, held))
    elif value.dtype.kind == "O" and not FROZEN.issuperset(map(type, value.tolist())):
        new = copying.keep(value, _own_items(copying, value))
    return new


def _is_copied_whole(pandas: Any, value: Any) -> bool:
    """Whether a frame shares nothing with its copy: where pandas does not copy on write, and, if it
    is not large, because pandas does not see who writes to the array of a column.

    Of plain kinds that is only `df["n"].array`, of pandas' own `df["n"].values` too.
    """
    if not copies_on_write(pandas) or value.size <= _FEW_CELLS:
        return True
    if value.size > _CELLS:
        return False
    kinds = value.dtypes if hasattr(value, "columns") else [value.dtype]
    return any(_is_of_pandas_own(pandas, kind) for kind in kinds)


def _is_of_pandas_own(pandas: Any, kind: Any) -> bool:
    """Whether a column has an array of pandas' own that can be written to."""
    if isinstance(kind, pandas.StringDtype):
        return bool(kind.storage == "python")
    if isinstance(kind, sys.modules["numpy"].dtype):
        return bool(kind.kind in "mM")
    return not isinstance(kind, getattr(pandas, "ArrowDtype", ()))


def _own_items(copying: OneCopy, series: Any) -> Any:
    own = series.copy(deep=True)
    items: Callable[[Any], Any] = copying.part
    own[:] = sys.modules["numpy"].array([None, *map(items, series.tolist())], dtype=object)[1:]
    return own


def copies_on_write(pandas: Any) -> bool:
    """Whether a frame's copy shares memory until one of the two is written to."""
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    try:
        return pandas.get_option("mode.copy_on_write") is True
    except Exception:  # pandas before 1.5 does not know the option
        return False
