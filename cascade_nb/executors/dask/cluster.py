"""Speaks with a Dask cluster: the only file that knows `distributed`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from dask.sizeof import sizeof
from distributed import Client, LocalCluster, get_worker, rpc
from distributed.core import Status
from distributed.utils import get_mp_context

from cascade_nb.errors import ClusterError
from cascade_nb.executors.dask.fit import misfit, misfit_of, safe_link, versions_here
from cascade_nb.executors.dask.own_process import OwnProcess
from cascade_nb.executors.dask.seats import Worker
from cascade_nb.text import readable

_LOOK: Final = 1.0  # seconds between two looks at the workers of a cluster of our own
_ENDED: Final = (Status.closed, Status.failed)


async def _answers(address: str, security: Any, patience: float) -> None:
    """Ask a scheduler for its name: a `Client` would wait for ever for one that says nothing."""
    arguments = {} if security is None else security.get_connection_args("client")
    remote = rpc(address, connection_args=arguments)
    try:
        await asyncio.wait_for(remote.identity(), patience)
    finally:
        await remote.close_rpc()


class Cluster:
    """One connection to a cluster.

    Args:
        where: its address, or a `Client` or a `LocalCluster` that somebody else has; None for one
            of our own on this machine.
        patience: seconds in which a scheduler has to answer.
        workers: how many processes one of our own has.

    Attributes:
        address: where its scheduler is.
        topic: of what workers tell of calls from here.
        dashboard: the address of Dask's own page; None where there is none.
        fitting: the idents of workers that fitted when it was connected to.

    Raises:
        ClusterError: it does not answer, or does not fit.
    """

    def __init__(self, where: Any, patience: float, workers: int) -> None:
        self._process: OwnProcess | None = None
        security = getattr(where, "security", None)
        address = address_of(where)
        if address is None:
            self._process = OwnProcess(workers)
            address = self._process.address
        self.address = address
        try:
            with ThreadPoolExecutor(1) as pool:  # in this thread a loop may run
                pool.submit(asyncio.run, _answers(address, security, patience)).result()
            self._client = Client(
                address,
                timeout=patience,
                security=security,
                set_as_default=False,
                name="cascade",
            )
        except (OSError, ValueError, TypeError, asyncio.TimeoutError) as error:
            self._end_process()
            raise ClusterError(
                f"no Dask scheduler answers at {readable(address)} within {patience:g} s "
                f"({type(error).__name__}): start one there, or give another address; 'dask' "
                "makes one on this machine"
            ) from error
        self.topic = f"cascade-{self._client.id}"
        self.dashboard: str | None = None
        self.fitting: set[str] = set()
        try:
            self._check_fit()
            self.dashboard = self._dashboard()
        except BaseException:
            self.close()
            raise

    @property
    def is_up(self) -> bool:
        """Whether the scheduler is there, as far as is known."""
        return bool(self._client.status == "running")

    @property
    def is_own(self) -> bool:
        """Whether its workers are of this machine, and others come where they end."""
        return self._process is not None

    def listen(
        self, told: Callable[[bytes], object], came_or_went: Callable[[Mapping[str, Any]], object]
    ) -> None:
        """Hear what workers tell, and which of them come and go; on a thread of Dask's."""
        self._client.subscribe_topic(self.topic, lambda event: told(event[1]))
        self._client.subscribe_topic("all", lambda event: came_or_went(event[1]))

    def workers(self) -> list[Worker]:
        """Those that there are.

        Raises:
            ClusterError: nobody answers.
        """
        try:
            # Only the scheduler is asked: a worker that was just killed would not answer for long.
            told = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise ClusterError(f"the Dask scheduler at {self.address} is gone: {error}") from error
        return [
            Worker(
                address, one["local_directory"], one["nthreads"], dict(one.get("resources") or {})
            )
            for address, one in told.items()
        ]

    def submit(
        self,
        function: Callable[..., Any],
        keys: Sequence[str],
        calls: Sequence[Any],
        inputs: Sequence[Sequence[Any]],
        worker: str,
        priority: int,
        resources: Mapping[str, float],
    ) -> list[Any]:
        """Have calls made by one worker and by no other; gives their futures.

        Args:
            function: is called with one of `calls` and one of `inputs`, for each key.
            keys: by which the cluster knows the results.
            calls: bytes.
            inputs: of each call, the futures of what it reads.
            worker: its address.
            priority: the higher goes first.
            resources: what each of them takes of what the worker has.
        """
        made: list[Any] = self._client.map(
            function,
            list(calls),
            [list(one) for one in inputs],
            key=list(keys),
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
            priority=priority,
            resources=dict(resources) or None,
        )
        return made

    def scatter(self, value: Any) -> Any:
        """The future of a value that goes to the cluster as it is."""
        return self._client.scatter(value, hash=False)

    def gather(self, future: Any) -> Any:
        """The value of a future, here; it waits.

        Raises:
            ClusterError: it is gone.
        """
        if future.status != "finished":
            raise ClusterError("it is not on the cluster any more")
        try:
            return self._client.gather(future)
        except Exception as error:
            raise ClusterError(f"{type(error).__name__}: {error}") from error

    def ask_back(
        self, function: Callable[..., list[str]], worker: str, keys: Sequence[str]
    ) -> set[str]:
        """The keys of those calls that a worker has not begun and never will; waits for it.

        Args:
            function: what asks there.
            worker: its address.
            keys: of calls that it was given.

        Raises:
            ClusterError: nobody answers.
        """
        try:
            found = self._client.run(function, list(keys), workers=[worker])
        except Exception as error:
            raise ClusterError(f"{worker} does not answer: {error}") from error
        return {key for given_back in found.values() for key in given_back}

    def misfit(self, worker: str) -> str | None:
        """What does not fit of a worker that came later, in words; waits for it.

        Raises:
            ClusterError: it does not answer.
        """
        try:
            there = self._about([worker])
        except Exception as error:
            raise ClusterError(f"{worker} does not answer: {error}") from error
        return misfit_of(there)  # where it is gone nothing; that is told otherwise

    def cancel(self, futures: Sequence[Any]) -> None:
        """Have those not begun that are not; waits for the scheduler."""
        self._client.cancel(list(futures), force=True)

    def restart(self, worker: str) -> None:
        """End the process of a worker; another takes its place.

        Raises:
            ClusterError: nobody would start another.
        """
        try:
            self._client.restart_workers([worker], raise_for_error=False)
        except ValueError as error:  # it has no nanny
            raise ClusterError(f"{worker} cannot be restarted from here: {error}") from error

    def close(self) -> None:
        """Leave it, and end it where it is our own."""
        self._client.close(timeout=2)
        self._end_process()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.end()

    def _about(self, workers: list[str] | None) -> dict[str, Any]:
        """By address, what workers say of themselves; nothing of those that are gone."""
        told = self._client.run(_about, workers=workers, on_error="return")
        return {who: one for who, one in told.items() if not isinstance(one, OSError)}

    def _dashboard(self) -> str | None:
        if self.is_own and importlib.util.find_spec("bokeh") is None:
            return None  # it would say so, and show nothing
        try:
            return safe_link(self._client.dashboard_link)
        except Exception:  # the scheduler shows nothing, or its settings make no link
            return None

    def _check_fit(self) -> None:
        """Whether this process and those of the cluster understand each other.

        Raises:
            ClusterError: they do not, and what to do.
        """
        try:
            versions = self._client.get_versions(check=False)
            there = self._about(None)
        except Exception as error:
            raise ClusterError(f"the cluster at {self.address} does not answer: {error}") from error
        words = misfit(versions, there)
        self.fitting.update(one[0] for one in there.values() if isinstance(one, tuple))
        if words is not None:
            raise ClusterError(f"the Dask cluster at {self.address} does not fit: {words}")


def address_of(where: Any) -> str | None:
    """The address of a cluster, however it is given; None for one of our own."""
    if where is None or isinstance(where, str):
        return where
    scheduler = getattr(where, "scheduler", None)
    address = getattr(scheduler, "address", None) or getattr(where, "scheduler_address", None)
    return None if address is None else str(address)


def host(workers: int, modules: list[str]) -> None:
    """Be a cluster until nobody holds the other end of standard input.

    Args:
        workers: how many processes there are.
        modules: what they have imported from the start.
    """
    get_mp_context().set_forkserver_preload(["distributed", "distributed.nanny", *modules])
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",  # else it is shown to the whole network
        host="127.0.0.1",
        silence_logs=logging.CRITICAL + 1,
    ) as made:
        sys.stdout.write(json.dumps({"address": made.scheduler_address}) + "\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], _LOOK)[0]:
            _have_all(made, workers)


def _have_all(made: LocalCluster, workers: int) -> None:
    """A worker that is killed while it starts takes its nanny with it, one that takes its time to
    start anew is given up with its nanny, and nobody else comes.
    """
    for name in [name for name, one in made.workers.items() if one.status in _ENDED]:
        del made.workers[name]
    if len(made.workers) < workers:
        made.scale(workers)


# What runs in a worker.


def _about(dask_worker: Any = None) -> tuple[str, dict[str, str]]:
    return str(dask_worker.local_directory), versions_here()


class Here:
    """The worker that this code runs in."""

    def __init__(self) -> None:
        self._worker = get_worker()

    @property
    def ident(self) -> str:
        """The folder that it has for itself."""
        return str(self._worker.local_directory)

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self._worker.address)

    def tell(self, topic: str, message: bytes) -> None:
        """Send bytes to whoever listens."""
        self._worker.log_event(topic, message)

    def is_wanted(self, key: str) -> bool:
        """Whether somebody still waits for the result of a call that runs."""
        task = self._worker.state.tasks.get(key)
        return task is not None and task.state not in {"cancelled", "resumed", "released"}


def size_of(value: Any) -> int:
    """Bytes that a value takes in memory, more or less."""
    return int(sizeof(value))
