"""What tasks draw, show and capture arrives whole in their panel, and under no other cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.tools import until_blocking
from tests.support.kernels import OWN, RealKernel

pytestmark = pytest.mark.may_block("a kernel is waited for")

SETUP = """
import asyncio, threading, time
import cascade_nb as cs
import ipywidgets
from IPython.display import display
from cascade_nb.notebook.panel.panel import Panel
go, there = threading.Event(), threading.Event()
def bundles(panel): return [bundle["data"] for bundle in panel.output._bundles.values()]
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    """One kernel that has Matplotlib, with nothing of it imported yet."""
    with RealKernel.start(OWN) as running:
        running.check(SETUP)
        yield running


def test_figures_that_a_task_still_draws_are_its_own(kernel: RealKernel) -> None:
    # A cell that ends, and a message of a widget, have IPython show and close all figures that
    # there are. The task is also the first to import pyplot, so nothing could be put up before.
    kernel.check(
        """
@cs.task
def draw(k):
    import matplotlib.pyplot as plt
    plt.plot([k, 1])
    there.set(); go.wait(120)
    assert plt.gcf().axes and len(plt.get_fignums()) == 1, "it is gone"
    plt.title(f"number {k}")
    return k
panel = Panel.open(cs.start(draw.map(k=[1, 2, 3])))
await asyncio.to_thread(there.wait, 60)
"""
    )
    assert kernel.check("get_ipython().events.trigger('post_execute')").displays == []
    own = kernel.check("import matplotlib.pyplot as plt\nplt.figure(); plt.plot([3, 4]);")
    assert ["image/png" in shown for shown in own.displays] == [True]
    assert kernel.check("go.set()").displays == []
    last = kernel.check("await panel.finished()\nprint(panel.run.status.headline[:4])")
    assert (last.stdout, last.displays) == ("Done\n", [])
    told = kernel.check(
        "shown = [b.get('image/png') for b in bundles(panel)]\nprint(len(set(shown)), all(shown))"
    )
    assert told.stdout == "3 True\n", "each task's figure is shown when it ends, once"
    # What was put up is taken away again.
    after = kernel.check(
        "from matplotlib._pylab_helpers import Gcf\nprint(type(Gcf.figs).__name__, len(Gcf.figs))"
    )
    assert after.stdout == "OrderedDict 0\n"


def test_shows_and_closes_of_tasks_on_the_loop_are_their_own(kernel: RealKernel) -> None:
    kernel.check("import matplotlib.pyplot as plt\ngo.clear(); there.clear()")
    kernel.check(
        """
@cs.task
async def draw(k):
    plt.plot([k, 1])
    await asyncio.sleep(0.05)
    plt.show()
    plt.plot([k, 2]); plt.close("all")
@cs.task(executor="inline")
def at_once(done):
    plt.plot([5, 6])
    print("inline speaks")
panel = Panel.open(cs.start(at_once(draw.map(k=[1, 2]))))
"""
    )
    last = kernel.check("plt.plot([1]); await panel.finished()")
    assert [("image/png" in shown) for shown in last.displays] == [True]
    told = kernel.check("print(len(bundles(panel)), panel.output.text)")
    assert told.stdout == "3 inline speaks\n\n"


def test_an_output_widget_in_a_task_takes_what_the_task_writes_in_it(kernel: RealKernel) -> None:
    cell = kernel.check(
        """
@cs.task
def capture():
    box = ipywidgets.Output()
    with box:
        print("inside"); print("more")
        display({"text/plain": "shown"}, raw=True)
        1 / 0
    print("outside")
    display(box)
    return [(o["output_type"], o.get("text", o.get("ename"))) for o in box.outputs], box.msg_id
run = cs.start(capture())
panel = Panel.open(run)
await panel.finished()
print(run.result(), panel.output.text, end="")
"""
    )
    assert cell.stdout == (
        "([('stream', 'inside\\nmore\\n'), ('display_data', None), "
        "('error', 'ZeroDivisionError')], '') outside\n"
    )


def test_what_tasks_of_a_run_within_a_task_print_is_in_the_panel(kernel: RealKernel) -> None:
    cell = kernel.check(
        """
@cs.task
def inner():
    print("inner speaks")
@cs.task
def outer():
    cs.start(inner()).result()
    print("outer speaks")
panel = Panel.open(cs.start(outer()))
await panel.finished()
"""
    )
    assert cell.stdout == ""
    assert kernel.check("print(panel.output.text)").stdout == "inner speaks\nouter speaks\n\n"


def test_no_text_of_a_task_stops_the_panel_or_commands_a_terminal(kernel: RealKernel) -> None:
    # A lone surrogate fits into no message, and one failed message used to be the last.
    launch = kernel.check(
        r"""
half = chr(0xd83d)
@cs.task
def bad():
    print("one " + half + "\x1b[31m red\x1b]0;title\x07\x00")
    display({"text/plain": half, "text/html": half}, raw=True)
    raise ValueError("no file " + half + "\x1b[2J")
sent = []
panel = Panel.open(cs.start(bad()))
panel.hello()
usual = panel.widget.comm.send
def send(data, *args, **kwargs):
    if not sent:
        sent.append(None)
        raise OSError("one message is lost")
    sent.append(data)
    return usual(data, *args, **kwargs)
panel.widget.comm.send = send
"""
    )
    kernel.check("await panel.finished()")
    told = kernel.check("print(panel.output.text, panel.run.status.headline[:60])")
    assert told.stdout.startswith("one \ufffd red\ufffd\n Failed after")
    assert "ValueError: no file \ufffd" in told.stdout
    assert "\x1b" not in told.stdout
    said = "print([d['content'].get('phase') for d in sent[1:] if d.get('content')])"
    until_blocking(lambda: "'failed'" in kernel.check(said).stdout)
    launch.wait_until(lambda cell: "no file \ufffd" in str(cell.displays))
    assert "\x1b" not in str([shown.get("text/plain") for shown in launch.displays])


def test_what_a_process_draws_and_displays_arrives_as_from_a_thread(kernel: RealKernel) -> None:
    kernel.check(
        """
from IPython.display import HTML, display as shown
def paint(k):
    import matplotlib.pyplot as plt
    display(HTML(f"<b>{k}</b>"))
    shown({"text/plain": "raw", "application/x-own": k}, raw=True)
    plt.plot([k, 1])
    plt.show()
    plt.plot([k, 2])
    if k == 2: raise ValueError("after it has drawn")
    return k
def opened(executor):
    painted = cs.task(paint, executor=executor, reuse=False).map(k=[1, 2])
    return Panel.open(cs.start(painted, on_error="continue"))
def kinds(panel): return sorted(str([sorted(b), b.get("text/html")]) for b in bundles(panel))
panels = [opened(executor) for executor in ("thread", "processes")]
"""
    )
    told = kernel.check(
        """
for panel in panels: await panel.finished()
print(kinds(panels[0]) == kinds(panels[1]), len(kinds(panels[0])))
print([panel.run.status.failed for panel in panels])
print(sum("image/png" in one for one in kinds(panels[1])))
"""
    )
    assert told.stdout == "True 8\n[1, 1]\n4\n"
    assert told.displays == []
