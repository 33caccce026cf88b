"""Settings that each thread has for itself, carried from whoever starts a run to its tasks.

scikit-learn's configuration is one: what `sklearn.set_config` says in a cell would not be known in
the thread of a task. What is a context variable, as NumPy's and decimal's settings are, travels by
itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

Settings = Mapping[str, Any]

_SKLEARN: Final = {
    "assume_finite": False, "array_api_dispatch": False, "transform_output": "default",
    "enable_metadata_routing": False, "skip_parameter_validation": False,
    "sparse_interface": "spmatrix",
}  # fmt: skip
_carried: ContextVar[Settings | None] = ContextVar("cascade_thread_settings", default=None)


def sklearn_config() -> Settings:
    """What is set of scikit-learn's configuration where the run was asked for, but for how it
    displays.
    """
    carried = _carried.get()
    return _of_this_thread() if carried is None else carried


def with_settings(*, again: bool = True) -> Context:
    """A copy of the context of this thread, in which what is set in it counts, wherever it goes.

    Args:
        again: also where something was taken along already.
    """
    context = copy_context()
    if again or _carried.get() is None:
        context.run(_carried.set, _of_this_thread())
    return context


def as_carried() -> AbstractContextManager[Any] | None:
    """Sets in this thread what was taken along; None where that is nothing."""
    carried = _carried.get()
    if not carried:
        return None
    context: AbstractContextManager[Any] = sys.modules["sklearn"].config_context(**carried)
    return context


def _of_this_thread() -> Settings:
    sklearn = sys.modules.get("sklearn")
    if sklearn is None or not hasattr(sklearn, "get_config"):  # or it is being imported just now
        return {}
    held = sklearn.get_config()
    return {name: held[name] for name, usual in _SKLEARN.items() if held.get(name, usual) != usual}
