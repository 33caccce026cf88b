"""The timeline in a bare page: what it asks, shows and says, by mouse and by keys."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.support.axe import complaints
from tests.support.graph_page import fan_of
from tests.support.panel_page import EVIL, STATE, OpenPanel, PanelPage

Json = dict[str, Any]
REPAINTED = "([canvas, before]) => canvas.toDataURL() !== before"


def told(**more: Any) -> Json:
    """What the kernel answers: four attempts at two tasks, a pause, and what came before."""
    bars = [
        # node, item, name, kind, attempt, begin, length, outcome, when it stood still
        [0, -1, 0, 0, 1, 0.0, 2.0, "f"],
        [0, -1, 0, 0, 2, 3.0, 2.0, "d"],
        [1, 7, 1, 1, 1, 5.0, 4.0, "d", [[6.0, 1.0]]],
        [1, 8, 1, 1, 1, 5.0, 1.0, "c"],
    ]
    return {
        "serial": 0,
        "now": 10.0,
        "first": 0,
        "last": len(bars),
        "ended": len(bars),
        "bars": bars,
        "going": [],
        "slices": [[9.0, 0.5, 12]],
        "pauses": [[2.0, 3.0, "", "all paused by you: lunch"]],
        "width": 0.5,
        "folded": [],
        "path": [[1, 7], [0, -1]],
        "names": ["load", "train"],
        "kinds": [["read", "thread"], ["train", "process"]],
        "over": True,
        **more,
    }


def timeline(panel: PanelPage) -> Locator:
    return panel.panel.locator(".cs-section-timeline")


def asked(panel: PanelPage) -> Json:
    """The last question, when there is one that is not answered."""
    panel.page.wait_for_function(
        "() => (window.asked = window.sent.filter(m => m.type === 'timeline')).length"
        " && window.asked.at(-1).ask !== window.answered"
    )
    message: Json = panel.sent("timeline")[-1]
    return message


def answer(panel: PanelPage, **message: Any) -> Json:
    """Wait for a question and answer it; gives what it was."""
    question = asked(panel)
    panel.page.evaluate(
        """message => {
            const { page, ask } = window.sent.filter(({ type }) => type === 'timeline').at(-1)
            window.answered = ask
            window.call('msg:custom', { type: 'timeline', page, ask, ...message }) }""",
        message,
    )
    return question


def show(panel: PanelPage, **more: Any) -> Locator:
    """OpenPanel it, and have it answered; gives its picture."""
    timeline(panel).locator("summary").first.click()
    answer(panel, **told(**more))
    picture = timeline(panel).get_by_role("application")
    expect(picture).to_have_accessible_name(re.compile("^Timeline: "))
    return picture


def test_nothing_is_asked_before_it_is_opened_and_nothing_more_when_all_is_known(
    open_panel: OpenPanel,
) -> None:
    panel = open_panel(still=True)
    panel.page.clock.run_for(5_000)
    assert panel.sent("timeline") == []
    timeline(panel).locator("summary").first.click()
    question = answer(panel, **told(over=False, going=[[2, -1, 0, 0, 1, 9.0, None, "r"]]))
    assert question == {"type": "timeline", "ask": 1, "serial": -2, "since": 0, "folded": True}
    panel.page.clock.run_for(1_600)
    question = answer(panel, **told(bars=[], last=4))
    assert (question["serial"], question["since"], question["folded"]) == (0, 4, False)
    panel.page.clock.run_for(9_000)
    assert len(panel.sent("timeline")) == 2
    expect(timeline(panel)).to_contain_text("timeline · 4")


def test_what_is_longer_than_one_answer_comes_in_several(open_panel: OpenPanel) -> None:
    panel = open_panel()
    timeline(panel).locator("summary").first.click()
    answer(panel, **told(ended=6))
    question = answer(panel, **told(bars=told()["bars"][:2], last=6, ended=6))
    assert question["since"] == 4
    expect(timeline(panel)).to_contain_text("timeline · 6")


def test_keys_go_from_bar_to_bar_say_what_they_are_and_open_the_node(open_panel: OpenPanel) -> None:
    panel = open_panel()
    picture = show(panel)
    picture.focus()
    said = timeline(panel).get_by_role("status")
    panel.page.keyboard.press("ArrowRight")
    expect(said).to_have_text("load · failed · began after 0 ms · 2 s")
    panel.page.keyboard.press("ArrowRight")
    expect(said).to_have_text(
        "load · attempt 2 · done · began after 3 s · 2 s · the end waited for it"
    )
    panel.page.keyboard.press("ArrowDown")
    expect(said).to_have_text(
        "train[7] · done · began after 5 s · 4 s · stood still for 1 s · the end waited for it"
    )
    panel.page.keyboard.press("+")
    panel.page.keyboard.press("Enter")
    assert panel.sent("node")[-1] == {"type": "node", "ask": 2, "node": "0:1:7"}
    expect(panel.panel.locator(".cs-drawer")).to_be_visible()
    panel.page.keyboard.press("Escape")
    expect(picture).to_be_focused()


def test_a_click_opens_what_is_under_it_and_a_pause_says_what_it_is(open_panel: OpenPanel) -> None:
    panel = open_panel(viewport={"width": 1200, "height": 900})
    picture = show(panel)
    box = picture.bounding_box()
    assert box is not None
    scale = (box["width"] - 120) / 10.1  # seconds from the names of lanes to its end
    said = timeline(panel).get_by_role("status")
    picture.hover(position={"x": 116 + scale * 2.5, "y": 60})
    expect(said).to_have_text("all paused by you: lunch · 1 s")
    picture.click(position={"x": 116 + scale * 4, "y": 26})
    expect(said).to_contain_text("load · attempt 2")
    assert panel.sent("node")[-1]["node"] == "0:0"
    timeline(panel).get_by_role("button", name="By slot").click()
    picture.hover(position={"x": 116 + scale * 9.2, "y": 79})
    expect(said).to_contain_text("about 12 tiny tasks")


def test_zoomed_it_can_be_moved_and_shown_whole_again(open_panel: OpenPanel) -> None:
    panel = open_panel(viewport={"width": 1200, "height": 900})
    picture = show(panel)
    said = timeline(panel).get_by_role("status")
    for _ in range(3):
        timeline(panel).get_by_role("button", name="Zoom in").click()
    picture.hover(position={"x": 400, "y": 26})
    expect(said).to_contain_text("load · attempt 2")
    box = picture.bounding_box()
    assert box is not None
    panel.page.mouse.move(box["x"] + 300, box["y"] + 26)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + 1150, box["y"] + 26, steps=4)
    panel.page.mouse.up()
    panel.page.mouse.move(box["x"] + 1150, box["y"] + 26)
    panel.page.mouse.move(box["x"] + 1151, box["y"] + 26)
    expect(said).not_to_contain_text("attempt 2")
    assert panel.sent("node") == [], "to move it is no click"
    timeline(panel).get_by_role("button", name="Show all of it").click()
    picture.hover(position={"x": 560, "y": 26})
    expect(said).to_contain_text("load · attempt 2")


def test_a_run_of_which_nothing_ran_says_so_instead_of_showing_nothing(
    open_panel: OpenPanel,
) -> None:
    panel = open_panel(state={**STATE, "phase": "succeeded", "ended": True})
    timeline(panel).locator("summary").first.click()
    answer(panel, **told(bars=[], last=0, ended=0, slices=[], path=[]))
    expect(timeline(panel)).to_contain_text("Nothing was under way: every result stood already.")
    expect(timeline(panel).get_by_role("application")).to_be_hidden()
    expect(timeline(panel).get_by_role("button", name="By task")).to_be_hidden()


def test_what_came_before_is_told_together(open_panel: OpenPanel) -> None:
    panel = open_panel(viewport={"width": 1200, "height": 900})
    cells = [[1, 0, 512, 3.5, 4], [1, 1, 700, 3.9, 0]]
    picture = show(panel, folded=cells, width=0.5, first=1212, last=1216, ended=1216)
    picture.hover(position={"x": 116 + 20, "y": 28})
    expect(timeline(panel).get_by_role("status")).to_have_text(
        "512 attempts at train ended between 0 ms and 500 ms, 4 not well"
    )
    timeline(panel).locator("summary", has_text="as a table").click()
    expect(timeline(panel)).to_contain_text("and 1,212 before them")


def test_the_table_says_the_same_and_opens_nodes(open_panel: OpenPanel) -> None:
    panel = open_panel()
    show(panel)
    timeline(panel).locator("summary", has_text="as a table").click()
    rows = timeline(panel).locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(3)).to_have_text("load10 ms2 sfailedthread", use_inner_text=False)
    timeline(panel).get_by_role("button", name="train[7]").click()
    assert panel.sent("node")[-1]["node"] == "0:1:7"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_panel: OpenPanel, scheme: str) -> None:
    panel = open_panel(color_scheme=scheme)
    panel.page.evaluate(
        "s => { document.body.style.background = s === 'dark' ? '#111' : '#fff' }", scheme
    )
    show(panel)
    timeline(panel).locator("summary", has_text="as a table").click()
    assert complaints(panel.page, ".cascade-panel") == []


@pytest.mark.parametrize("width", [1400, 700, 420])
def test_nothing_sticks_out(open_panel: OpenPanel, width: int) -> None:
    panel = open_panel(viewport={"width": width, "height": 900})
    show(panel, names=["n" * 120, "m" * 120], kinds=[["k" * 120, "thread"], ["j" * 120, "x"]])
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_five_hundred_texts_of_anybody_are_text(open_panel: OpenPanel) -> None:
    dice = random.Random(20)
    pieces = [
        EVIL,
        "javascript:window.hacked=3",
        "\x00",
        "\ud800".encode("utf-8", "replace").decode(),
    ]
    pieces += [
        "${7*7}",
        "&lt;b&gt;",
        "'\"><svg onload=window.hacked=4>",
        "\u202e\u2066",
        "\U0001d54f" * 9,
    ]
    texts = ["".join(dice.choices(pieces, k=3)) for _ in range(500)]
    panel = open_panel()
    bars = [[i, -1, i, i % 40, 1, i / 50, 0.2, "d"] for i in range(500)]
    kinds = [[text, text] for text in texts[:40]]
    pauses = [[0.0, 9.0, text, text] for text in texts[:100]]
    pauses.append([0.0, None, "", EVIL])
    folded = [[i, 0, 1, 0.1, 1] for i in range(40)]
    picture = show(
        panel, bars=bars, last=500, ended=500, names=texts, kinds=kinds, pauses=pauses,
        folded=folded,
    )  # fmt: skip
    timeline(panel).locator("summary", has_text="as a table").click()
    expect(timeline(panel).locator("tbody tr")).to_have_count(200)
    picture.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight"):
        panel.page.keyboard.press(key)
    picture.hover(position={"x": 300, "y": 40})
    answer_problem = "<img src=x onerror='window.hacked = 5'>"
    panel.page.evaluate(
        """problem => {
            const { page, ask } = window.sent.filter(({ type }) => type === 'timeline').at(-1)
            window.call('msg:custom', { type: 'timeline', page, ask, problem }) }""",
        answer_problem,
    )
    assert panel.page.locator("img").count() == 0
    assert panel.page.locator("script").count() == 0
    assert panel.page.evaluate("() => window.hacked") is None


def test_thousands_of_bars_are_drawn_in_a_moment_and_a_view_opened_late_has_them(
    open_panel: OpenPanel,
) -> None:
    panel = open_panel(viewport={"width": 1200, "height": 900})
    bars = [[i, -1, 0, i % 2, 1, (i // 8) * 0.5, 0.45, "d"] for i in range(4_000)]
    show(panel, bars=bars, first=96_000, last=100_000, ended=100_000, now=260.0)
    spent = panel.page.evaluate(
        """() => {
            const began = performance.now()
            for (let i = 0; i < 5; i++) document.querySelector('[aria-label="Zoom in"]').click()
            return performance.now() - began }"""
    )
    # The bound is for a machine that does other things too; alone it takes some 20 ms a picture.
    assert spent < 15_000
    panel.page.evaluate("() => window.show()")
    second = panel.page.locator(".cascade-panel").nth(1)
    second.locator(".cs-section-timeline > summary").click()
    question = asked(panel)
    assert (question["since"], question["folded"]) == (0, True)


def test_when_nobody_has_the_run_any_more_it_says_so(open_panel: OpenPanel) -> None:
    panel = open_panel()
    panel.tell(phase="succeeded", ended=True, headline=["Done in 2 s"])
    timeline(panel).locator("summary").first.click()
    answer(panel, serial=-1)
    expect(timeline(panel).get_by_role("status")).to_contain_text("nobody has it any more")
    assert STATE["ended"] is False


def test_boxes_say_how_long_they_took_and_what_the_end_waited_for_is_marked(
    open_panel: OpenPanel,
) -> None:
    panel = open_panel(svg=fan_of(20))
    best = panel.panel.locator("[id='node-best']")
    load = panel.panel.locator("[id='node-load_x23_1']")
    done = {"node-best": ["done"], "node-load_x23_1": ["running"]}
    panel.tell(boxes=done, took={"node-best": "2.5 s", "node-load_x23_1": "9 s"})
    expect(best.locator("text.progress")).to_have_text(re.compile("2.5 s$"))
    # What runs once more has a time of before, which says nothing now.
    assert load.get_attribute("data-note") is None
    panel.tell(boxes={"node-load_x23_1": ["failed"]}, path=["node-best"])
    expect(load).to_have_attribute("data-note", "9 s")
    expect(best).to_have_attribute("data-path", "")
    assert load.get_attribute("data-path") is None
    # With what it calls where there is room for both; letters are not made narrower for that.
    for took, shown in (("9 ms", "9 ms"), ("12 min 30 s", "12 min 30 s")):
        panel.tell(took={"node-best": took})
        expect(best.locator("text.progress")).to_have_text(re.compile(f"{shown}$"))
        assert best.locator("text.progress").get_attribute("textLength") is None
    expect(best.locator("text.progress")).to_have_text("12 min 30 s")
    panel.tell(took={"node-best": EVIL})
    assert panel.page.locator("img").count() == 0
    assert panel.page.evaluate("() => window.hacked") is None
    assert complaints(panel.page, ".cascade-panel") == []


def test_it_is_painted_anew_where_the_page_gets_dark(open_panel: OpenPanel) -> None:
    panel = open_panel(color_scheme="light")
    picture = show(panel)
    before = picture.evaluate("canvas => canvas.toDataURL()")
    panel.page.emulate_media(color_scheme="dark")
    panel.page.wait_for_function(REPAINTED, arg=[picture.element_handle(), before])
    dark = picture.evaluate("canvas => canvas.toDataURL()")
    # Lab's way: another sheet, whose name is on the body.
    panel.page.evaluate(
        "() => { document.body.style.setProperty('--jp-content-font-color1', '#ff8800')\n"
        "document.body.dataset.jpThemeName = 'Orange' }"
    )
    panel.page.wait_for_function(REPAINTED, arg=[picture.element_handle(), dark])
