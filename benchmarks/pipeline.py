"""A user's module: four functions that become tasks, and a helper that one of them calls.

`caches` writes it into a folder and edits the helper there, so it imports nothing of the project.
Each task says in a file that it ran, because no cache could be asked that in the same way.
"""

from __future__ import annotations

import os
from pathlib import Path

ROUNDS = 15_000


def burn(value: int) -> int:
    """About two milliseconds of work, of which the result depends; each call counts as a task."""
    with Path(os.environ["BENCHMARK_TALLY"]).open("ab") as tally:
        tally.write(b".")
    for _ in range(ROUNDS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    return value


def adjusted(value: int) -> int:
    """The helper; its next line is what is edited."""
    return 3 * value + 1


def loaded(number: int) -> int:
    """The first layer."""
    return burn(number)


def weighed(left: int, right: int) -> int:
    """Half of the second layer: it calls the helper."""
    return burn(adjusted(left) + right)


def mixed(left: int, right: int) -> int:
    """The other half, which does not."""
    return burn(left + right)


def gathered(first: int, second: int, third: int) -> int:
    """The third layer."""
    return burn(first + second + third)
