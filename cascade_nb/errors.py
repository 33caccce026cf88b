"""Every error of the project, as one tree.

::

    CascadeError
    ├── UsageError                   what was written cannot mean anything; nothing was started
    │   ├── TaskDefinitionError      a function that cannot be a task                (a TypeError)
    │   ├── TaskCallError            a task called with arguments it does not take   (a TypeError)
    │   ├── LazyValueError           a lazy value used as if it were there already   (a TypeError)
    │   │   └── LazyAttributeError   an attribute of its result       (an AttributeError as well)
    │   ├── MapError                 `.map` over what has no items, or unequal ones (a ValueError)
    │   ├── ParamError               an unknown parameter, or a wrong value         (a ValueError)
    │   ├── AnswerError              an answer that a question does not take        (a ValueError)
    │   ├── PolicyError              a retry, timeout or need that makes no sense   (a ValueError)
    │   ├── ConstraintError          an unknown scope, a limit below zero, …        (a ValueError)
    │   ├── HolderError              a program would lift what a person holds
    │   ├── ResultError              a task returned what can be read only once      (a TypeError)
    │   ├── UnknownNameError         a name nobody defined; the message has the nearest ones
    │   ├── RouteError               a selector's key has no route (a LookupError, a ValueError)
    │   ├── BlockingError            `run()` where blocking would lose messages or never end
    │   └── GraphError               a graph that cannot be built
    │       ├── TargetError          the target is no lazy value                     (a TypeError)
    │       ├── CycleError           a node that needs itself; the message has the path
    │       ├── DroppedNameError     a node reads a name that was dropped
    │       └── SerializationError   JSON that is no graph, or a graph that has no JSON
    ├── RunError                     a run ended without its value
    │   ├── TaskFailedError          a task raised; its exception is the `__cause__`
    │   │   └── TaskTimeoutError     a task took longer than it may             (a TimeoutError)
    │   ├── DependencyMissingError   the target was skipped, with the reason
    │   ├── ResourceError            a resource did not open or close
    │   └── RunCancelledError        somebody cancelled the run
    ├── RunFailures                  several of them at once                 (an ExceptionGroup)
    ├── WaitTimeoutError             the time to wait for a run is up; it goes on (a TimeoutError)
    ├── StateError                   where results are kept cannot be used now         (an OSError)
    │   ├── UnusableStateError       what is there is damaged or not ours; no waiting mends it
    │   ├── LeaseHeldError           another kernel goes on with this run
    │   └── LeaseLostError           another kernel has taken this run over
    ├── ProcessError                 a process for tasks is not what it should be
    │   ├── ProcessStartError        it does not start
    │   └── ProcessDiedError         it ended before its task did; the message says how
    ├── ClusterError                 a cluster for tasks is not what it should be, or lost something
    ├── ExecutorError                an executor that was given does not run what it is to run
    ├── TransferError                a value that cannot go to a process, or come back
    ├── CodecError                   a value that cannot be written as bytes
    ├── RefusedBlobError             bytes that this user's key did not sign, or not for this place
    ├── IllegalMoveError             the scheduler was asked for a move its rules do not know
    └── RefusedMessageError          a message from outside that is no constraint

A message says what went wrong, where, and what to do about it. `UsageError` comes at once, in the
cell that has the mistake; `RunError` comes when the run is awaited.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cascade_nb.text import quoted

if TYPE_CHECKING or sys.version_info >= (3, 11):
    from builtins import ExceptionGroup as ExceptionGroup  # noqa: PLC0414 - handed on
else:
    from exceptiongroup import ExceptionGroup as ExceptionGroup  # noqa: PLC0414 - handed on


class CascadeError(Exception):
    """The root of everything this library raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Its constructor may want other arguments than those that it keeps."""
        return _made_again, (type(self), self.args, vars(self))


class UsageError(CascadeError):
    """What was written cannot mean anything; nothing was started and nothing was kept."""


class TaskDefinitionError(UsageError, TypeError):
    """A function that cannot be a task."""


class TaskCallError(UsageError, TypeError):
    """A task was called with arguments that its function does not take."""


class LazyValueError(UsageError, TypeError):
    """A lazy value was used as if its result were there already."""


class LazyAttributeError(LazyValueError, AttributeError):
    """An attribute of a lazy value's result was asked for."""


class MapError(UsageError, ValueError):
    """`.map` was given something without items, or collections of unequal lengths."""


class ParamError(UsageError, ValueError):
    """A parameter that the graph does not have, or a value that its type refuses."""


class AnswerError(UsageError, ValueError):
    """An answer that the question does not take, or that nobody asked for; the question stays."""


class PolicyError(UsageError, ValueError):
    """A retry, timeout or resource need that makes no sense."""


class ConstraintError(UsageError, ValueError):
    """A scope, type or number that no constraint can have."""


class HolderError(UsageError):
    """A program or an agent would lift or end what is a person's, or another's."""


class ResultError(UsageError, TypeError):
    """A task returned what is no value: what can be read only once, or not at all."""


class UnknownNameError(UsageError, LookupError):
    """A name that nothing defined."""

    def __init__(self, what: str, name: object, known: Iterable[str], advice: str = "") -> None:
        super().__init__(f"there is no {what} {quoted(name, 200)}{nearest(name, known)}{advice}")


class RouteError(UsageError, LookupError, ValueError):
    """A router's selector gave a key for which there is no route."""


class BlockingError(UsageError, RuntimeError):
    """A blocking call where blocking would lose messages or could never end."""


class GraphError(UsageError):
    """A graph that cannot be built."""


class TargetError(GraphError, TypeError):
    """The target holds no lazy value."""


class CycleError(GraphError):
    """A node that needs itself.

    `path` names the nodes in the order in which each reads the next; first and last are the same.
    """

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        way = " → ".join(self.path)
        super().__init__(
            f"{self.path[0]} needs itself: {way}; give one of them a new name or another input"
        )


class DroppedNameError(GraphError):
    """A node reads a name that was dropped from the workspace."""


class SerializationError(GraphError):
    """JSON that describes no graph, or a graph that cannot be written as JSON."""


class RunError(CascadeError):
    """A run ended without the value of its target."""


class TaskFailedError(RunError):
    """A task raised. The user's exception is the `__cause__`, and this is of its class too where
    Python allows it, so that ``except ValueError`` around a run catches a task's `ValueError`.

    `task` is what messages call the node that failed (`scores[3]`), `target` what was asked
    for, `where` the user's file or cell and line, as far as the traceback tells.
    """

    def __init__(self, message: str, *, task: str, target: str, where: str | None = None) -> None:
        super().__init__(message)
        self.task = task
        self.target = target
        self.where = where

    def __str__(self) -> str:
        return str(self.args[0])  # whatever the class of its cause makes of its arguments

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.args[0]!r})"


class TaskTimeoutError(TaskFailedError, TimeoutError):
    """A task took longer than its `.with_timeout` allows."""

    also = TimeoutError  # what the error of a task that waited for such a run is of too


class DependencyMissingError(RunError):
    """The target has no value because it, or something it needs, was skipped.

    `task` is the label of the target, `reason` the words of the skip, perhaps of its namesake's.
    """

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(f"{task} was skipped: " + reason.removeprefix(f"{task} was skipped: "))
        self.task = task
        self.reason = reason


class ResourceError(RunError):
    """A resource did not open or did not close; the user's exception is the `__cause__`."""


class RunCancelledError(RunError):
    """The run was cancelled before its target was there."""


class RunFailures(CascadeError, ExceptionGroup[RunError]):  # noqa: N818 - a group, not an error
    """Several independent failures of one run, each a `RunError` with its own cause. The group is
    of the class too that their causes share.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return RunFailures, (self.message, self.exceptions)

    def derive(self, excs: Sequence[RunError]) -> RunFailures:  # type: ignore[override]
        """Keep the type in `except*` and `split`, and the group that a `suppress` leaves whole."""
        return self if tuple(excs) == self.exceptions else type(self)(self.message, excs)


class StateError(CascadeError, OSError):
    """The place of results cannot be used now: the message says what to do; what was kept stays."""


class UnusableStateError(StateError):
    """What lies in the place of results is damaged, another program's, or of a newer version.

    A run that begins there fails at once: waiting would not mend it.
    """


class LeaseHeldError(StateError):
    """Another kernel goes on with a run: `owner`, for `left` seconds at least."""

    def __init__(self, run_id: str, owner: str, left: float) -> None:
        free = f"it is free in {max(0.0, left):.0f} s"
        super().__init__(f"run {run_id} belongs to {owner}; should that be gone, {free}")
        self.owner = owner
        self.left = left


class LeaseLostError(StateError):
    """Another kernel has taken over a run; what this one still writes about it is refused."""

    def __init__(self, run_id: str, owner: str) -> None:
        super().__init__(f"run {run_id} was taken over by {owner or 'another kernel'}")
        self.owner = owner


class WaitTimeoutError(CascadeError, TimeoutError):
    """A run is not over within the time that somebody waits for it; it goes on."""


class ProcessError(CascadeError):
    """A process that was to run a task is not what it should be."""


class ProcessStartError(ProcessError):
    """No process for tasks starts; the message has the last that it wrote."""


class ProcessDiedError(ProcessError):
    """A process, whose number was `pid`, ended before its task did. `signal` is the name of the one
    that ended it, None for none; `exit_code` is as that of `subprocess`.
    """

    def __init__(self, message: str, *, pid: int, exit_code: int | None, signal: str | None):
        super().__init__(message)
        self.pid, self.exit_code, self.signal = pid, exit_code, signal


class ExecutorError(CascadeError):
    """An executor that was given, such as a pool, does not run what it is handed."""


class ClusterError(CascadeError):
    """A cluster that was to run tasks cannot be reached, does not fit, or has lost something."""


class TransferError(CascadeError):
    """A function, an argument, a result or an exception cannot go to a process, or come back."""


class CodecError(CascadeError):
    """A value cannot be written as bytes, so that no state that lasts can keep it."""


class RefusedBlobError(CascadeError, ValueError):
    """Bytes that are damaged, or not signed by this user's key for this place; not unpickled.

    Args:
        text: what to say of them.
        of_another_key: whether what signed them may be a key that is not this user's, or is no
            longer.
    """

    def __init__(self, text: str, *, of_another_key: bool = False) -> None:
        super().__init__(text)
        self.of_another_key = of_another_key


class RefusedBlobWarning(UserWarning):
    """What was found in a state was refused, and counts as absent."""


class RoomWarning(UserWarning):
    """Kept results take more room than their limit, and could not be removed now."""


class IllegalMoveError(CascadeError, RuntimeError):
    """The scheduler was asked for a move that its rules do not know; it tells the node's story."""

    def __init__(self, move: str, node: int, state: str, story: Sequence[str] = ()) -> None:
        past = f"; before: {' → '.join(story)}" if story else ""
        super().__init__(f"node {node} cannot {move} while it is {state}{past}")


class RefusedMessageError(CascadeError, ValueError):
    """A message from outside that cannot be read as a constraint."""


def _made_again(kind: Any, args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    made = kind.__new__(kind)
    made.args = args
    vars(made).update(state)
    return made


def nearest(name: object, known: Iterable[str], most: int = 6) -> str:
    """`"; did you mean 'clean'?"` where something is near, else some names, the likest first."""
    names = sorted({f"{one:.40}" for one in known})
    text = f"{name:.40}" if isinstance(name, str) else ""
    if close := difflib.get_close_matches(text, names, n=2, cutoff=0.6):
        return "; did you mean " + " or ".join(map(repr, close)) + "?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    likest = sorted(names, key=lambda one: -difflib.SequenceMatcher(None, text, one).ratio())
    return "; there is " + ", ".join(map(repr, likest[:most])) + more if names else ""
