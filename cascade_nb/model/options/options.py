"""What a user asks for one node beyond its function: name, tags, order, retry, timeout, needs,
reuse.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.errors import LazyValueError, PolicyError, ResultError, UsageError
from cascade_nb.model.options.caching import Cache

if TYPE_CHECKING:
    from cascade_nb.model.lazy.lazy import Lazy

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class _NoElse:
    """What stands for the value of a skipped node that has none."""

    def __reduce__(self) -> str:
        return "NO_ELSE"  # there is one, and it is known by its identity

    def __repr__(self) -> str:
        return "<skipped>"


NO_ELSE: Final = _NoElse()
NAME_LIMIT: Final = 120
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
            raise PolicyError(f"max_attempts must be a whole number, not {self.max_attempts!r}")
        if self.max_attempts < 1:
            raise PolicyError(
                f"max_attempts counts the first attempt too, so it is at least 1, not "
                f"{self.max_attempts}"
            )
        _at_least("delay", self.delay, 0)
        _at_least("backoff", self.backoff, 1)
        _at_least("max_delay", self.max_delay, 0)
        if not 0 <= self.jitter <= 1:
            raise PolicyError(f"jitter is a fraction between 0 and 1, not {self.jitter!r}")
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        if not kinds or not all(
            isinstance(k, type) and issubclass(k, BaseException) for k in kinds
        ):
            raise PolicyError(f"`on` takes exception classes, not {self.on!r}")
        object.__setattr__(self, "on", kinds)

    def wait_after(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after attempt number `attempt` failed."""
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
        """
        return (
            attempt < self.max_attempts
            and isinstance(error, self.on)
            and not isinstance(error, _IN_VAIN)
        )


@dataclasses.dataclass(frozen=True)
class Options:
    """Everything that is asked for a node; immutable, shared by all calls that ask for the same.

    Attributes:
        follows: the step of a sequence before this one: unlike those of `after`, it also runs when
            this one is skipped, and this one is skipped when it is.
        otherwise: the value where the condition is false; `NO_ELSE` where there is none.
        plain: whether nothing here adds an edge: no order, no condition, no need.
    """

    name: str | None = None
    tags: frozenset[str] = frozenset()
    after: tuple[Lazy, ...] = ()
    condition: Any = True
    retry: Retry | None = None
    timeout: float | None = None
    needs: Mapping[str, Any] = dataclasses.field(default_factory=lambda: NOTHING)
    reuse: bool = True
    track_files: bool = True
    shares_process: bool = False
    cache: Cache | None = None
    follows: tuple[Lazy, ...] = ()
    otherwise: Any = NO_ELSE
    plain: bool = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        adds_edges = self.after or self.follows or self.condition is not True or self.needs
        object.__setattr__(self, "plain", not adds_edges)

    def __reduce__(self) -> tuple[Any, ...]:
        """A mapping that nobody can change has no pickle, so an empty one is left out."""
        fields = (f for f in dataclasses.fields(self) if f.init)
        said = {f.name: getattr(self, f.name) for f in fields}
        said["needs"] = dict(said["needs"])
        return _options, (said,)

    def but(self, **changes: Any) -> Options:
        """These options with some of them changed."""
        return dataclasses.replace(self, **changes)

    def shared(self) -> Options:
        """These, or where nothing is asked for the one object that stands for that."""
        # Lazy values in them refuse `==`, and so may the value that stands for a skipped one.
        asked = not self.plain or self.otherwise is not NO_ELSE
        return self if asked or self != PLAIN else PLAIN


PLAIN: Final = Options()


def task_options(
    tags: Iterable[str],
    retry: Retry | int | None,
    timeout: float | None,
    resources: Mapping[str, float] | None,
    *,
    reuse: bool,
    track_files: bool,
    shares_process: bool,
) -> Options:
    """What every call of a task starts with; the plain ones are always the same object.

    Raises:
        PolicyError: a retry, timeout or need that makes no sense.
        UsageError: a tag that cannot be one.
    """
    asked = tags or retry is not None or timeout is not None or resources or shares_process
    if not asked and reuse and track_files:
        return PLAIN
    return Options(
        tags=frozenset(checked_name(tag, "tag") for tag in tags),
        retry=retry if isinstance(retry, Retry) or retry is None else Retry(retry),
        timeout=None if timeout is None else checked_timeout(timeout),
        needs=checked_needs(resources or {}),
        reuse=reuse,
        track_files=track_files,
        shares_process=shares_process,
    )


def _options(said: dict[str, Any]) -> Options:
    """What `Options.__reduce__` wrote; the plain ones are always the same object."""
    made = Options(**{**said, "needs": said["needs"] or NOTHING})
    return made.shared()


def checked_name(name: object, what: str = "name") -> str:
    """`name`, if it can name a node, a task or a tag.

    Raises:
        UsageError: it is no text, empty, longer than 120 characters, or has a character that cannot
            stand in a scope or a topic.
    """
    if not isinstance(name, str):
        raise UsageError(f"a {what} is text, not {type(name).__name__}")
    if not name or len(name) > NAME_LIMIT or not name.isprintable() or set(name) & set("/#+"):
        raise UsageError(
            f"{name[:40]!r} cannot be a {what}: it must be 1 to {NAME_LIMIT} printable characters "
            "without '/', '#' and '+'"
        )
    return name


def checked_timeout(seconds: object, what: str = "a timeout") -> float:
    """`seconds` as a timeout, or as what else lasts so long.

    Raises:
        PolicyError: it is no finite number above zero.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise PolicyError(f"{what} is a number of seconds, not {seconds!r}")
    if not (seconds > 0 and math.isfinite(seconds)):
        raise PolicyError(f"{what} must be above zero and finite, not {seconds!r}")
    return float(seconds)


def checked_needs(
    resources: Mapping[str, Any], lazy: type | tuple[type, ...] = ()
) -> Mapping[str, Any]:
    """`resources` as amounts by name; amounts of the types `lazy` are looked at when they are
    known.

    Raises:
        PolicyError: an amount is negative or no number.
        UsageError: a resource has an impossible name.
    """
    for name, amount in resources.items():
        checked_name(name, "resource name")
        if not isinstance(amount, lazy):
            checked_amount(name, amount)
    return MappingProxyType(dict(resources)) if resources else NOTHING


def checked_amount(name: str, amount: object) -> float:
    """`amount` of the resource `name` as a number.

    Raises:
        PolicyError: it is negative, not finite, or no number.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise PolicyError(f"{name}={amount!r}: an amount is a number")
    if not (amount >= 0 and math.isfinite(amount)):
        raise PolicyError(f"{name}={amount!r}: an amount is finite and at least 0")
    return amount


def _at_least(what: str, value: float, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
        raise PolicyError(f"{what} must be a number of at least {least}, not {value!r}")
    if not math.isfinite(value):
        raise PolicyError(f"{what} must be finite, not {value!r}")
