"""Writes files as a whole or not at all, and formats Python where ruff is there to do it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

from cascade_nb.errors import UsageError

_PATIENCE: Final = 60.0  # seconds


def refuse_what_is_there(paths: list[Path], force: bool) -> None:
    """Refuse to write over files, or where there is no folder.

    Raises:
        UsageError: one of them is there and is not to be written over, or has no folder.
    """
    for path in paths:
        try:
            taken = path.exists() and not (force and path.is_file())
        except OSError as error:  # such as a name that is too long
            raise _no_such(path, error) from None
        if taken:
            raise UsageError(f"{path} is there already; --force writes over it, if it is a file")
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent} to write {path.name} to")


def write(files: Mapping[Path, str], force: bool) -> None:
    """Write files, each as a whole; one that is written over keeps who may read and run it, and a
    link stays one.

    Raises:
        UsageError: one of them is there and is not to be written over, or cannot be written.
    """
    for path, text in files.items():
        try:
            real = Path(os.path.realpath(path))
            made = real.with_name(f".cascade-{uuid4().hex[:8]}")
            try:
                made.write_text(text, encoding="utf-8")
                if force and real.exists():
                    shutil.copymode(real, made)
                if force or not _linked(made, real):
                    made.replace(real)
            finally:
                made.unlink(missing_ok=True)
        except FileExistsError:
            raise UsageError(f"{path} is there already; --force writes over it") from None
        except OSError as error:
            raise _no_such(path, error) from None


def _no_such(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path!s:.80} cannot be written: {error.strerror or error}")


def _linked(made: Path, path: Path) -> bool:
    """Give a file its name, unless another has it meanwhile; False where files have one name each.

    Raises:
        FileExistsError: another has it.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError from None
        return False
    return True


def formatted(text: str) -> str:
    """Python as ruff formats it; as it is where there is no ruff."""
    ruff = shutil.which("ruff")
    if ruff is None:
        return text
    try:
        done = subprocess.run(  # noqa: S603 - the user's own ruff
            [ruff, "format", "--quiet", "-"],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return text
    return done.stdout or text
