"""Finds the processes of this user that can be asked: kernels with our magics, and scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from cascade_nb.door.callers import PATIENCE, Caller, NoAnswerError, SocketCaller
from cascade_nb.door.folder import folders, not_ours
from cascade_nb.door.protocol import Request

T = TypeVar("T")
_AT_ONCE: Final = 16
_GONE: Final = 3  # processes of which each is named


class Silent(str):
    """Why somebody who is there did not answer, as where the process is stopped or very busy."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Who was found.

    Attributes:
        callers: who can be asked.
        skipped: who cannot, and why, each in a line.
    """

    callers: list[Caller]
    skipped: list[str]


def neighbours() -> Neighbours:
    """All of this machine; what is in the way of one hides none of the others."""
    skipped: list[str] = []
    kernels = _all(_kernel, _connection_files(), skipped)
    callers: list[Caller] = [kernel for kernel in kernels if kernel is not None]
    for folder in folders():
        try:
            why = not_ours(folder)
            if why is not None:
                skipped.append(why)
                continue
            found = sorted(path for path in folder.iterdir() if path.suffix in (".sock", ".json"))
        except OSError:  # nobody has had a door there yet
            continue
        callers += [SocketCaller(path) for path in found]
    return Neighbours(callers, skipped)


def ask_all(
    callers: Iterable[Caller], request: Request, skipped: list[str]
) -> list[tuple[Caller, dict[str, Any]]]:
    """What each of them answers, at the same time; who does not is said in `skipped`."""
    return ask_each([(caller, request) for caller in callers], skipped)


def ask_each(
    questions: list[tuple[Caller, Request]], skipped: list[str], patience: float = PATIENCE
) -> list[tuple[Caller, dict[str, Any]]]:
    """The same, where each is asked something of its own."""

    def ask(question: tuple[Caller, Request]) -> tuple[Caller, dict[str, Any]]:
        caller, request = question
        return caller, caller.ask(request, patience)

    return _all(ask, questions, skipped)


def _kernel(path: Path) -> Caller | None:
    """The kernel of a connection file; None for one without our magics."""
    from cascade_nb.door.kernel_caller import (  # noqa: PLC0415 - pyzmq only where there are kernels
        KernelCaller,
    )

    caller = KernelCaller(path)
    return caller if caller.has_magics() else None


def _connection_files() -> list[Path]:
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - a tenth of a second

    return sorted(Path(jupyter_runtime_dir()).glob("kernel-*.json"))


def _all(work: Callable[[Any], T], of: list[Any], skipped: list[str]) -> list[T]:
    """What comes of each; what is in the way of one is said."""
    if not of:
        return []
    found: list[T] = []
    gone: list[str] = []
    with ThreadPoolExecutor(min(_AT_ONCE, len(of)), "cascade-ask") as pool:
        for made in [pool.submit(work, one) for one in of]:
            try:
                found.append(made.result())
            except NoAnswerError as error:
                why = Silent(error) if error.silent else str(error)
                (gone if error.gone else skipped).append(why)
    if len(gone) > _GONE:
        gone = [f"{len(gone)} processes are gone, and with them what they left"]
    skipped += gone
    return found
