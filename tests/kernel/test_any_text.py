"""Text that UTF-8 cannot carry, or that a terminal obeys: wherever a task can put it, every cell
gets its reply, and nothing of it is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.kernels import LABELS, Execution, RealKernel

pytestmark = pytest.mark.may_block("a kernel is waited for")

#: Half a character, and what clears a screen, rings, names a window, and ends a C string.
SETUP = r"""
import logging, warnings
import cascade_nb as cs
from IPython.display import HTML, display
S = "\ud83d\x1b[2J\x07\x1b]0;t\x07\x9b3J\x00"
%load_ext cascade_nb
"""
TASKS = """%%cascade --quiet
def fails(): raise ValueError("no file " + S)
def of_a_cause():
    try: raise KeyError("cause " + S)
    except KeyError as cause: raise ValueError("outer " + S) from cause
def with_a_note():
    error = ValueError("x")
    error.__notes__ = ["note " + S]
    raise error
class Odd(Exception):
    def __str__(self): return "odd " + S
    __repr__ = __str__
def of_a_class(): raise Odd()
def opens(): open("/nowhere/\\ud83d")
def takes(x): raise ValueError("took it")
def speaks(): print("first words", flush=True)
def prints(): print("printed " + S, flush=True)
def warns(): warnings.warn("warned " + S)
def logs(): logging.getLogger("x").warning("logged " + S)
def shows(): display(HTML("<b>" + S + "</b>"))
class Shown:
    def __repr__(self): return "shown " + S
def gives(): return Shown()
fails_, of_a_cause_, with_a_note_ = fails(), of_a_cause(), with_a_note()
of_a_class_, opens_, takes_ = of_a_class(), opens(), takes("a" + S)
speaks_ = speaks()
prints_, warns_, logs_, shows_, gives_ = prints(), warns(), logs(), shows(), gives()
"""
FAILS = ("fails_", "of_a_cause_", "with_a_note_", "of_a_class_", "opens_", "takes_")
GOES_ON = ("prints_", "warns_", "logs_", "shows_", "gives_")
OWN_STREAMS = ("prints_", "warns_", "logs_")

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Begun(NamedTuple):
    """A kernel, and the first cell of it that ran something."""

    kernel: RealKernel
    first: Execution


@pytest.fixture(scope="module", params=[LABELS[0], LABELS[-1]])
def begun(request: pytest.FixtureRequest) -> Iterator[Begun]:
    with RealKernel.start(request.param) as running:
        running.check(SETUP)
        running.check(TASKS)
        yield Begun(running, running.check("%cascade run speaks_ --wait"))


@pytest.fixture
def kernel(begun: Begun) -> RealKernel:
    return begun.kernel


def shown(cell: Execution) -> list[str]:
    """Every text of a cell that a person or a terminal may be shown."""
    texts = [cell.stdout, cell.stderr, *(str(b.get("text/plain")) for b in cell.displays)]
    if cell.error is not None:
        texts.append(cell.error.traceback)
    return [_COLOURS.sub("", text) for text in texts]


@pytest.mark.parametrize("name", [*FAILS, *GOES_ON])
def test_a_cell_gets_its_reply_whatever_text_its_tasks_make(kernel: RealKernel, name: str) -> None:
    ways = (
        f"%cascade run {name} --wait --fresh",
        f"cs.run({name}, fresh=True); None",
        f"await cs.start({name}, fresh=True); None",
        name,
        f"%cascade why {name}",
    )
    for n, way in enumerate(ways):
        cell = kernel.execute(way)
        assert cell.status == ("error" if name in FAILS and n < 3 else "ok"), way
        if name not in OWN_STREAMS or not n:  # without a panel they are as any cell's
            assert [text for text in shown(cell) if _OBEYED.search(text)] == [], way
        json.dumps([m["content"] for m in cell.messages], ensure_ascii=False).encode()


def test_what_is_everybodys_to_ask_for_is_clean_too(kernel: RealKernel) -> None:
    for cell in (
        "%%cascade --quiet\nraise ValueError('in a cell ' + S)",
        "%%cascade --quiet\nnamed = fails().tagged('t' + S)",
        "%cascade pause fails --reason \ud83d",
        "%cascade status",
        "%cascade resume fails",
        "cs.pause(reason='r' + S)",
        "%cascade status",
        "cs.resume()",
        "%cascade runs",
        "cs.status()",
    ):
        done = kernel.execute(cell.encode("utf-8", "replace").decode())
        assert [text for text in shown(done) if _OBEYED.search(text)] == [], cell


def test_an_error_that_a_user_raises_of_a_tasks_gets_its_reply(kernel: RealKernel) -> None:
    # It is a plain cell's, whose text nobody cleans but who sends it.
    cell = kernel.execute(
        "try: cs.run(fails_)\n"
        "except ValueError as error: raise RuntimeError(S) from error.__cause__",
    )
    assert cell.error is not None
    assert cell.error.name == "RuntimeError"
    assert "no file \ufffd" in cell.error.traceback


def test_the_kernel_sends_as_before_when_the_extension_is_gone(kernel: RealKernel) -> None:
    packs = "print(get_ipython().kernel.session.pack.__module__)"
    assert kernel.check(packs).stdout == "cascade_nb.notebook.kernel.messages\n"
    kernel.check("%unload_ext cascade_nb")
    assert kernel.check(packs).stdout == "jupyter_client.session\n"
    kernel.check("%load_ext cascade_nb")


def test_what_the_very_first_task_prints_is_in_the_panel(begun: Begun) -> None:
    # Loading ipywidgets takes longer than this task, so it must be waited for by nobody.
    begun.first.wait_until(lambda first: "first words" in "\n".join(shown(first)))
    assert begun.first.stdout == ""
