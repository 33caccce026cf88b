"""The protocols between what runs bodies elsewhere and whoever asked for it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class BodyOutcome(NamedTuple):
    """What a function gives in another process that is no value but comes with one.

    It travels as a plain tuple, which takes a tenth of the time.

    Attributes:
        result: that of the body.
        told: what is told of it besides.
    """

    result: Any
    told: Any


class Submits(Protocol):
    """What can be made an executor of: a pool of `concurrent.futures`, or like one."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Have something done."""
        ...


class ProcessHandle(Protocol):
    """A process while a body runs in it. Any thread may ask; when the body is over it has no
    effect.

    Attributes:
        pid: its number.
    """

    pid: int

    def kill(self) -> bool:
        """End it at once, with all that it started; False where it goes on."""
        ...

    def suspend(self) -> bool:
        """Stop it where it stands, with all that it started; False when the body is over."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...


class ProcessListener(Protocol):
    """Hears, in the thread that asked for it, of a body that runs in a process."""

    def began(self, process: ProcessHandle) -> None:
        """It is about to begin there; whatever this raises is its end."""
        ...

    def wrote(self, stream: str, text: str) -> None:
        """It wrote text to "stdout" or "stderr"."""
        ...

    def told(self, message: Any) -> None:
        """It said something on its channel."""
        ...

    def used(self, cpu: float, memory: int) -> None:
        """It is over, and has used seconds of processor time and, at its peak, bytes of memory."""
        ...
