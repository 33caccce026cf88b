"""The panel in JupyterLab, with real clicks, on each ipykernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.support.kernels import LABELS
from tests.support.lab import LabServer
from tests.support.lab_panel import LabPanel
from tests.support.notebook_page import LabNotebook

#: Where there is a panel the extension is loaded. Of what that does these tests need one thing, or
#: ipykernel 7.0 to 7.3 may not read a cell that is run while the panel's page asks for something.
SETUP = """
import asyncio, threading, time
import cascade_nb as cs
from cascade_nb.notebook.kernel.messages import answer_through_the_stream
from cascade_nb.notebook.panel.panel import Panel
answer_through_the_stream()
started = []
"""

#: Two at a time until it is let go: minutes of work, and ten clicks take less.
MANY = """
go = threading.Event()
@cs.task(shares_process=True)
def work(i):
    started.append(time.time())
    go.wait(0.1)
    return i
@cs.task
def total(xs):
    return sum(xs)
cs.limit("task:work", 2)
run = cs.start(total([work(i) for i in range(4000)]))
panel = Panel.open(run)
"""

QUICK = """
@cs.task
def work(i):
    return i
@cs.task
def total(xs):
    return sum(xs)
panel = Panel.open(cs.start(total([work(i) for i in range(12)])))
"""

#: A run that lasts until it is let go.
LONG = """
go = threading.Event()
@cs.task(shares_process=True)
def wait(i):
    started.append(time.time())
    while not go.is_set():
        time.sleep(0.01)
    return i
@cs.task
def total(xs):
    return sum(xs)
run = cs.start(total([wait(i) for i in range(20)]))
panel = Panel.open(run)
"""

WAITING = "print('busy', flush=True)\nawait run"
LET_GO = "run.resume(); go.set(); await panel.finished()"

#: Busy until there is a file of this name beside the notebook, so that what is answered before that
#: was answered while the cell went on, however long it took.
OVER = "over"
BUSY = "from pathlib import Path\nprint('busy', flush=True)\n"
AWAITING = f"{BUSY}while not Path({OVER!r}).exists():\n    await asyncio.sleep(0.05)"
BLOCKING = f"{BUSY}while not Path({OVER!r}).exists():\n    time.sleep(0.05)"

NEWEST = LABELS[0]
every_kernel = pytest.mark.parametrize("label", LABELS)


def no_errors(notebook: LabNotebook) -> None:
    wrong = [told for told in notebook.console if told[0] == "pageerror"]
    assert wrong == []


@every_kernel
def test_ten_clicks_in_a_background_run(lab: LabServer, browser: Browser, label: str) -> None:
    # Nothing starts between the answer to a Pause and the click on Resume, and cells run meanwhile.
    with lab.open(browser, [SETUP, MANY, "6 * 7"], label) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        held: list[tuple[float, float]] = []
        for _ in range(5):
            paused = panel.flip_pause()
            assert paused.on
            notebook.run(2)
            expect(notebook.shown(2)).to_contain_text("42")
            resumed = panel.flip_pause()
            assert not resumed.on
            held.append((paused.at, resumed.clicked))
        assert notebook.ask_kernel("go.set(); cs.limit('task:work', None)") == ""
        panel.wait_for_phase("succeeded")
        times = [float(t) for t in notebook.ask_kernel("print(*started)").split()]
        no_errors(notebook)
    assert len(times) == 4000
    for answered, clicked in held:
        # Two had been let begin, and may have come to say so a moment later.
        assert len([t for t in times if answered < t < clicked]) <= 2
    assert any(t > held[-1][1] for t in times), "it was over before the last Resume"


@every_kernel
@pytest.mark.parametrize(
    "busy",
    [pytest.param("", id="idle"), pytest.param(AWAITING, id="awaiting"), BLOCKING],
    ids=lambda code: "blocking" if code else None,
)
def test_clicks_arrive_while_the_kernel_is_busy(
    lab: LabServer, browser: Browser, label: str, busy: str
) -> None:
    # Several, because on 7.4 without help only the first one would arrive.
    over = lab.notebooks / OVER
    over.unlink(missing_ok=True)
    with lab.open(browser, [SETUP, LONG, busy, LET_GO], label) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        panel.wait_for_phase("running")
        if busy:
            notebook.run(2, wait=False)
            notebook.wait_until(lambda: "busy" in notebook.text(2), "the cell does not begin")
        if busy == BLOCKING and label == "6.31":
            clicks_arrive_at_the_end(panel, over)
        else:
            answers = [panel.flip_pause() for _ in range(4)]
            assert [answer.on for answer in answers] == [True, False, True, False]
            assert not busy or notebook.is_running(2)
        if busy:
            over.touch()
            notebook.wait_for_cell(2)
        notebook.run(3)
        panel.wait_for_phase("succeeded")
        no_errors(notebook)


def clicks_arrive_at_the_end(panel: LabPanel, over: Path) -> None:
    """The kernel cannot take them, and the panel says so instead of showing what was clicked."""
    for _ in range(3):
        panel.click_pause()
    expect(panel.headline).to_contain_text("clicks arrive when")
    expect(panel.pause).to_have_attribute("aria-checked", "false")
    expect(panel.pause).to_have_attribute("aria-busy", "true")
    over.touch()
    panel.notebook.wait_for_cell(2)
    expect(panel.pause).to_have_attribute("aria-busy", "false")
    expect(panel.pause).to_have_attribute("aria-checked", "true")
    assert panel.answers()[-1][0], "of three clicks the last one counts"


@every_kernel
def test_clicks_arrive_while_a_cell_waits_for_the_run(
    lab: LabServer, browser: Browser, label: str
) -> None:
    with lab.open(browser, [SETUP, LONG, WAITING, "go.set()"], label) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        notebook.run(2, wait=False)
        notebook.wait_until(lambda: "busy" in notebook.text(2), "the cell does not begin")
        answers = [panel.flip_pause() for _ in range(4)]
        assert [answer.on for answer in answers] == [True, False, True, False]
        panel.root.get_by_role("button", name="Cancel").click()
        panel.wait_for_phase("cancelled", "cancelling")
        notebook.wait_for_cell(2)
        expect(notebook.shown(2)).to_contain_text("RunCancelledError")
        notebook.run(3)
        panel.wait_for_phase("cancelled")


def test_the_switches_work_from_the_keyboard_in_lab(lab: LabServer, browser: Browser) -> None:
    # In command mode Lab has shortcuts for many keys, Enter among them.
    with lab.open(browser, [SETUP, LONG, LET_GO], NEWEST) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        panel.wait_for_phase("running")
        panel.pause.press("Space")
        expect(panel.pause).to_have_attribute("aria-checked", "true")
        panel.pause.press("Enter")
        expect(panel.pause).to_have_attribute("aria-checked", "false")
        expect(panel.pause).to_be_focused()
        notebook.page.keyboard.press("Tab")
        expect(panel.root.get_by_role("button", name="Cancel")).to_be_focused()
        for _ in range(20):  # past the tools of the graph
            notebook.page.keyboard.press("Tab")
            focused = notebook.page.evaluate("() => document.activeElement.ariaLabel")
            if focused == "Hold total":
                break
        assert focused == "Hold total"
        notebook.page.keyboard.press("Space")
        hold = panel.root.get_by_role("switch", name="Hold total")
        expect(hold).to_have_attribute("aria-checked", "true")
        assert len(notebook.page.locator(".jp-Cell").all()) == 3, "a shortcut changed the notebook"
        notebook.page.keyboard.press("Space")
        expect(hold).to_have_attribute("aria-checked", "false")
        notebook.run(2)


def test_a_reopened_notebook_shows_graph_and_summary_without_a_kernel(
    lab: LabServer, browser: Browser
) -> None:
    with lab.open(browser, [SETUP + QUICK, "await panel.finished()"], NEWEST) as notebook:
        notebook.run(0)
        panel = LabPanel(notebook, 0)
        # While the panel shows the graph alive, the cell does not show it twice.
        panel.wait_for_phase("succeeded")
        notebook.run(1)
        pictures = notebook.output(0, ".jp-RenderedSVG img")
        expect(pictures).to_have_count(2)  # the graph, and when its tasks were under way
        for picture in pictures.all():
            expect(picture).to_be_hidden()
        notebook.save()
        name = notebook.name
    with lab.reopen(browser, name, with_kernel=False) as reopened:
        pictures = reopened.output(0, ".jp-RenderedSVG img")
        expect(pictures).to_have_count(2)
        picture, times = pictures.first, pictures.last
        expect(picture).to_be_visible()
        expect(times).to_be_visible()
        assert "cascade-times" in (times.get_attribute("src") or "")
        width = picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
        assert width > 100
        source = picture.get_attribute("src") or ""
        assert "data-state%3D%22done%22" in source
        assert "data-state%3D%22waiting%22" not in source
        shown = reopened.shown(0)
        expect(shown).to_contain_text(re.compile(r"total · run 1 \(\w+\)"), use_inner_text=True)
        expect(shown).to_contain_text("13 of 13 done", use_inner_text=True)
        assert reopened.page.locator(".cascade-panel").count() == 0


def test_a_notebook_saved_in_the_midst_of_a_run_says_how_it_stood(
    lab: LabServer, browser: Browser
) -> None:
    # Its kernel may be lost before the run is over, and then this is all that is known.
    with lab.open(browser, [SETUP, LONG], NEWEST) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        expect(notebook.output(1, ".jp-RenderedSVG img")).to_have_count(1)
        saved = notebook.output(1, ".jp-RenderedText pre")
        expect(saved).to_contain_text(re.compile(r"As of 20.*Running \d+ tasks", re.DOTALL))
        expect(saved).to_be_hidden()
        expect(panel.root).to_be_visible()
        notebook.save()
        name = notebook.name
    with lab.reopen(browser, name, with_kernel=False) as reopened:
        expect(reopened.output(1, ".jp-RenderedSVG img")).to_be_visible()
        for words in (
            r"total · run 1 \(\w+\) · started 20\S+ \S+ · 21 nodes",
            r"0 of 21 done, \d+ running, \d+ waiting",
        ):
            expect(reopened.shown(1)).to_contain_text(re.compile(words), use_inner_text=True)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_a_picture_lies_on_the_page_without_a_frame_of_its_own(
    lab: LabServer, browser: Browser, theme: str
) -> None:
    # The reader's system says the opposite: it is Lab's theme that counts.
    system: Literal["light", "dark"] = "light" if theme.endswith("Dark") else "dark"
    with lab.open(browser, [SETUP + QUICK], NEWEST) as notebook:
        notebook.page.emulate_media(color_scheme=system)
        wear(notebook, theme)
        notebook.run(0)
        LabPanel(notebook, 0).wait_for_phase("succeeded")
        expect(notebook.output(0, ".jp-RenderedSVG img")).to_have_count(2)  # and both are saved
        notebook.save()
        with lab.reopen(browser, notebook.name, with_kernel=False, color_scheme=system) as page:
            wear(page, theme)  # the setting may reach the server later than this page was asked for
            image = page.output(0, ".jp-RenderedSVG img").first
            image.evaluate("image => image.decode()")

            def alike() -> bool:
                place = image.bounding_box()
                assert place is not None, "the picture is hidden"
                spot = {"x": place["x"] + 5, "y": place["y"] + 5, "width": 4, "height": 4}
                clips: Any = (spot, {**spot, "x": place["x"] + place["width"] + 5})
                inside, outside = (page.page.screenshot(clip=clip) for clip in clips)
                return inside == outside

            page.wait_until(alike, "the picture is not as dark as its page")


def wear(notebook: LabNotebook, theme: str) -> None:
    """Have JupyterLab in a theme, and painted so."""
    notebook.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    light = str(theme.endswith("Light")).lower()
    notebook.page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg=light
    )


def test_a_page_that_is_loaded_again_shows_the_run_as_it_is(
    lab: LabServer, browser: Browser
) -> None:
    with lab.open(browser, [SETUP, LONG, LET_GO], NEWEST) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        assert panel.flip_pause().on
        notebook.save()
        with lab.reopen(browser, notebook.name) as again:
            second = LabPanel(again, 1)
            expect(second.pause).to_have_attribute("aria-checked", "true")
            expect(second.root.locator(".cs-graph g.node").first).to_be_visible()
            assert not second.flip_pause().on
        # The first page hears of it too.
        expect(panel.pause).to_have_attribute("aria-checked", "false")
        notebook.run(2)
        panel.wait_for_phase("succeeded")


def test_a_panel_that_is_shown_again_is_the_same_panel(lab: LabServer, browser: Browser) -> None:
    long, let_go = LONG.replace("panel =", "#"), "go.set(); await run"
    cells = [SETUP, "%load_ext cascade_nb", long, "%cascade panel 1", let_go, "%cascade panel 1"]
    with lab.open(browser, cells, NEWEST) as notebook:
        for index in range(4):
            notebook.run(index)
        first = LabPanel(notebook, 3)
        notebook.run(5)
        second = LabPanel(notebook, 5)
        assert second.flip_pause().on
        expect(first.pause).to_have_attribute("aria-checked", "true")
        assert not first.flip_pause().on
        notebook.run(4)
        second.wait_for_phase("succeeded")
        first.wait_for_phase("succeeded")


def test_all_runs_stand_in_one_panel_which_two_browsers_share(
    lab: LabServer, browser: Browser
) -> None:
    long = LONG.replace("run = cs.start", "whole = ").replace("panel =", "#")
    cells = [SETUP, "%load_ext cascade_nb", long, "run = %cascade run whole", "%cascade panel"]
    with lab.open(browser, [*cells, "go.set(); await run"], NEWEST) as notebook:
        for index in range(5):
            notebook.run(index)
        first = notebook.output(4, ".cascade-panel[data-kind=runs]")
        expect(first.locator(".cs-one")).to_have_count(1)
        expect(notebook.output(4, ".jp-RenderedText pre").first).to_be_hidden()
        notebook.save()
        with lab.reopen(browser, notebook.name) as again:
            second = again.output(4, ".cascade-panel[data-kind=runs]")
            second.get_by_role("switch", name="Hold everything").click()
            for one in (first, second):
                switch = one.get_by_role("switch", name="Hold everything")
                expect(switch).to_have_attribute("aria-checked", "true")
                expect(one.locator(".cs-force")).to_contain_text("everything: paused by you")
            second.locator(".cs-called").click()
            inside = second.locator(".cs-inside .cascade-panel")
            expect(inside.locator(".cs-graph g.node").first).to_be_visible()
            # The run's own panel, which is open below, has one too.
            second.locator(".cs-inforce").get_by_role("button", name="Lift").click()
            expect(second.get_by_text("In force")).to_be_hidden()
            no_errors(again)
        expect(first.get_by_text("In force")).to_be_hidden()
        notebook.run(5)
        expect(first.locator(".cs-one")).to_have_attribute("data-phase", "succeeded")
        no_errors(notebook)


def test_what_tasks_print_and_display_is_seen_in_the_panel(
    lab: LabServer, browser: Browser
) -> None:
    code = """
from IPython.display import HTML, display
@cs.task
def speak():
    print("task speaks")
    display(HTML("<b class='shown'>task shows</b>"))
panel = Panel.open(cs.start(speak()))
"""
    with lab.open(browser, [SETUP, code], NEWEST) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        panel.wait_for_phase("succeeded")
        panel.root.locator(".cs-section-output summary").click()
        expect(panel.root.locator(".cs-text")).to_have_text("task speaks\n")
        expect(panel.root.locator(".shown")).to_have_text("task shows")
        # The panel, and what stays of it: the graph, and when its tasks were under way.
        notebook.wait_until(lambda: len(notebook.outputs(1)) >= 3, "its pictures do not come")
        kinds = [output["output_type"] for output in notebook.outputs(1)]
        assert kinds == ["display_data"] * 3


def test_a_panel_whose_kernel_is_gone_says_so(lab: LabServer, browser: Browser) -> None:
    # It must not go on counting seconds of a run that nobody runs, nor take clicks for nobody.
    with lab.open(browser, [SETUP, LONG], NEWEST) as notebook:
        notebook.run(0)
        notebook.run(1)
        panel = LabPanel(notebook, 1)
        notebook.restart()
        expect(panel.headline).to_contain_text("kernel that ran this is gone")
        expect(panel.pause).to_be_disabled()
        no_errors(notebook)
