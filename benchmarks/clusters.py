"""What tasks on a Dask cluster cost: against `Client.map` of the same bodies on the same workers.

python -m benchmarks.clusters            # a minute or two
python -m benchmarks.clusters --quick    # small, for a test
python -m benchmarks.clusters --readme   # and put the table into the page
"""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from typing import Final

from distributed import Client, LocalCluster

import cascade_nb as cs
from benchmarks.processes import WORKERS, Row, noop, print_table, seconds
from cascade_nb.engine import Engine
from cascade_nb.executors import DaskExecutor

#: How many tasks, smallest first, and how many rounds of each.
FULL: Final = ((1_000, 5_000, 20_000), 3)
QUICK: Final = ((20, 60), 1)
#: Calls that the bare client hands over at a time: its own scheduler slows down with what it holds.
BATCH: Final = 1_000


def measured(sizes: Sequence[int], rounds: int) -> list[Row]:
    """A map of no-ops of each size, by an engine and by the bare client in batches, in turn."""
    mapped = cs.task(noop)
    ours: list[float] = []
    rows = []
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        engine = Engine(executor=DaskExecutor(client), reuse=False)

        def by_engine(size: int) -> None:
            engine.start(mapped.map(n=list(range(size)))).result()

        def bare(size: int) -> None:
            for start in range(0, size, BATCH):
                batch = range(start, min(start + BATCH, size))
                client.gather(client.map(noop, batch, pure=False))

        by_engine(sizes[0])
        bare(sizes[0])
        for size in sizes:
            taken = [
                (seconds(lambda n=size: by_engine(n)), seconds(lambda n=size: bare(n)))  # type: ignore[misc]
                for _ in range(rounds)
            ]
            a, b = (statistics.median(one) / size * 1e6 for one in zip(*taken, strict=True))
            ratio = statistics.median(x / y for x, y in taken)
            figure = f"{a:.0f} µs a task, the bare client {b:.0f}: {ratio:.2f} of it"
            what = f"map of {size:,} no-ops on {WORKERS} Dask workers"
            rows.append(Row(what, figure, "≤ 1.5", ratio <= 1.5))
            ours.append(a)
        engine.close()
    growth = ours[-1] / ours[0]
    flat = f"{growth:.2f} times as long a task as at {sizes[0]:,}"
    return [*rows, Row(f"the same at {sizes[-1]:,}", flat, "flat: ≤ 1.2", growth <= 1.2)]


def main() -> None:
    """Measure, and print the table."""
    print_table(__doc__, "clusters", lambda quick: measured(*(QUICK if quick else FULL)))


if __name__ == "__main__":
    # Of the module, whose functions are found by their names elsewhere, and not of the script.
    importlib.import_module("benchmarks.clusters").main()
