"""Checks what a cluster says of itself: whether it fits this process, and where its page is."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlsplit

from cascade_nb.text import readable

_OURS: Final = "cascade-nb"
_OF_ALL: Final = ("python", "cloudpickle")
_LINK: Final = 2_000  # characters
_WORDS: Final = 200  # characters of an error that are shown


def misfit(versions: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    """What does not fit of a cluster, as the end of a sentence; None where all does.

    Args:
        versions: of the scheduler and the workers, as Dask tells them.
        there: see `misfit_of`.
    """
    told = {f"worker {address}": one for address, one in versions["workers"].items()}
    told["its scheduler"] = versions["scheduler"]
    packages = {who: one["packages"] if one else {} for who, one in told.items()}
    return _other_version(packages, _OF_ALL) or misfit_of(there)


def misfit_of(there: Mapping[str, Any]) -> str | None:
    """The same of workers.

    Args:
        there: by address, an ident and the `versions_here` of the worker, or what a call of them
            raised.
    """
    for address, found in there.items():
        if isinstance(found, BaseException):
            return f"worker {address} {_cannot_import(found)}"
    told = {f"worker {address}": found[1] for address, found in there.items()}
    return _other_version(told, (*_OF_ALL, _OURS))


def versions_here() -> dict[str, str]:
    """Of what has to be the same on both sides."""
    return {name: _version_here(name) for name in (*_OF_ALL, _OURS)}


def _cannot_import(error: BaseException) -> str:
    words = readable(str(error)[:_WORDS])
    return (
        f"cannot import cascade_nb ({type(error).__name__}: {words}): install it there, in the "
        f"version that is here, {_version_here(_OURS)}"
    )


def safe_link(given: object) -> str | None:
    """The address of a page as it may be shown; None where it is none."""
    link = str(given or "")
    if len(link) > _LINK or not link.isascii() or not link.isprintable() or " " in link:
        return None
    parts = urlsplit(link)
    return link if parts.scheme in {"http", "https"} and parts.hostname else None


def _version_here(name: str) -> str:
    """The version of a package in this process."""
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:  # it runs from its source
        return "none"


def _other_version(told: Mapping[str, Mapping[str, Any]], names: tuple[str, ...]) -> str | None:
    for name in names:
        ours = _version_here(name)
        for who, one in told.items():
            theirs = str(one.get(name) or "none")
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
    return parts if name == _OURS else parts[:2]
