"""Finds the folder of this user where processes lay down how they are reached."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "CASCADE_RUNTIME_DIR"
_RIGHTS: Final = 0o700
LONGEST_PATH: Final = 100  # bytes; a unix socket's path cannot be longer than about that


def folders() -> list[Path]:
    """Where doors may be: the place that is named, or the session's and the machine's, since a
    colleague's shell and a cron job of one user may know different ones.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return [Path(named)]
    session = os.environ.get("XDG_RUNTIME_DIR")
    # Its owner is looked at before it is used: anybody can make a folder of that name.
    machine = Path(tempfile.gettempdir(), f"cascade_nb-{_user()}")
    return [*([Path(session, "cascade_nb")] if session else []), machine]


def own_folder() -> Path:
    """The first of them that can be used, made where it is missing.

    Raises:
        OSError: none can be, and why the last cannot.
    """
    trouble: OSError | None = None
    for folder in folders():
        try:
            folder.mkdir(mode=_RIGHTS, parents=True, exist_ok=True)
            if (why := not_ours(folder)) is not None:
                raise PermissionError(why)
            return folder
        except OSError as error:
            trouble = error
    assert trouble is not None
    raise trouble


def not_ours(path: Path) -> str | None:
    """Why what lies there is not to be used; None where it is this user's alone.

    Raises:
        OSError: it is not there.
    """
    found = path.lstat()
    if not hasattr(os, "geteuid"):  # Windows: a user's temporary folder is the user's
        return None
    if stat.S_ISLNK(found.st_mode):
        return f"{path} is a link, and could lead anywhere"
    if found.st_uid != os.geteuid():
        return f"{path} is another user's"
    if found.st_mode & 0o077:
        return f"{path} is open to others; `chmod go= {path}` closes it"
    return None


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "own"
