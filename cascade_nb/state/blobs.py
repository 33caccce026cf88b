"""Large values in files of their own, named by what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FORGOTTEN: Final = 3600.0  # seconds without a write after which nobody still works at a draft

_DIGEST_BYTES: Final = 32


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
        make_folder(self._name.parent)
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
        make_folder(self._drafts)
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
            FileNotFoundError: there is none with this digest.
            OSError: it cannot be read.
        """
        with self._path(digest).open("rb", buffering=0) as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            view, filled = memoryview(data), 0
            while filled < len(data) and (count := file.readinto(view[filled:])):
                filled += count
            view.release()
        del data[filled:]
        return data

    def remove(self, digest: str) -> None:
        """Have a file gone, if it is there.

        Raises:
            OSError: the folder cannot be written.
        """
        self._path(digest).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove drafts that processes left behind which ended while they wrote them."""
        with contextlib.suppress(FileNotFoundError):
            for file in self._drafts.iterdir():
                with contextlib.suppress(FileNotFoundError):  # its writer was faster
                    if time.time() - file.stat().st_mtime > FORGOTTEN:
                        file.unlink()

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]


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
