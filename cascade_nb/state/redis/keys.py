"""Makes the keys under which things lie in Redis, and the head of a result.

::

    <prefix>:result:<key>          hash   h: the head; 0, 1, …: the signed bytes, in chunks
    <prefix>:result:<key>:<stamp>  hash   chunks of a large result on their way
    <prefix>:probe                 string for a second
    <prefix>:uses                  sorted set of keys of results, by microseconds of their last use
    <prefix>:runs                  sorted set of run ids, by the time they began
    <prefix>:run:<id>              hash   fence, owner, until; title, started, total, status; last
    <prefix>:run:<id>:lines        list   of JSON lists of lines
    <prefix>:run:<id>:parts        hash   by name, signed bytes
"""

from __future__ import annotations

import math
from typing import NamedTuple

from cascade_nb.errors import UsageError


class RedisKeys:
    """The keys of one prefix, and how long what lies there is kept.

    Args:
        prefix: what every key begins with.
        ttl: seconds after which what nobody used goes; None: never.

    Attributes:
        keep: `ttl` in milliseconds as a script takes it, empty for ever.
        runs: the key of the list of runs.
        uses: the key of the list of results by the time of their last use.
        probe: a key to try out whether writing is possible.

    Raises:
        UsageError: there is no prefix, or the time is not above zero.
    """

    def __init__(self, prefix: str, ttl: float | None) -> None:
        if not prefix:
            raise UsageError("keys in Redis need a prefix, so that they are nobody else's")
        if ttl is not None and not (isinstance(ttl, int | float) and 0.001 <= ttl < math.inf):
            raise UsageError(f"ttl is a number of seconds above zero, or None, and not {ttl!r}")
        self._prefix = prefix
        self._results = f"{prefix}:result:"
        self._places = f"{prefix}/result/"
        self.keep = "" if ttl is None else str(int(ttl * 1000))
        self.runs = f"{prefix}:runs"
        self.probe = f"{prefix}:probe"
        self.uses = f"{prefix}:uses"

    def result(self, key: str) -> str:
        """Where a result lies."""
        return self._results + key

    def place(self, key: str) -> str:
        """What the signature of a result is bound to."""
        return self._places + key

    def run(self, run_id: str) -> list[str]:
        """Where a run lies: what is known of it, its lines and its parts."""
        run = f"{self._prefix}:run:{run_id}"
        return [run, f"{run}:lines", f"{run}:parts"]

    def part_place(self, run_id: str, part: str) -> str:
        """What the signature of a part of a run is bound to."""
        return f"{self._prefix}/run/{run_id}/{part}"


class Head(NamedTuple):
    """What lies before the bytes of a result.

    Attributes:
        seconds: how long it took to compute.
        made: when it was put, in seconds since the epoch.
        chunks: how many there are.
        stamp: no two puts have the same.
        size: of all its bytes.
        expires: when it stands no longer, in seconds since the epoch; infinity: never.
        task: which task made it, quoted as in a URL.
        files: what was read to make it, and what was written, as `in_json` says it.
    """

    seconds: float
    made: float
    chunks: int
    stamp: str
    size: int
    expires: float
    task: str
    files: str

    def write(self) -> str:
        """As text."""
        first = f"{self.seconds!r} {self.made!r} {self.chunks} {self.stamp} {self.size}"
        return f"{first} {self.expires!r} {self.task} {self.files}"

    @property
    def told(self) -> tuple[float, float, str]:
        """What is known of the result without its bytes."""
        return self.seconds, self.made, self.files

    @classmethod
    def read(cls, text: bytes) -> Head | None:
        """A head from its text, None where it is none: anybody may have written it."""
        try:
            seconds, made, chunks, stamp, size, expires, task, files = text.decode("ascii").split(
                " ", 7
            )
            numbers = float(seconds), float(made), int(chunks)
            head = cls(*numbers, stamp, int(size), float(expires), task, files)
        except ValueError:
            return None
        sound = 0 <= head.seconds < math.inf and math.isfinite(head.made) and head.chunks > 0
        return head if sound and head.size >= 0 else None
