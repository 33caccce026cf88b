"""State backends: the places where results and runs are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.state.memory import MemoryState

if TYPE_CHECKING:
    from cascade_nb.state.redis.backend import RedisState
    from cascade_nb.state.sqlite.backend import SqliteState

__all__ = ["MemoryState", "RedisState", "SqliteState"]


def __getattr__(name: str) -> Any:
    """The states that last are imported when somebody names one: most scripts need neither."""
    if name == "SqliteState":
        from cascade_nb.state.sqlite.backend import SqliteState  # noqa: PLC0415 - as above

        return SqliteState
    if name == "RedisState":
        from cascade_nb.state.redis.backend import RedisState  # noqa: PLC0415 - it needs an extra, too

        return RedisState
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
