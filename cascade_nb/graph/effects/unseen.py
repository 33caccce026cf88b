"""Finds what code reads without a trace: files that compiled code opens by itself, what other
processes do, whether a file is there, names that are put together while it runs.

The one table of these, by the package that a function is of, since libraries define their functions
elsewhere than where they are known.
"""

from __future__ import annotations

import os
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.uses.given import CONSTANT, GLOBAL, PARAMETER, PlainArgument
from cascade_nb.graph.uses.uses import (
    OF_READERS,
    PATH_METHOD,
    SOME_OBJECT,
    Use,
    may_write,
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What opens files in compiled code; an asterisk at the end stands for anything.
_READERS: Final[dict[str, frozenset[str]]] = {
    "pandas": _names("read_parquet read_orc read_hdf read_spss HDFStore"),
    "polars": _names("read_* scan_*"),
    "pyarrow": _names(
        "read_table read_pandas read_csv open_csv read_json open_json read_feather read_schema"
        " read_metadata ParquetFile ParquetDataset ORCFile dataset parquet_dataset memory_map"
        " OSFile input_stream open_file open_stream"
    ),
    "h5py": _names("File"),
    "tables": _names("open_file File"),
    "netCDF4": _names("Dataset MFDataset"),
    "xarray": _names("open_* load_*"),
    "zarr": _names("open* load"),
    "duckdb": _names("*"),
    "datasets": _names("load_dataset load_from_disk"),
    "geopandas": _names("read_*"),
    "pyogrio": _names("read_* open_*"),
    "fiona": _names("open"),
    "rasterio": _names("open"),
    "osgeo": _names("*"),
    "cv2": _names("imread imreadmulti VideoCapture FileStorage"),
    "soundfile": _names("read info blocks SoundFile"),
    "librosa": _names("load stream"),
    "torchaudio": _names("load info"),
    "torchvision": _names("read_*"),
    "tensorflow": _names("read_file read_* TFRecordDataset TextLineDataset load_model"),
    "lightgbm": _names("Booster Dataset"),
    "xgboost": _names("DMatrix QuantileDMatrix"),
    "faiss": _names("read_index"),
    "onnxruntime": _names("InferenceSession"),
    "safetensors": _names("safe_open load_file"),
    "sentencepiece": _names("SentencePieceProcessor"),
    "pysam": _names("*File"),
    "pyreadstat": _names("read_*"),
    "pyreadr": _names("read_r"),
    "SimpleITK": _names("ReadImage ImageFileReader"),
    "vaex": _names("open*"),
    "ctypes": _names("CDLL PyDLL LoadLibrary"),
    "dbm": _names("open"),
    "shelve": _names("open"),
    "apsw": _names("Connection"),
    "dask": _names("read_* from_zarr"),
    "modin": _names("read_*"),
    "cudf": _names("read_*"),
    "ibis": _names("*"),
    "pyspark": _names("*"),
    "fastparquet": _names("ParquetFile"),
    "deltalake": _names("DeltaTable"),
    "lance": _names("dataset"),
    "anndata": _names("read_*"),
    "scanpy": _names("read*"),
    "rioxarray": _names("open_rasterio"),
    "pymupdf": _names("open Document"),
    "fitz": _names("open Document"),
    "av": _names("open"),
    "catboost": _names("Pool"),
    "fasttext": _names("load_model"),
}
_STARTERS: Final[dict[str, frozenset[str]]] = {
    "subprocess": _names("run call check_call check_output Popen getoutput getstatusoutput"),
    "os": _names("system popen posix_spawn* spawn* exec* fork forkpty startfile"),
    "asyncio": _names("create_subprocess_exec create_subprocess_shell"),
    "multiprocessing": _names("Process Pool Manager get_context"),
    "concurrent": _names("ProcessPoolExecutor"),
    "joblib": _names("Parallel"),
    "loky": _names("*"),
    "pathos": _names("*"),
    "pebble": _names("ProcessPool"),
    "mpire": _names("WorkerPool"),
    "ray": _names("*"),
    "distributed": _names("*"),
    "pexpect": _names("spawn run"),
    "sh": _names("*"),
}
_ASKS: Final = dict.fromkeys(
    ("os", "posixpath", "ntpath", "genericpath"),
    _names(
        "stat lstat access readlink exists lexists isfile isdir islink getsize getmtime getctime"
        " getatime samefile"
    ),
)
_FOLLOWS: Final = _names("access realpath readlink islink lexists lstat samefile")
_PATH_FOLLOWS: Final = _names("is_symlink lstat readlink resolve samefile")
_LOOKUPS: Final = _names(
    "builtins.eval builtins.exec builtins.globals builtins.__import__ importlib.import_module"
    " sys.modules sys._getframe inspect.currentframe inspect.stack pkgutil.resolve_name"
    " pydoc.locate IPython.get_ipython"
)
_OPENERS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("builtins", "io", "_io", "gzip", "bz2", "lzma"), _names("open")),
    **dict.fromkeys(("sqlite3", "_sqlite3", "aiosqlite"), _names("connect")),
    "sqlalchemy": _names("create_engine create_async_engine"),
    "zipfile": _names("ZipFile"),
    "tarfile": _names("open"),
}

_CONTAINERS: Final = frozenset({list, tuple, set, frozenset, dict})
_LOOKED_AT: Final = 1_000
_LONGEST: Final = 1_024  # characters of a path
_MANY: Final = 100
_LIKE_A_PATH: Final = re.compile(r"[^\s/\\]*[/\\][^\n]*|[^\n]+\.\w{1,8}")
_WORD: Final = re.compile(r"[^\s()=,;:'\"{}|]{2,255}")
BUILTINS: Final = _names("eval exec globals __import__ getattr vars open input hash id")
"""Built-in functions that matter here."""

OPENS: Final = "reads files in a way that is not seen"
STARTS: Final = "starts other processes, whose files are not seen"
ASKS: Final = "asks whether files are there"
FOLLOWS: Final = "follows links"  # which is never said, since nothing else comes of most
LOOKS_UP: Final = "looks names up at run time"

FILES: Final = (OPENS, STARTS, ASKS)
LOOKUPS: Final = (LOOKS_UP,)


class Mentions(NamedTuple):
    """Texts in code that may be paths.

    Attributes:
        texts: those.
        absent: whether an argument that leads to nothing and is not like a path counts too.
        below: whether those that lead to a folder mean all that is in it.
        writes: whether the code may write files in a way that is not seen either.
        links: whether it counts where they lead to.
        content: whether it counts what is in them.
        waits: whether all that it asks of files is asked in loops that wait for them.
    """

    texts: tuple[str, ...]
    absent: bool
    below: bool
    writes: bool = False
    links: bool = False
    content: bool = True
    waits: bool = False


def unseen_use(use: Use, name: str, space: Mapping[str, Any], of_task: bool) -> tuple[str, str]:
    """What it means that code uses something, and by which name to tell of it.

    Args:
        use: how it is used.
        name: its full name.
        space: the globals of the code.
        of_task: whether it is the task's own function, whose arguments are known.

    Returns:
        One of the words above, or "", and the name. That name is "" where the file is given as a
        plain argument or a text of the code, so that it can be looked at.
    """
    root, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    if root == PATH_METHOD and last in OF_READERS:
        return OPENS, last
    if root == PATH_METHOD and last == "resolve":
        return "", ""
    if root == PATH_METHOD:
        if len(use.names) == 2 and use.names[0] != SOME_OBJECT:  # of a global path
            use = use._replace(given=(PlainArgument(GLOBAL, use.names[0]),))
        return ASKS, "" if _is_known(use, space, of_task) else name
    if _is_among(last, _ASKS.get(root)):
        told = f"os.{last}" if root == "os" else f"os.path.{last}"
        return ASKS, "" if _is_known(use, space, of_task) else told
    if _is_among(last, _READERS.get(root)):
        return OPENS, "" if _is_known(use, space, of_task) else f"{root}.{last}"
    if _is_among(last, _STARTERS.get(root)):
        return STARTS, f"{root}.{last}"
    if name in _LOOKUPS:
        return LOOKS_UP, name.removeprefix("builtins.")
    if name in ("builtins.getattr", "builtins.vars") and _of_a_module(use, space):
        return LOOKS_UP, name.removeprefix("builtins.")
    return "", ""


def follows_links(name: str) -> bool:
    """Whether it is told by what has this full name where a path leads to."""
    root, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    return last in (_PATH_FOLLOWS if root == PATH_METHOD else _FOLLOWS if root in _ASKS else ())


def opens_for_later(name: str) -> str:
    """By which name to tell of what opens a file that is read later, by whoever it is handed to;
    "" for anything else.
    """
    root, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    if last not in _OPENERS.get(root, ()):
        return ""
    return last if root == "builtins" else f"{root.lstrip('_')}.{last}"


def opens_by_descriptor(code: types.CodeType) -> bool:
    """Whether a body, or one inside it, reaches files by the descriptor of their folder, which
    nobody is told of.
    """
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    named = (one for one in code.co_consts if type(one) is tuple)
    return any("dir_fd" in one for one in named) or any(map(opens_by_descriptor, inner))


def unseen_in_words(found: Mapping[str, Iterable[str]], ways: Iterable[str]) -> list[str]:
    """What is to be said of what was found: "starts other processes …: subprocess.run"."""
    named = [(way, [name for name in found.get(way, ()) if name]) for way in ways]
    return [f"{way}: {', '.join(names)}" for way, names in named if names]


def _is_among(last: str, names: frozenset[str] | None) -> bool:
    if names is None:
        return False
    return last in names or any(
        (one[-1:] == "*" and last.startswith(one[:-1]))
        or (one[:1] == "*" and last.endswith(one[1:]))
        for one in names
    )


def _is_known(use: Use, space: Mapping[str, Any], of_task: bool) -> bool:
    """Whether what is asked of is a text that the code has, or an argument as it was given."""
    if not use.given:
        return False
    kind, name = use.given[0]
    if kind == GLOBAL:
        return issubclass(type(space.get(name)), (str, os.PathLike))
    return kind == CONSTANT or (kind == PARAMETER and of_task)


def _of_a_module(use: Use, space: Mapping[str, Any]) -> bool:
    """Whether names in a module under edit are read, and not one that is written out."""
    if not use.given or use.given[0].kind != GLOBAL:
        return False
    module = space.get(use.given[0].name)
    if not issubclass(type(module), types.ModuleType) or not is_followed(vars(module)):
        return False
    return not any(one.kind == CONSTANT for one in use.given[1:2])


def texts_and_paths_in(value: object) -> Iterator[str]:
    """The texts and paths that a value is, or holds at its surface."""
    kind = type(value)
    if kind is str:
        yield str(value)
    elif issubclass(kind, os.PathLike):
        path: Any = value
        yield os.fsdecode(path)
    elif kind in _CONTAINERS and len(value) <= _LOOKED_AT:  # type: ignore[arg-type]
        held: Any = value
        for one in (*held, *held.values()) if kind is dict else held:
            if type(one) is str or issubclass(type(one), os.PathLike):
                yield os.fsdecode(one)


def is_like_a_path(text: str) -> bool:
    """Whether a text would be a path, where there is no file of that name."""
    if len(text) > _LONGEST or "://" in text:
        return False
    return _LIKE_A_PATH.fullmatch(text) is not None


def may_be_paths(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of the texts in code that may be paths; of very many those that look like one."""
    words = [one for one in dict.fromkeys(texts) if is_like_a_path(one) or _WORD.fullmatch(one)]
    if len(words) > _MANY:
        words = [one for one in words if is_like_a_path(one)]
    return tuple(words)


def mentions_in(
    codes: Iterable[types.CodeType],
    values: Iterable[object],
    unseen: Mapping[str, Iterable[str]],
    waits: bool,
) -> Mentions | None:
    """What code mentions that may be paths; None where that does not matter.

    Args:
        codes, values: all that it leads to.
        unseen: in which of the ways above it reads what is not seen, and by which names.
        waits: see `Mentions.waits`.
    """
    ways = unseen.keys()
    if ways <= {LOOKS_UP}:
        return None
    bodies = list(codes)
    texts = [one for code in bodies for one in texts_of_code(code)]
    texts += [one for value in values for one in texts_and_paths_in(value)]
    writes = STARTS in ways or any(map(may_write, bodies))
    content = not ways <= {LOOKS_UP, FOLLOWS}
    found = may_be_paths(texts)
    follows, waits = FOLLOWS in ways, waits and ASKS in ways
    return Mentions(found, ASKS in ways, OPENS in ways, writes, follows, content, waits)


def texts_of_code(code: types.CodeType) -> Iterator[str]:
    """The texts in a body, and in the bodies inside it."""
    for value in code.co_consts:
        if type(value) is str:
            yield value
        elif type(value) in (tuple, frozenset):
            yield from (one for one in value if type(one) is str)
        elif isinstance(value, types.CodeType):
            yield from texts_of_code(value)
