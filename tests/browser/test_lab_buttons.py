"""JupyterLab's own buttons, tabs and impatient hands: nothing is lost and nothing is stuck."""

from __future__ import annotations

from typing import Final, NamedTuple

from playwright.sync_api import Browser, Locator, expect

from tests.support.kernels import LABELS
from tests.support.lab import LabServer
from tests.support.lab_panel import LabPanel
from tests.support.notebook_page import LabNotebook

NEWEST: Final = LABELS[0]

LOAD: Final = """%load_ext cascade_nb
import asyncio, threading, time
import cascade_nb as cs
seen = threading.Event()"""

#: A task of each way to be busy. None ends by itself, and each can be stopped.
TASKS: Final = """%%cascade --quiet
def thread(n):
    for _ in cs.track(range(20_000)): time.sleep(0.02)

async def coroutine(n):
    await asyncio.sleep(400)

def quick(n): return n

def nests(n):
    return cs.run(thread(n))

class Slow:
    def __reduce__(self):
        seen.wait(120)
        return Slow, ()

in_thread, in_coroutine, nested, at_once = thread(1), coroutine(1), nests(2), quick(3)
mapped = thread.map(n=list(range(30)))
keyed = quick(Slow())
"""

AFTER: Final = "print(6 * 7)"
RESULT: Final = "print('value', cs.run(quick(4)))"


class Moment(NamedTuple):
    """When a button is pressed.

    Attributes:
        cell: what runs.
        until: what the page shows then: a phase of the panel, or None for what the cell prints.
        busy: a second cell that runs then.
        phases: what the panel says after an interrupt.
    """

    cell: str
    until: str = "running"
    busy: str = ""
    phases: tuple[str, ...] = ("cancelled",)


BUSY: Final = "print('busy', flush=True)\n"
MOMENTS: Final = {
    "the run is being prepared": Moment("%cascade run keyed", until="starting"),
    "a thread works": Moment("%cascade run in_thread"),
    "a coroutine works": Moment("%cascade run in_coroutine"),
    "a cell blocks the kernel": Moment(
        "%cascade run in_thread", busy=f"{BUSY}time.sleep(400)", phases=("running",)
    ),
    "a cell awaits something": Moment(
        "%cascade run in_thread", busy=f"{BUSY}await asyncio.sleep(400)", phases=("running",)
    ),
    "the run is paused": Moment("%cascade run in_thread\n%cascade pause", until="paused"),
    "a cell waits for the run": Moment("%cascade run in_thread --wait"),
    "a run in a run goes on": Moment("%cascade run nested"),
    "items of a map work": Moment("%cascade run mapped --wait"),
    "it is over": Moment("%cascade run at_once", until="succeeded", phases=("succeeded",)),
}
#: Where the cells stand.
SETUP, DEFINE, RUN, HOLD, LAST = range(5)


def panel_at(notebook: LabNotebook, moment: Moment) -> LabPanel:
    """The panel of the run, when the moment is there."""
    notebook.run(RUN, wait=False)
    panel = LabPanel(notebook, RUN)
    panel.wait_for_phase(moment.until)
    if moment.busy:
        notebook.run(HOLD, wait=False)
        notebook.wait_until(lambda: "busy" in notebook.text(HOLD), "the cell does not begin")
    return panel


def test_an_interrupt_at_any_moment_ends_what_waits_and_says_what_became_of_the_run(
    lab: LabServer, browser: Browser
) -> None:
    first = f"{LOAD}\nprint('busy', flush=True)\ntime.sleep(400)"
    with lab.open(browser, [first, TASKS, "", "", AFTER], NEWEST) as notebook:
        notebook.run(SETUP, wait=False)
        notebook.wait_until(lambda: "busy" in notebook.text(SETUP), "the cell does not begin")
        notebook.press_interrupt()
        notebook.wait_for_cell(SETUP)
        notebook.write(SETUP, LOAD)
        notebook.run(SETUP)
        notebook.run(DEFINE)
        for name, moment in MOMENTS.items():
            notebook.write(RUN, moment.cell)
            notebook.write(HOLD, moment.busy)
            panel = panel_at(notebook, moment)
            notebook.press_interrupt()  # else it would go on for longer than anybody waits here
            panel.wait_for_phase(*moment.phases)
            notebook.ask_kernel("seen.set()")
            for cell in (RUN, HOLD) if moment.busy else (RUN,):
                notebook.wait_for_cell(cell)
            notebook.run(LAST)
            expect(notebook.shown(LAST), name).to_have_text("42", use_inner_text=True)
            if moment.phases == ("running",):
                notebook.ask_kernel("get_ipython().run_line_magic('cascade', 'cancel')")
                panel.wait_for_phase("cancelled")
            if "--wait" in moment.cell:
                expect(notebook.shown(RUN), name).to_contain_text("was interrupted")
            notebook.ask_kernel("cs.resume('global')")
        nothing_goes_on(notebook)


def test_a_restart_at_any_moment_leaves_a_panel_that_says_so_and_a_notebook_that_runs_again(
    lab: LabServer, browser: Browser
) -> None:
    first = f"{LOAD}\nprint('busy', flush=True)\ntime.sleep(400)"
    with lab.open(browser, [first, TASKS, "", "", RESULT], NEWEST) as notebook:
        notebook.run(SETUP, wait=False)
        notebook.wait_until(lambda: "busy" in notebook.text(SETUP), "the cell does not begin")
        notebook.press_restart()
        notebook.write(SETUP, LOAD)
        for moment in MOMENTS.values():
            notebook.run(SETUP)
            notebook.run(DEFINE)
            notebook.write(RUN, moment.cell)
            notebook.write(HOLD, moment.busy)
            panel = panel_at(notebook, moment)
            notebook.press_restart()
            expect(panel.headline).to_contain_text("kernel that ran this is gone")
            for button in panel.root.get_by_role("switch").all():
                expect(button).to_be_disabled()
            expect(panel.root.get_by_role("button", name="Cancel")).to_be_disabled()
        notebook.write(RUN, "%cascade run at_once --wait")
        for cell in range(5):
            notebook.run(cell)
        panel = LabPanel(notebook, RUN)
        panel.wait_for_phase("succeeded")
        expect(notebook.shown(LAST)).to_have_text("value 4", use_inner_text=True)
        nothing_goes_on(notebook)


def test_two_tabs_a_hundred_clicks_ten_runs_and_a_closed_tab(
    lab: LabServer, browser: Browser
) -> None:
    cells = [LOAD, TASKS, "run = %cascade run mapped", "", AFTER]
    with lab.open(browser, cells, NEWEST) as notebook:
        for cell in (SETUP, DEFINE, RUN):
            notebook.run(cell)
        panel = LabPanel(notebook, RUN)
        panel.wait_for_phase("running")
        notebook.save()
        with lab.reopen(browser, notebook.name) as other:
            second = LabPanel(other, RUN)
            for one, two in ((panel, second), (second, panel)):
                assert one.flip_pause().on
                expect(two.pause).to_have_attribute("aria-checked", "true")
                assert not two.flip_pause().on
                expect(one.pause).to_have_attribute("aria-checked", "false")
            # A cell of the second tab has a panel of its own, and neither disturbs the other.
            other.write(HOLD, "second = %cascade run nested")
            other.run(HOLD)
            third = LabPanel(other, HOLD)
            third.wait_for_phase("running")
            hurry(third.pause, 50)
            hurry(second.pause, 49)
            expect(panel.pause).to_have_attribute("aria-checked", "true")
            expect(panel.pause).to_have_attribute("aria-busy", "false")
            third.wait_for_phase("running")
            hold = panel.root.get_by_role("switch", name="Hold thread")
            hurry(hold, 101)
            expect(hold).to_have_attribute("aria-busy", "false")
            expect(hold).to_have_attribute("aria-checked", "true")
            assert notebook.ask_kernel("print(run.status.phase.value)") in ("paused\n", "pausing\n")
        # The second tab is closed in the midst of its run, which goes on; opened again it is there.
        assert notebook.ask_kernel("print(second.done())") == "False\n"
        with lab.reopen(browser, notebook.name) as again:
            back = LabPanel(again, RUN)
            expect(back.pause).to_have_attribute("aria-checked", "true")
            back.root.get_by_role("button", name="Cancel").click()
            panel.wait_for_phase("cancelled")
        assert notebook.ask_kernel("second.cancel(); cs.resume('task:thread')") == ""
        notebook.write(RUN, "run = %cascade run in_thread")
        for _ in range(10):
            notebook.run(RUN, wait=False)
        notebook.run(LAST)
        # Nine times its run goes on already, and is shown again with the question what to do.
        ten = LabPanel(notebook, RUN)
        ten.wait_for_phase("running")
        going = "print(sum(1 for r in cs.defaults.default_engine().runs if r is not second))"
        notebook.wait_until(lambda: notebook.ask_kernel(going) == "1\n", "there are several")
        expect(notebook.page.locator(".cascade-panel")).to_have_count(1)
        stop = "for r in list(cs.defaults.default_engine().runs): r.cancel()"
        assert notebook.ask_kernel(stop) == ""
        ten.wait_for_phase("cancelled")
        nothing_goes_on(notebook)
        no_errors(notebook)


def nothing_goes_on(notebook: LabNotebook) -> None:
    """Until no run is left: one that is over is told of before it is put away."""
    left = "print(len(cs.defaults.default_engine().runs))"
    notebook.wait_until(lambda: notebook.ask_kernel(left) == "0\n", "a run does not end")


def hurry(switch: Locator, times: int) -> None:
    """Click so often, as fast as a page can take it, and wait until all of it is answered."""
    switch.evaluate(
        "async (element, times) => { for (let i = 0; i < times; i++) {"
        " element.click(); await new Promise(done => setTimeout(done, 5)) } }",
        times,
    )
    expect(switch).to_have_attribute("aria-busy", "false")


def no_errors(notebook: LabNotebook) -> None:
    assert [told for told in notebook.console if told[0] == "pageerror"] == []
