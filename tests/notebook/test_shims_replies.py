"""A request that comes while the kernel sends a reply is read, on ipykernel 7.0 to 7.3 too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernels import LABELS, PATIENCE, Execution, RealKernel

#: Where the shell's messages are read by a thread of its own.
THREADED = [label for label in LABELS if not label.startswith("6.")]

#: While the reading thread is held up a request comes; then it sends a reply to one who is gone.
MEANWHILE = """
import pathlib, time
go = pathlib.Path("go")
go.unlink(missing_ok=True)
def reply_late():
    print("held up", pathlib.Path.cwd(), flush=True)
    while not go.exists():
        time.sleep(0.01)
    channel.manager._send_on_shell_channel([b"gone", b"reply"])
channel = get_ipython().kernel.shell_channel_thread
channel.io_loop.add_callback(lambda: channel.io_loop.call_later(0.3, reply_late))
"""


@pytest.fixture(params=THREADED)
def kernel(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """A kernel of its own for each test, since one that is deaf stays so."""
    with RealKernel.start(request.param) as running:
        yield running


def sent_meanwhile(kernel: RealKernel, comes: float = 2.0) -> Execution:
    """A cell that is sent while a reply goes out, and comes within so many seconds."""
    held_up = kernel.send(MEANWHILE)
    said = held_up.wait_until(lambda cell: "held up" in cell.stdout).stdout
    cell = kernel.send("print('heard')")
    time.sleep(comes)  # until it lies before the kernel's door, which nobody can see from here
    (Path(said.removeprefix("held up ").strip()) / "go").touch()
    return cell


def is_heard(cell: Execution, patience: float) -> bool:
    """Whether it is run within so many seconds."""
    try:
        cell.wait_until(lambda cell: "heard" in cell.stdout, timeout=patience)
    except TimeoutError:
        return False
    return True


def test_a_request_that_comes_with_a_reply_is_read(kernel: RealKernel) -> None:
    kernel.check("%load_ext cascade_nb")
    assert is_heard(sent_meanwhile(kernel), PATIENCE)
    assert kernel.check("%unload_ext cascade_nb\nprint(1 + 1)").stdout == "2\n"


@pytest.mark.parametrize("kernel", ["7.3"], indirect=True)
def test_without_help_it_is_not(kernel: RealKernel) -> None:
    # If this fails the kernel has learnt it, and the shim is in vain.
    for comes in (2.0, 8.0, 20.0):  # on a busy machine it may come too late, after the reply
        cell = sent_meanwhile(kernel, comes)
        if not is_heard(cell, 3.0):
            break
    else:
        raise AssertionError("it was heard each time")
    kernel.connect_anew()
    assert is_heard(cell, PATIENCE), "what the tests do for new kernels does not help them"
