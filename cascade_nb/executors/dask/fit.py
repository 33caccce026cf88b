"""Says why this process and those of a cluster do not understand each other, and what to do."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from cascade_nb.text import readable

OURS: Final = "cascade-nb"
_OF_ALL: Final = ("python", "cloudpickle")
_WORDS: Final = 200  # characters of an error that are shown


def misfit(versions: Mapping[str, Any], imported: Mapping[str, object]) -> str | None:
    """What does not fit, as the end of a sentence; None where all does.

    Args:
        versions: of the scheduler and the workers, as Dask tells them; of the workers with `OURS`.
        imported: by the address of each worker, what a function of this package gave there, or the
            error that it raised.
    """
    workers = {f"worker {address}": one for address, one in versions["workers"].items()}
    differs = _other_version({"its scheduler": versions["scheduler"], **workers}, _OF_ALL)
    if differs is not None:
        return differs
    for address, found in imported.items():
        if isinstance(found, BaseException):
            return f"worker {address} {cannot_import(found)}"
    return _other_version(workers, (OURS,))


def cannot_import(error: BaseException) -> str:
    """What to say of a worker that does not have this package."""
    words = readable(str(error)[:_WORDS])
    return (
        f"cannot import cascade_nb ({type(error).__name__}: {words}): install it there, in the "
        f"version that is here, {version_here(OURS)}"
    )


def version_here(name: str) -> str:
    """The version of a package in this process."""
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:  # it runs from its source
        return "none"


def _other_version(told: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        ours = version_here(name)
        for who, one in told.items():
            theirs = str(one["packages"].get(name) or "none") if one is not None else "none"
            if _compared(name, theirs) != _compared(name, ours):
                return (
                    f"{who} has {name} {theirs}, and this process {ours}: functions cannot travel "
                    "between them; start the cluster from the same environment, or this process "
                    "from the cluster's"
                )
    return None


def _compared(name: str, of: str) -> list[str]:
    """What has to be equal of a version."""
    parts = of.split(".")
    return parts if name == OURS else parts[:2]
