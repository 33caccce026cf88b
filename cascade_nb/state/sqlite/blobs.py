"""Keeps large values in files of their own, named by what is in them.

A digest comes out of a database that anybody may have handed over, so it is not trusted: what is no
digest names no file, links are not followed, and what is no plain file is neither read nor removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cascade_nb.errors import RefusedBlobError
from cascade_nb.text import quoted

FORGOTTEN: Final = 3600.0  # seconds without a write after which nobody still works at a draft

_DIGEST_BYTES: Final = 32
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_AGAIN: Final = "it is not read, and has to be computed again"
_DRAFT: Final = re.compile("[0-9a-f]{32}")
# Without waiting, since what lies there could be a pipe.
_READING: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


class Draft:
    """A file that is written and safe on the disk, but has no name yet by which it is found.

    Attributes:
        digest: of its bytes, in hexadecimal: BLAKE2b with 32 bytes.
        size: in bytes.
    """

    def __init__(self, digest: str, size: int, file: Path, name: Path) -> None:
        self.digest = digest
        self.size = size
        self._file = file
        self._name = name

    def keep(self) -> None:
        """Give it its name, in the place of a file that has the same bytes.

        Raises:
            OSError: the folder cannot be written.
        """
        # Never "there is one already, so this can go": the one that is there may be damaged, which
        # is why the value was computed again.
        _make_own_folder(self._name.parent)
        self._file.replace(self._name)
        _sync(self._name.parent)

    def discard(self) -> None:
        """Have it gone, unless it has its name already."""
        self._file.unlink(missing_ok=True)


class Blobs:
    """A folder of such files: `ab/cdef…` by digest, and `new/` for those that have no name yet.

    A file gets its name, and loses it, only while whoever does it holds the write lock of the
    database beside it. Thus no file goes between the moment that somebody relies on it and the
    moment that their row is there.

    Args:
        folder: is made, with mode 0700, when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / "new"

    def write(self, chunks: Iterable[bytes | memoryview]) -> Draft:
        """Write a file, with mode 0600, and have the disk confirm it.

        Raises:
            OSError: the disk is full or cannot be written; nothing is left of it.
        """
        make_folder(self._folder)
        _make_own_folder(self._drafts)
        file = self._drafts / secrets.token_hex(16)
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        size = 0
        fd = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(fd, "wb") as out:
                for chunk in chunks:
                    digest.update(chunk)
                    size += out.write(chunk)
                out.flush()
                os.fsync(fd)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return Draft(digest.hexdigest(), size, file, self._path(digest.hexdigest()))

    def read(self, digest: str) -> bytearray:
        """The bytes of a file.

        Raises:
            RefusedBlobError: the digest is none, or what lies there is a link or no plain file.
            FileNotFoundError: there is none with this digest.
            OSError: it cannot be read.
        """
        path = self._path(digest) if is_digest(digest) else None
        if path is None or path.parent.is_symlink() or path.is_symlink():
            raise RefusedBlobError(
                f"{quoted(digest, 80)} names no file of {self._folder}; {_AGAIN}"
            )
        fd = os.open(path, _READING)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise RefusedBlobError(f"{path} is no plain file; {_AGAIN}")
        with os.fdopen(fd, "rb", buffering=0) as file:
            data = bytearray(status.st_size)
            view, filled = memoryview(data), 0
            while filled < len(data) and (count := file.readinto(view[filled:])):
                filled += count
            view.release()
        del data[filled:]
        return data

    def remove(self, digest: str) -> None:
        """Have a file gone, if it is there; anything else that is called so stays.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self._path(digest) if is_digest(digest) else None
        if path is not None and not path.parent.is_symlink() and _is_plain(path):
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove drafts that processes left behind which ended while they wrote them."""
        if self._drafts.is_symlink() or not self._drafts.is_dir():
            return
        for file in self._drafts.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its writer was faster
                ours = _DRAFT.fullmatch(file.name) and _is_plain(file)
                if ours and time.time() - file.lstat().st_mtime > FORGOTTEN:
                    file.unlink()

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]


def is_digest(digest: Any) -> bool:
    """Whether it can be the name of a file here: 64 hexadecimal digits."""
    return isinstance(digest, str) and _DIGEST.fullmatch(digest) is not None


def _is_plain(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _make_own_folder(folder: Path) -> None:
    """`make_folder` for one of this folder's own, which is never a link to somewhere else.

    Raises:
        OSError: it is one, or cannot be made.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "a folder of results is a link to another place", str(folder))
    make_folder(folder)


def make_folder(folder: Path) -> None:
    """Have a folder there; what is missing on the way to it gets mode 0700.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):  # somebody else was faster; or it is a file, and
        folder.mkdir(0o700)  # then whoever writes into it hears of that
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Have the disk confirm what the files of a folder are called."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
