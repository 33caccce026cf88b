"""Notices which files a task opens, to read or to write, by an audit hook of Python.

Python tells its audit hooks of each file that is opened, whoever opens it: `open`, `pathlib`,
pandas, NumPy. The hook here finds the attempt in whose context that happens and notes the file's
size and time as they are just before it is opened, so that whatever is written later makes it
another.

A thread that a task starts itself has no context of the task before Python 3.14. From 3.12 on its
start is told of, in the task's own context. What else a thread of the user's reads counts for each
task that is running at that moment: rather one that runs again for nothing than one that should
have. For the same reason what it writes is no task's own.

What cannot be seen are files that compiled code or another process opens by itself. Where code uses
what is known to do so, and of the command of a process, those files count that are mentioned: by an
argument, or by a text in the code. That this may not be all is said in plans.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, Protocol

from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.files.code_reads import (
    files_read,
    files_unpickled,
    is_outdated,
    lists_for_import,
)
from cascade_nb.engine.files.databases import file_of, said_by
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.variable_reads import listen_to_environment
from cascade_nb.file_stamps import FileStamp

_NO_VERSION: Final = "0,0,0"  # as the stamp of a file: one that never stands
_OWN_THREADS: Final = "cascade"  # how the names of this package's threads begin


class FileUser(Protocol):
    """An attempt at a node, or what stands for it.

    Attributes:
        files: what it has opened; None for nothing.
    """

    files: OpenedFiles | None

    @property
    def index(self) -> int | None:
        """Which node runs; None for none just now."""

    @property
    def driver(self) -> DrivenRun:
        """Whose node it is."""


class Running(Protocol):
    """A run whose tasks open files."""

    def files_in_flight(self) -> list[OpenedFiles]:
        """Where to note what cannot be told to be of one task."""


class ReadByOthers(OpenedFiles):
    """Notes for a task what a thread reads that may be another's; what it writes is not the task's.

    Args:
        files: where the task's files are noted.
    """

    __slots__ = ()

    def __init__(self, files: OpenedFiles) -> None:
        for name in OpenedFiles.__slots__:
            if name != "__weakref__":
                setattr(self, name, getattr(files, name))

    def wrote(self, path: Any, whole: bool = True) -> None:
        """It is the business of whoever wrote it."""

    def made(self, folder: Any) -> None:
        """Likewise."""

    def went(self) -> None:
        """Likewise."""

    def set_variable(self, variable: str) -> None:
        """Likewise."""

    def connected(self, database: str, changes: bool) -> None:
        """It counts as something that was read."""
        super().connected(database, False)


class InlineFiles:
    """Stands for the attempt where functions run inline, one after the other.

    Attributes:
        driver: whose functions they are.
        files: what the one that runs now has opened; None for nothing.
    """

    __slots__ = ("driver", "files")

    def __init__(self, driver: DrivenRun) -> None:
        self.driver = driver
        self.files: OpenedFiles | None = None

    @property
    def index(self) -> int | None:
        """Which node runs."""
        return self.driver.inline


user_here: ContextVar[FileUser | None] = ContextVar("cascade_attempt", default=None)
"""The attempt whose body is running here, or what stands for it where functions run inline."""

_of_threads: weakref.WeakKeyDictionary[threading.Thread, OpenedFiles] = weakref.WeakKeyDictionary()
_runs: weakref.WeakSet[Running] = weakref.WeakSet()
_installing: Final = threading.Lock()
_installed = False
_looking = threading.local()  # set while the hook itself looks at a file


def listen(run: Running) -> None:
    """Notice what the tasks of a run open. The hook is there once for the process, since it cannot
    be taken away again.
    """
    global _installed  # noqa: PLW0603 - of the process, as the hook is
    with _installing:
        _runs.add(run)
        if not _installed:
            sys.addaudithook(_heard)
            listen_to_environment(_concerned)
            _installed = True


def _heard(event: str, args: tuple[Any, ...]) -> None:
    # It is called for very much, `id()` for one: what does not concern it costs a look. It is
    # called still when the interpreter, at its end, has taken this module's names away.
    acts = _ACTS
    if acts is None or event not in acts or getattr(_looking, "now", False):
        return
    act = acts[event]
    _looking.now = True
    try:
        frame = sys._getframe(1)
        for files in _concerned():
            # A path that is none is the caller's error, and is told by what was called.
            with contextlib.suppress(OSError, ValueError, TypeError):
                act(files, frame, *args)
    finally:
        _looking.now = False


def _concerned() -> Iterable[OpenedFiles]:
    """Where to note what happens in this thread."""
    here = files_here()
    if here is not None:
        return () if here.closed else (here,)
    thread = threading.current_thread()
    if thread is threading.main_thread() or thread.name.startswith(_OWN_THREADS):
        return ()  # a cell, or this package
    of_starter = _of_threads.get(thread)
    if of_starter is not None and not of_starter.closed:
        return (of_starter,)
    return [ReadByOthers(files) for run in list(_runs) for files in run.files_in_flight()]


def files_here() -> OpenedFiles | None:
    """What the task in whose context this is opens; None outside of a task."""
    user = user_here.get()
    if user is None or user.index is None:  # what an inline function asked for comes later
        return None
    return files_of(user)


def files_of(user: FileUser) -> OpenedFiles:
    """What a task opens."""
    if user.files is None:
        assert user.index is not None
        files = user.driver.files
        user.files = OpenedFiles(files.tracks(user.index), owner=files.owner(user.index))
    return user.files


def _open(files: OpenedFiles, frame: FrameType, path: Any, mode: Any, flags: int) -> None:
    if not isinstance(path, int):
        for file in files_read(frame, path):
            files.opened(file, flags)


def _unpickle(files: OpenedFiles, frame: FrameType, module: Any, name: Any) -> None:
    for file in files_unpickled(frame, str(module)):
        files.opened(file, os.O_RDONLY)
        if is_outdated(file):  # then what runs is nothing that this version of it says
            files.add(frozenset({FileStamp(file, _NO_VERSION)}))


def _list(files: OpenedFiles, frame: FrameType, path: Any = None) -> None:
    if not isinstance(path, int) and not lists_for_import(frame):
        files.listed(path)


def _glob(
    files: OpenedFiles, frame: FrameType, pattern: Any, recursive: Any, root: Any, *_: Any
) -> None:
    files.globbed(os.fsdecode(pattern) if root is None else os.path.join(root, pattern))  # noqa: PTH118


def _glob_path(files: OpenedFiles, frame: FrameType, path: Any, pattern: Any) -> None:
    files.globbed(os.path.join(path, os.fsdecode(pattern)))  # noqa: PTH118 - a text is wanted


def _glob_below(files: OpenedFiles, frame: FrameType, path: Any, pattern: Any) -> None:
    files.globbed(os.path.join(path, "**", os.fsdecode(pattern)))  # noqa: PTH118 - likewise


def _connect(files: OpenedFiles, frame: FrameType, database: Any) -> None:
    changes, attached = said_by(frame)
    for file in (file_of(database), *attached):
        if file is not None:
            files.connected(file, changes)


def _make(files: OpenedFiles, frame: FrameType, path: Any, *_: Any) -> None:
    files.made(path)


def _go(files: OpenedFiles, frame: FrameType, path: Any) -> None:
    files.went()


def _move(files: OpenedFiles, frame: FrameType, source: Any, target: Any, *_: Any) -> None:
    files.wrote(source)
    files.wrote(target)


def _link(files: OpenedFiles, frame: FrameType, source: Any, target: Any, *_: Any) -> None:
    files.wrote(target)


def _truncate(files: OpenedFiles, frame: FrameType, path: Any, length: Any) -> None:
    if not isinstance(path, int):
        files.wrote(path, whole=length == 0)


def _load(files: OpenedFiles, frame: FrameType, library: Any) -> None:
    if isinstance(library, (str, bytes)):
        files.started([os.fsdecode(library)], None)


def _remove(files: OpenedFiles, frame: FrameType, path: Any, *_: Any) -> None:
    files.wrote(path)


def _open_process(
    files: OpenedFiles, frame: FrameType, program: Any, args: Any, folder: Any, variables: Any
) -> None:
    words: Any = [args] if isinstance(args, (str, bytes, os.PathLike)) else args
    command = [program, *words] if program is not None else words
    files.started(command, folder, own_environment=variables is None)


def _command(files: OpenedFiles, frame: FrameType, command: Any) -> None:
    files.started([command], None)


def _spawn(
    files: OpenedFiles, frame: FrameType, program: Any, args: Any, variables: Any = None
) -> None:
    own = variables is None or variables is os.environ
    files.started([program, *args], None, own_environment=own)


def _start(files: OpenedFiles, frame: FrameType, function: Any, *_: Any) -> None:
    """A thread is about to be started."""
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread) and not thread.name.startswith(_OWN_THREADS):
        _of_threads[thread] = files


_ACTS: Final[dict[str, Callable[..., None]]] = {
    "open": _open,
    "pickle.find_class": _unpickle,
    "os.listdir": _list,
    "os.scandir": _list,
    "os.chdir": _go,
    "os.mkdir": _make,
    "os.rename": _move,
    "os.remove": _remove,
    "os.link": _link,
    "os.symlink": _link,
    "os.truncate": _truncate,
    "ctypes.dlopen": _load,
    "glob.glob/2": _glob,
    "pathlib.Path.glob": _glob_path,
    "pathlib.Path.rglob": _glob_below,
    "sqlite3.connect": _connect,
    "subprocess.Popen": _open_process,
    "os.system": _command,
    "os.posix_spawn": _spawn,
    "_thread.start_new_thread": _start,
    "_thread.start_joinable_thread": _start,
}
