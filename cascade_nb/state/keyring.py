"""Finds or makes the user's key, which signs everything that is kept outside this process."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from cascade_nb.errors import StateError

KEY_SIZE: Final = 32
VARIABLE: Final = "CASCADE_KEY_FILE"

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def user_key() -> bytes:
    """The 32 random bytes of this user, made when they are first asked for.

    They lie in the file that the variable CASCADE_KEY_FILE names, else in `cascade_nb/key` below
    the folder for the data of the user's programs. Kernels that ask for the first time at the same
    moment are given the same key. It blocks for as long as the disk does.

    Raises:
        StateError: the file cannot be made or read, others may read it, or it holds no key. The
            message says what to do.
    """
    path = key_path()
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except StateError:
        raise
    except OSError as error:
        raise StateError(
            f"the key file {path} cannot be made or read: {_because(error)}; mend that, or set "
            f"{VARIABLE} to a file in a folder of your own"
        ) from error


def key_path() -> Path:
    """Where the key of this user is, or will be.

    Raises:
        StateError: there is no telling where this user's files are.
    """
    named = os.environ.get(VARIABLE)
    try:
        if named:
            return Path(named).expanduser().absolute()
        return _data_folder() / "cascade_nb" / "key"
    except RuntimeError as error:
        raise StateError(
            f"this user has no home folder to keep a key in ({error}); set {VARIABLE} to a file in "
            f"a folder that only you can read"
        ) from error


def _data_folder() -> Path:
    """Where programs keep data of a user: as the XDG base directory specification, Apple's and
    Microsoft's guides say.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = os.environ.get("XDG_DATA_HOME", "")
    # what is relative is invalid, says the specification, and to be passed over
    return Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "share"


def _make(path: Path) -> None:
    """Put a new key there, unless another process is quicker."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # made elsewhere under a name of its own, with mode 0600, so that nobody sees half a key
    file, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_SIZE))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # both fail where the name is taken: the first one there wins, and is never replaced
            (os.rename if os.name == "nt" else os.link)(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    # not waiting: what was put there could be a pipe
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(file, "rb") as stream:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise StateError(f"the key file {path} is no file; set {VARIABLE} to one of your own")
        if os.name != "nt" and status.st_mode & _OTHERS:
            raise StateError(
                f"others can use the key file {path} (its mode is {status.st_mode & 0o777:04o}): "
                f"run `chmod 600` on it. If somebody may have read it, delete it instead: what was "
                f"kept under the old key is then computed again"
            )
        key = stream.read(KEY_SIZE + 1)
    if len(key) != KEY_SIZE:
        raise StateError(
            f"the key file {path} has {status.st_size} bytes instead of {KEY_SIZE}: put a copy of "
            f"it back, or delete it; what was kept under the old key is then computed again"
        )
    return key


def _because(error: OSError) -> str:
    if error.errno in {errno.EPERM, errno.EOPNOTSUPP}:  # what `link` says there
        return "its disk has no links, and so cannot keep a file to one user"
    return error.strerror or str(error)
