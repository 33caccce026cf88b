"""Says why a process ended, in words that tell a person what to do."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from cascade_nb.text import readable

_SHOWN: Final = 400  # characters of the last output
_CRASH: Final = "Fatal Python error:"  # how what `faulthandler` writes begins
_HOME: Final = str(Path(__file__).resolve().parents[1])

_HINTS: Final = {
    "SIGKILL": "somebody killed it, or the system ran out of memory",
    "SIGSEGV": "a crash in compiled code",
    "SIGBUS": "a crash in compiled code, or a file that became shorter while it was mapped",
    "SIGABRT": "compiled code gave up",
    "SIGFPE": "an impossible calculation in compiled code",
    "SIGILL": "compiled code for another processor",
    "SIGXCPU": "its time of the processor was used up",
}


def signal_of(code: int | None) -> str | None:
    """The name of the signal that ended a process with this return code; None for none."""
    if code is None or code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def end_in_words(code: int | None) -> str:
    """How a process ended: "was ended by SIGSEGV (a crash in compiled code)"."""
    name = signal_of(code)
    if name is not None:
        hint = _HINTS.get(name)
        return f"was ended by {name}" + (f" ({hint})" if hint else "")
    if code is None:
        return "closed its connection"
    return f"ended by itself, with exit code {code} (os._exit, or compiled code that exits)"


def last_words(output: str) -> str:
    """The end of what a process wrote, as the end of a message; "" for nothing.

    Of what Python says of a crash it is the innermost lines of the user.
    """
    _, crash, story = output.rpartition(_CRASH)
    lines = [line.strip() for line in (crash + story if crash else output).splitlines()]
    lines = [line for line in lines if line and not _is_ours(line)]
    if not lines:
        return ""
    text = " / ".join(map(readable, lines))
    if len(text) > _SHOWN:
        text = text[:_SHOWN] + "…" if crash else "…" + text[-_SHOWN:]
    return f"; the last that it wrote: {text}"


def _is_ours(line: str) -> bool:
    return line.startswith((f'File "{_HOME}', 'File "<string>"', "Extension modules:"))
