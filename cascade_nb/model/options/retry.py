"""The rule of retries: how often a task is tried, and how long it waits between the tries."""

from __future__ import annotations

import dataclasses
import random
from typing import Final

from cascade_nb.concurrency.raised import is_raised_as
from cascade_nb.errors import LazyValueError, PolicyError, ResultError
from cascade_nb.model.options.checks import is_finite
from cascade_nb.text import quoted

#: What the next attempt would raise as well.
_IN_VAIN: Final = (ResultError, LazyValueError)


@dataclasses.dataclass(frozen=True)
class Retry:
    """How often a task may be tried, and how long to wait between the tries.

    Attempt *n* (the first is 1) is followed, when it raises one of `on`, by a wait of
    ``delay * backoff ** (n - 1)`` seconds, stretched at random by up to ``jitter`` (a fraction of
    it) so that many failing tasks do not come back at the same moment; never longer than
    `max_delay`.

    Attributes:
        max_attempts: all attempts counted, the first included; at least 1.
        delay: seconds before the second attempt.
        backoff: the factor from one wait to the next; at least 1.
        jitter: 0 (none) to 1 (up to twice as long).
        on: the exceptions that are worth another attempt.
        max_delay: seconds that no wait exceeds.

    Example:
        >>> @cs.task(retry=cs.Retry(3, delay=1, backoff=2, on=(OSError,)))
        ... def read(path): return path
        >>> cs.run(read("a.csv"))
        'a.csv'
    """

    max_attempts: int = 3
    delay: float = 0.0
    backoff: float = 1.0
    jitter: float = 0.0
    on: tuple[type[BaseException], ...] = (Exception,)
    max_delay: float = 3600.0

    def __post_init__(self) -> None:
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int):
            raise PolicyError(
                f"max_attempts must be a whole number, not {quoted(self.max_attempts)}"
            )
        if self.max_attempts < 1:
            raise PolicyError(
                f"max_attempts counts the first attempt too, so it is at least 1, not "
                f"{quoted(self.max_attempts)}"
            )
        _at_least("delay", self.delay, 0)
        _at_least("backoff", self.backoff, 1)
        _at_least("max_delay", self.max_delay, 0)
        if not isinstance(self.jitter, (int, float)) or not 0 <= self.jitter <= 1:
            raise PolicyError(f"jitter is a fraction between 0 and 1, not {quoted(self.jitter)}")
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        if not kinds or not all(
            isinstance(k, type) and issubclass(k, BaseException) for k in kinds
        ):
            raise PolicyError(f"`on` takes exception classes, not {quoted(self.on)}")
        object.__setattr__(self, "on", kinds)

    def wait_after(self, attempt: int, rng: random.Random) -> float:
        """How long to wait after attempt number `attempt` failed.

        Args:
            attempt: counted from 1.
            rng: where the jitter comes from.

        Returns:
            Seconds.

        Example:
            >>> import random
            >>> retry = cs.Retry(3, delay=1, backoff=2)
            >>> [retry.wait_after(n, random.Random(7)) for n in (1, 2)]
            [1.0, 2.0]
        """
        if not self.delay:
            return 0.0
        try:
            wait = self.delay * float(self.backoff) ** (attempt - 1)
        except OverflowError:
            wait = self.max_delay
        return min(wait * (1 + self.jitter * rng.random()), self.max_delay)

    def again(self, attempt: int, error: BaseException) -> bool:
        """Whether another attempt is due after number `attempt` raised `error`.

        None is where the next would end like this one: what it returned is no value, or it used a
        lazy value as one.

        Args:
            attempt: counted from 1.
            error: what it raised.

        Returns:
            False after the last attempt, and for an error that is none of `on`.

        Example:
            >>> retry = cs.Retry(2, on=(OSError,))
            >>> retry.again(1, OSError()), retry.again(2, OSError()), retry.again(1, KeyError())
            (True, False, False)
        """
        return (
            attempt < self.max_attempts
            and is_raised_as(error, self.on)
            and not is_raised_as(error, _IN_VAIN)
        )


def _at_least(what: str, value: float, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
        raise PolicyError(f"{what} must be a number of at least {least}, not {quoted(value)}")
    if not is_finite(value):
        raise PolicyError(f"{what} must be finite, not {quoted(value)}")
