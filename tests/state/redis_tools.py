"""What the tests of Redis share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cascade_nb.errors import RefusedBlobWarning
from cascade_nb.protocols.state_backend import Entry, StateBackend
from cascade_nb.state.redis.backend import RedisState
from tests.engine.tools import until
from tests.state.witness import Witness

KEY: Final = b"k" * 32
LARGE: Final = bytes(range(256)) * 20_000  # five chunks


class Ears(Witness):
    """A witness who can be asked for the errors by key, and fails where one is told twice."""

    @property
    def errors(self) -> dict[str, Exception]:
        return dict(self.refused)

    async def all(self, count: int) -> None:
        """Wait until it was told of so many different entries, and see that it was once of each."""
        await until(lambda: len(self.told) >= count, f"{count} told, of {len(self.told)}")
        assert len(self.told) == count
        assert len(set(self.told)) == count, "one was told twice"


def entries(count: int, value: Any = "v") -> list[Entry]:
    return [Entry(f"k{i}", value, 1.5) for i in range(count)]


async def put_all(state: StateBackend, some: Sequence[Entry]) -> Ears:
    """Put these, whose keys differ, and wait until it is known what became of each."""
    ears = Ears()
    for entry in some:
        assert state.put(entry, ears) is False
    await ears.all(len(some))
    return ears


async def opened(url: str, **options: Any) -> RedisState:
    state = RedisState(url, key=KEY, **options)
    await state.open()
    return state


@contextmanager
def refusals_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RefusedBlobWarning)
        yield
