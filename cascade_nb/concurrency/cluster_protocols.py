"""The protocols between a body that runs on a cluster and whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class TakenBackError(BaseException):
    """A call was taken back before its body began; no body can catch it."""


class Tells(Protocol):
    """The way from a body on a cluster to whoever asked for it."""

    def begin(self) -> None:
        """The body begins with the next statement: from now on nobody can take it back.

        Raises:
            TakenBackError: somebody has.
        """
        ...

    def tell(self, kind: str, what: Any) -> None:
        """Send word, while the body runs."""
        ...

    def is_unwanted(self) -> bool:
        """Whether nobody waits for the body any more."""
        ...


class ClusterListener(Protocol):
    """Hears, from a thread of the executor, of a body on a cluster."""

    def told(self, kind: str, what: Any) -> None:
        """It said something."""
        ...

    def packed(self, pack: Callable[[Callable[..., Any]], Any]) -> Any:
        """What `pack` gives of the function to be called; the arguments are looked at around it,
        where somebody may change them.
        """
        ...

    def over(self, seconds: float, made_of: Any, where: str) -> None:
        """The body has ended well: how long it took, what files it met, and on which worker."""
        ...


class ClusterWork(NamedTuple):
    """What a job for a cluster wants done.

    Attributes:
        run: what runs there: called with the way to tell, `said`, `noted`, and the call; gives a
            result and what it was made of.
        said: what holds for all bodies of a run, pickled.
        noted: what else it needs to know.
        fn, args, kwargs: the call.
        listener: who hears of it.
        comes_here: whether the result is wanted here in any case, however large it is.
        name: of the task, for people.
        priority: the higher goes first where several wait on one worker.
        resources: of workers, that it takes, by name.
    """

    run: Callable[..., Any]
    said: bytes
    noted: Any
    fn: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    listener: ClusterListener
    comes_here: bool
    name: str
    priority: int
    resources: Mapping[str, float]

    def __call__(self) -> Any:
        """Do it here."""
        return self.fn(*self.args, **self.kwargs)


class ClusterJob(Protocol):
    """One attempt of one node, as an executor on a cluster sees it; see `protocols.Job`."""

    def begin(self) -> Any:
        """The work to do, or None: not now, forget it."""
        ...

    def end(self, result: Any, error: BaseException | None) -> Any:
        """Hand in the outcome; gives the job to go on with, or None."""
        ...

    def lost(self, why: str, blame: float = 1.0) -> Any:
        """Its worker is gone, which may be its own doing, or what it was to read is: it did not
        end. Gives the same.
        """
        ...


class HearsOfCluster(Protocol):
    """Hears, from a thread of the executor, of what happens to a cluster."""

    def resized(self, more: int) -> None:
        """So many more bodies may be under way at once, or fewer where it is below zero."""
        ...

    def values_lost(self) -> None:
        """Results that were there may be no longer."""
        ...

    def cluster_lost(self, why: str) -> None:
        """Nobody answers any more; nothing starts there until it is found again."""
        ...

    def cluster_back(self) -> None:
        """It answers again, or another does."""
        ...
