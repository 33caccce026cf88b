"""Which custom messages of a comm arrive while a cell is busy, kernel by kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.clicks import SUBSHELLS, click, open_subshell
from tests.support.kernels import LABELS, PATIENCE, Execution, RealKernel


@pytest.fixture(scope="module", params=LABELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version for all tests here, since each begins with a comm of its own."""
    with RealKernel.start(request.param) as running:
        yield running


#: A comm that notes when it hears what, and the delivery that is tested.
COMM = """
import asyncio, time
from comm import create_comm
from cascade_nb.notebook.kernel.shims import ClickDelivery, running_kernel
if "delivery" in globals():
    delivery.undo()
heard = []
comm = create_comm(target_name="tested")
comm.on_msg(lambda message: heard.append(message["content"]["data"].get("content")))
delivery = ClickDelivery(comm)
delivery.install()
print(comm.comm_id)
"""

AWAITING = """
print("busy", flush=True)
for _ in range(3000):
    await asyncio.sleep(0.01)
    if len(heard) >= {n}:
        break
print(heard)
"""

BLOCKING = """
print("busy", flush=True)
for _ in range(3000):
    time.sleep(0.01)
    if len(heard) >= {n}:
        break
print(heard)
"""

#: Those that hand on no comm while a cell awaits, unless their queue is looked through.
TAPPED = ("7.3", "6.31")

#: Those that send a comm back to the shell that published on it last.
STRAYING = tuple(label for label in LABELS if label == "7.4.0")


def start(kernel: RealKernel) -> str:
    """The id of the comm."""
    return kernel.check(COMM).stdout.strip()


def busy(kernel: RealKernel, code: str) -> Execution:
    """A cell that is in the midst of its work."""
    return kernel.send(code).wait_until(lambda cell: "busy" in cell.stdout)


def test_every_click_arrives_while_a_cell_awaits(kernel: RealKernel) -> None:
    # Several, because 7.4 takes the first by itself and then sends the comm elsewhere.
    comm_id = start(kernel)
    cell = busy(kernel, AWAITING.format(n=3))
    for i in range(3):
        click(kernel, comm_id, i)
        time.sleep(0.05)
    assert cell.wait().stdout.splitlines()[-1] == "[0, 1, 2]"


@pytest.mark.parametrize("kernel", TAPPED, indirect=True)
def test_without_help_a_click_waits_for_the_end_of_the_cell(kernel: RealKernel) -> None:
    # If this fails the kernel has learnt it, and the tap is in vain.
    comm_id = start(kernel)
    kernel.check("delivery.undo()")
    cell = busy(kernel, "print('busy', flush=True); await asyncio.sleep(0.5); print(heard)")
    click(kernel, comm_id, "late")
    assert cell.wait().stdout.splitlines()[-1] == "[]"
    assert kernel.check("print(heard)").stdout == "['late']\n"


def test_it_says_whether_clicks_arrive_while_a_cell_awaits(kernel: RealKernel) -> None:
    start(kernel)
    assert kernel.check("print(delivery.while_awaiting)").stdout == "True\n"
    unknown = """
from cascade_nb.notebook.kernel.shims import _tap_for, _takes_comms_while_awaiting
class Unknown:
    shell_stream = None
    async def dispatch_shell(self, msg): ...
print(_tap_for(Unknown()), _takes_comms_while_awaiting(Unknown()))
"""
    assert kernel.check(unknown).stdout == "None False\n"


def test_other_messages_keep_their_turn(kernel: RealKernel) -> None:
    # What the tap does not take must neither be lost nor overtake: cells that wait in the queue run
    # after the busy one and in their order, however many clicks come in between.
    comm_id = start(kernel)
    cell = busy(kernel, "order = []" + AWAITING.format(n=4))
    queued = []
    for i in range(4):
        queued.append(kernel.send(f"order += [{i}]; print(order)"))
        click(kernel, comm_id, i)
    cell.wait()
    assert [other.wait().stdout for other in queued] == [
        "[0]\n",
        "[0, 1]\n",
        "[0, 1, 2]\n",
        "[0, 1, 2, 3]\n",
    ]


@pytest.mark.parametrize("kernel", TAPPED, indirect=True)
def test_a_state_update_is_not_taken_out_of_turn(kernel: RealKernel) -> None:
    # The frontend waits for the kernel's busy and idle around it, which only the usual way gives.
    comm_id = start(kernel)
    cell = busy(kernel, AWAITING.format(n=1))
    update = kernel.comm(comm_id, {"method": "update", "content": "update"})
    click(kernel, comm_id, "click")
    assert cell.wait().stdout.splitlines()[-1] == "['click']"
    update.wait_until(lambda sent: len(sent.of_type("status")) == 2)
    assert kernel.check("print(heard)").stdout == "['click', 'update']\n"


def test_a_click_does_not_take_the_output_of_the_awaiting_cell(kernel: RealKernel) -> None:
    comm_id = start(kernel)
    code = AWAITING.format(n=1) + "print('after the click')"
    cell = busy(kernel, code)
    click(kernel, comm_id, 1)
    assert "after the click" in cell.wait().stdout


def test_a_message_that_nobody_can_read_changes_nothing(kernel: RealKernel) -> None:
    comm_id = start(kernel)
    cell = busy(kernel, AWAITING.format(n=1))
    for junk in ([b"junk"], [b"<IDS|MSG>", b"no", b"{}", b"{}", b"{}", b"{}"]):
        kernel.client.shell_channel.socket.send_multipart(junk)
    click(kernel, comm_id, 1)
    assert cell.wait().stdout.splitlines()[-1] == "[1]"


def test_two_comms_share_the_door_and_the_last_one_closes_it(kernel: RealKernel) -> None:
    first = start(kernel)
    second = """
other = create_comm(target_name="tested")
other.on_msg(lambda message: heard.append("other"))
second = ClickDelivery(other)
second.install()
delivery.undo()
delivery = second
print(other.comm_id)
"""
    other = kernel.check(second).stdout.strip()
    cell = busy(kernel, AWAITING.format(n=1))
    if kernel.label in TAPPED:
        click(kernel, first, "first")
    click(kernel, other, "other")
    assert cell.wait().stdout.splitlines()[-1] == "['other']"


def test_everything_is_as_before_afterwards(kernel: RealKernel) -> None:
    look = """
def look():
    kernel = running_kernel()
    thread = getattr(kernel, "shell_channel_thread", None)
    usual = None
    if thread is None:
        usual = kernel.shell_stream._recv_callback
    else:
        usual = thread.manager._on_recv_callback
    return usual, "_reply_subshell_for" in vars(comm)
"""
    kernel.check(COMM + look + "delivery.undo()\nbefore = look()\ndelivery.install()")
    if kernel.label in TAPPED:
        assert kernel.check("print(look() == before)").stdout == "False\n"
    kernel.check("delivery.undo(); delivery.undo()")
    assert kernel.check("print(look() == before)").stdout == "True\n"


@pytest.mark.parametrize("kernel", SUBSHELLS, indirect=True)
def test_on_a_subshell_clicks_arrive_while_a_cell_blocks(kernel: RealKernel) -> None:
    # JupyterLab opens a subshell for widgets. 7.4 sends a comm back to the shell that published on
    # it last, which is the main one with its cell: without the shim only the first click arrives.
    comm_id = start(kernel)
    subshell = open_subshell(kernel)
    kernel.check("comm.send({'from': 'the main shell'})")
    cell = busy(kernel, "comm.send({'from': 'the cell'})" + BLOCKING.format(n=3))
    for i in range(3):
        click(kernel, comm_id, i, subshell=subshell)
        time.sleep(0.05)
    assert cell.wait(PATIENCE).stdout.splitlines()[-1] == "[0, 1, 2]"


if STRAYING:  # Python 3.10 has no kernel that does this

    @pytest.mark.parametrize("kernel", STRAYING, indirect=True)
    def test_without_help_a_comm_follows_the_shell_that_published_last(kernel: RealKernel) -> None:
        # If this fails the kernel has learnt it, and the shim for `_reply_subshell_for` is in vain.
        comm_id = start(kernel)
        subshell = open_subshell(kernel)
        kernel.check("delivery.undo(); comm.send({'from': 'the main shell'})")
        code = "print('busy', flush=True); time.sleep(0.5); print(heard)"
        cell = busy(kernel, code)
        click(kernel, comm_id, 1, subshell=subshell)
        assert cell.wait().stdout.splitlines()[-1] == "[]"
