"""Makes an executor of what stands behind `on=` and `executor=`: a name, or an object.

Another kind has its name in `NAMES`, or its look in `knows`, and its branch in `executor_of`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final
from weakref import WeakValueDictionary

from cascade_nb.errors import UsageError
from cascade_nb.protocols.execution import Executor
from cascade_nb.text import quoted

#: Where the classes of clients and clusters of Dask are defined.
DASKS: Final = frozenset({"distributed", "dask_cloudprovider", "dask_jobqueue", "dask_kubernetes"})
#: What `on=` may be by name.
NAMES: Final = ("threads", "processes", "dask")


class Kinds:
    """Every kind of executor that there is.

    Attributes:
        names: what `on=` may be by name.
    """

    names = NAMES

    def knows(self, name: str) -> bool:
        """Whether a name, or an address, means an executor."""
        return name in NAMES or "://" in name

    def executor_of(self, given: Any) -> Executor:
        """What a name means, or what is made of an object.

        Args:
            given: one that `knows` knows, "thread", or an object.

        Raises:
            UsageError: nothing can be made of it.
        """
        if isinstance(given, str):
            return _by_name(given)
        if type(given).__module__.partition(".")[0] in DASKS:
            return _on_dask(given)
        if callable(getattr(given, "submit", None)) and hasattr(given, "capacity"):
            executor: Executor = given
            return executor
        return _of_pool(given)


_wrapped: Final[WeakValueDictionary[int, Executor]] = WeakValueDictionary()


def _of_pool(pool: Any) -> Executor:
    """The same for the same pool, as long as anybody has it."""
    if isinstance(pool, type) or not callable(getattr(pool, "submit", None)):
        raise UsageError(f"{quoted(pool)} is no executor: it has no method submit()")
    found = _wrapped.get(id(pool))
    if found is None:
        from cascade_nb.executors.futures import (  # noqa: PLC0415 - it loads cloudpickle
            FuturesExecutor,
        )

        # It holds the pool, whose number is no other's meanwhile.
        found = _wrapped[id(pool)] = FuturesExecutor(pool)
    return found


def _on_dask(cluster: Any) -> Executor:
    if find_spec("distributed") is None:
        raise UsageError(
            "Dask is not installed here: pip install 'cascade-nb[dask]', and in every worker too"
        )
    from cascade_nb.executors.dask.executor import DaskExecutor  # noqa: PLC0415 - it loads Dask

    return DaskExecutor(cluster)


def _by_name(name: str) -> Executor:
    if name == "dask" or "://" in name:
        return _on_dask(None if name == "dask" else name)
    if name == "processes":
        from cascade_nb.executors.processes.executor import (  # noqa: PLC0415 - it loads cloudpickle
            ProcessExecutor,
        )

        return ProcessExecutor()
    from cascade_nb.executors.local import LocalExecutor  # noqa: PLC0415

    return LocalExecutor()
