"""The drawer of a node in a bare page: clicks, keys, narrow pages, texts of anybody."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.support.axe import complaints
from tests.support.graph_page import fan_of
from tests.support.panel_page import EVIL, OpenPanel, PanelPage

REPAINTED = "([canvas, before]) => canvas.toDataURL() !== before"


@pytest.fixture
def open_fan(open_panel: OpenPanel) -> OpenPanel:
    return partial(open_panel, svg=fan_of(20))


@pytest.fixture
def panel(open_fan: OpenPanel) -> PanelPage:
    # Its clock stands still: by itself it would ask again for a node that runs, in between.
    return open_fan(still=True)


def head(text: str = "best", **more: Any) -> dict[str, Any]:
    """What the kernel says of a node."""
    return {
        "ref": "0:21",
        "name": text,
        "whole": text,
        "task": text,
        "state": "running",
        "facts": [["attempt", "2 of 3"], ["took", text]],
        "tabs": ["Error", "Result", "Why", "Log", "Code", "Inputs", "Reproduce"],
        "can": ["hold"],
        "box": "node-best",
        **more,
    }


def bodies(text: str) -> dict[str, Any]:
    """What each tab is told, with `text` wherever text of anybody stands."""
    frame = {"place": text, "file": text, "line": 3, "name": text, "code": text}
    chain = [
        {"link": text, "text": text, "frames": [{**frame, "own": own} for own in (True, False)]}
    ]
    source = {"ref": "0:1", "name": text, "state": "done"}
    return {
        "Error": {"failures": [{"task": text, "attempt": 2, "inputs": [text], "chain": chain}]},
        "Result": {
            "text": text,
            "data": {"text/html": text},
            "notes": [text],
            "facts": [["type", text]],
        },
        "Why": {
            "lines": [text],
            "pause": text,
            "causes": [{"ref": "0:1", "name": text, "lines": [text], "pause": ""}],
        },
        "Log": {
            "chunks": [["stdout", text], ["stderr", text]],
            "displays": [{"text": text, "data": {"text/html": text}, "notes": []}],
            "earlier": 5,
        },
        "Code": {
            "parts": [{"name": text, "text": text}],
            "more": 1,
            "place": text,
            "line": 4,
            "changes": [{"name": text, "lines": [f"+{text}", f"-{text}"]}],
        },
        "Inputs": {
            "inputs": [{"name": text, "shown": text, "more": 2, "sources": [source]}],
            "files": [text],
        },
        "Reproduce": {"cell": text, "variable": text, "problem": ""},
    }


def box(panel: PanelPage, name: str = "best") -> Locator:
    return panel.panel.locator(f"[id='node-{name}']")


def drawer(panel: PanelPage) -> Locator:
    return panel.panel.locator(".cs-drawer")


def answer(panel: PanelPage, **message: Any) -> None:
    """Answer the last question of the page."""
    panel.page.evaluate(
        """message => {
            const { page, ask } = window.sent.filter(({ type }) => type === 'node').at(-1)
            window.call('msg:custom', { type: 'node', page, ask, ...message }) }""",
        message,
    )


def until_shown(panel: PanelPage, text: str, **message: Any) -> None:
    """Answer each question of the page, until it shows a text."""
    for _ in range(180):
        answer(panel, **message)
        try:
            expect(drawer(panel)).to_contain_text(text, timeout=500)
        except AssertionError:
            continue
        return
    raise AssertionError(f"{text!r} never came")


def open_box(panel: PanelPage, text: str = "best", **more: Any) -> None:
    box(panel).click()
    answer(panel, head=head(text, **more), tab="Error", body=bodies(text)["Error"])


def test_a_click_asks_for_the_node_and_shows_what_is_answered(panel: PanelPage) -> None:
    box(panel).click()
    assert panel.sent("node") == [{"type": "node", "ask": 1, "box": "node-best"}]
    expect(drawer(panel)).to_be_visible()
    answer(panel, head=head(), tab="Why", body=bodies("because")["Why"])
    expect(drawer(panel)).to_have_accessible_name("best")
    expect(drawer(panel).get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    expect(drawer(panel).get_by_role("tabpanel")).to_contain_text("because")
    expect(drawer(panel)).to_contain_text("attempt2 of 3", use_inner_text=False)
    assert box(panel).get_attribute("data-open") == ""
    drawer(panel).get_by_role("button", name="Close").click()
    expect(drawer(panel)).to_be_hidden()
    assert box(panel).get_attribute("data-open") is None


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_by_keys_it_opens_changes_tabs_and_closes_and_the_focus_returns(
    panel: PanelPage, key: str
) -> None:
    first = panel.panel.locator("g.node").first
    first.focus()
    panel.page.keyboard.press("ArrowRight")
    second = panel.page.evaluate("() => document.activeElement.id")
    assert second not in ("", first.get_attribute("id"))
    panel.page.keyboard.press(key)
    assert panel.sent("node")[-1]["box"] == second
    answer(panel, head=head(box=second), tab="Error", body=bodies("x")["Error"])
    drawer(panel).get_by_role("tab", name="Error").focus()
    panel.page.keyboard.press("ArrowRight")
    assert panel.sent("node")[-1]["tab"] == "Result"
    answer(panel, head=head(box=second), tab="Result", body=bodies("42")["Result"])
    expect(drawer(panel).get_by_role("tab", name="Result")).to_be_focused()
    panel.page.keyboard.press("Escape")
    expect(drawer(panel)).to_be_hidden()
    assert panel.page.evaluate("() => document.activeElement.id") == second
    # one stop for all boxes, so that nobody has to go through four hundred
    assert panel.panel.locator("g.node[tabindex='0']").count() == 1


def test_an_answer_to_an_older_question_is_not_shown(panel: PanelPage) -> None:
    open_box(panel)
    drawer(panel).get_by_role("tab", name="Log").click()
    old = panel.page.evaluate("() => window.sent.filter(m => m.type === 'node').at(-1)")
    drawer(panel).get_by_role("tab", name="Why").click()
    message = {"type": "node", "page": old["page"], "ask": old["ask"], "head": head(), "tab": "Log"}
    panel.page.evaluate(
        "m => window.call('msg:custom', m)", {**message, "body": bodies("an older one")["Log"]}
    )
    expect(drawer(panel).get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    assert "an older one" not in drawer(panel).inner_text()


def test_what_a_hold_would_do_is_read_before_it_is_done(panel: PanelPage) -> None:
    does = {"hold": "Holds 1.", "hold_after": "Holds 14, 3 will finish."}
    open_box(panel, can=["hold", "hold_after", "break"], does=does)
    said = drawer(panel).get_by_role("status")
    drawer(panel).get_by_role("button", name="Hold with all after it").focus()
    expect(said).to_have_text("Holds 14, 3 will finish.")
    drawer(panel).get_by_role("button", name="Breakpoint before").hover()
    expect(said).to_have_text(
        "Goes on until it would start, and holds it then with its inputs there."
    )
    drawer(panel).get_by_role("button", name="Hold", exact=True).focus()
    expect(said).to_have_text("Holds 1.")
    drawer(panel).get_by_role("button", name="Breakpoint before").click()
    asked = panel.sent("node")[-1]
    assert (asked["do"], asked["node"]) == ("break", "0:21")


def test_how_many_run_at_once_is_changed_in_place(open_fan: OpenPanel) -> None:
    panel = open_fan(still=True)
    open_box(panel, limit={"kind": "train", "most": None, "running": 4})
    most = drawer(panel).get_by_role("group", name="How many of train run at once")
    expect(most).to_contain_text("any number at once")
    most.get_by_role("button", name="At most 4 of train at once").click()
    expect(most).to_contain_text("at most 4 at once")
    # once more before there is an answer, and what is told meanwhile is older than that
    most.get_by_role("button", name="At most 3 of train at once").click()
    asked = panel.sent("node")[-2:]
    assert [(one["do"], one["kind"], one["most"]) for one in asked] == [
        ("limit", "train", 4),
        ("limit", "train", 3),
    ]
    answer(panel, said="At most 3 of train at once.")
    expect(drawer(panel).get_by_role("status")).to_have_text("At most 3 of train at once.")
    most.get_by_role("button", name="At most 4 of train at once").click()
    most.get_by_role("button", name="Any number of train at once").click()
    assert panel.sent("node")[-1]["most"] is None
    expect(most.get_by_role("button", name="no limit")).to_be_disabled()


def test_deeds_ask_and_say_what_came_of_it(panel: PanelPage) -> None:
    open_box(panel)
    drawer(panel).get_by_role("button", name="Hold").click()
    asked = panel.sent("node")[-1]
    assert (asked["do"], asked["node"]) == ("hold", "0:21")
    answer(panel, said="best is held.")
    expect(drawer(panel).get_by_role("status")).to_have_text("best is held.")
    drawer(panel).get_by_role("tab", name="Why").click()
    answer(panel, head=head(), tab="Why", body=bodies("task:train")["Why"])
    drawer(panel).get_by_role("tabpanel").get_by_role("button", name="Resume").first.click()
    assert panel.sent("node")[-1]["scope"] == "task:train"
    answer(panel, problem="there is no such scope")
    expect(drawer(panel).get_by_role("status")).to_have_text("there is no such scope")


def test_links_lead_to_other_nodes_and_back(panel: PanelPage) -> None:
    open_box(panel)
    drawer(panel).get_by_role("tab", name="Inputs").click()
    answer(panel, head=head(), tab="Inputs", body=bodies("data")["Inputs"])
    drawer(panel).get_by_role("button", name="data").click()
    assert panel.sent("node")[-1] == {"type": "node", "ask": 3, "node": "0:1", "tab": "Inputs"}
    other = head("data", ref="0:1", box="node-load_x23_1")
    answer(panel, head=other, tab="Inputs", body={"inputs": [], "files": []})
    assert box(panel, "load_x23_1").get_attribute("data-open") == ""
    drawer(panel).get_by_role("button", name="Back").click()
    assert panel.sent("node")[-1]["box"] == "node-best"


def test_a_row_of_the_table_lists_its_nodes(panel: PanelPage) -> None:
    panel.panel.get_by_role("button", name="train", exact=True).first.click()
    assert panel.sent("node")[-1] == {"type": "node", "ask": 1, "kind": "train"}
    nodes = [["0:3", "train#3 = train(1)", "failed"], ["0:4", "train#4 = train(2)", "done"]]
    counted = [["failed", 1], ["done", 600]]
    group = {"name": "train", "total": 601, "counts": counted, "nodes": nodes}
    hold = {"kind": "train", "do": "hold_all", "does": "Holds 14, 3 will finish."}
    answer(panel, group={**group, "hold": hold})
    expect(drawer(panel)).to_contain_text("601 nodes")
    drawer(panel).get_by_role("button", name="Hold all of train").hover()
    expect(drawer(panel).get_by_role("status")).to_have_text("Holds 14, 3 will finish.")
    drawer(panel).get_by_role("button", name="Hold all of train").click()
    asked = panel.sent("node")[-1]
    assert (asked["do"], asked["kind"]) == ("hold_all", "train")
    answer(panel, said="train is held.")
    panel.page.clock.run_for(1_100)
    answer(panel, group={**group, "hold": {**hold, "do": "resume_all", "does": ""}})
    expect(drawer(panel).get_by_role("button", name="Resume all of train")).to_be_visible()
    expect(drawer(panel)).to_contain_text("599 more are not listed")
    drawer(panel).get_by_role("button", name="train#3").click()
    assert panel.sent("node")[-1]["node"] == "0:3"


def test_a_node_that_changed_is_asked_for_again_and_not_too_often(panel: PanelPage) -> None:
    open_box(panel, state="waiting")
    asked = len(panel.sent("node"))
    panel.tell(boxes={"node-best": ["running"]})
    assert len(panel.sent("node")) == asked
    panel.page.clock.run_for(1_100)
    assert panel.sent("node")[asked:] == [
        {"type": "node", "ask": asked + 1, "node": "0:21", "only": "head"}
    ]
    answer(panel, head=head(state="running"))
    # its tab may say something else now
    assert panel.sent("node")[-1]["node"] == "0:21"
    assert "only" not in panel.sent("node")[-1]


def test_when_the_kernel_is_gone_it_says_so(panel: PanelPage) -> None:
    open_box(panel)
    panel.page.evaluate("() => { window.model.send = () => { throw new Error('gone') } }")
    drawer(panel).get_by_role("tab", name="Log").click()
    expect(drawer(panel).get_by_role("status")).to_contain_text("The kernel that ran this is gone")
    expect(drawer(panel).get_by_role("button", name="Hold")).to_be_disabled()
    expect(drawer(panel).get_by_role("button", name="Copy name")).to_be_enabled()


@pytest.mark.parametrize("width", [1400, 700, 420])
def test_the_drawer_stands_beside_the_graph_and_below_it_where_it_is_narrow(
    open_fan: OpenPanel, width: int
) -> None:
    panel = open_fan(viewport={"width": width, "height": 900})
    before = panel.panel.locator(".cs-graph").bounding_box()
    open_box(panel, "long words " * 300)
    graph, pane = panel.panel.locator(".cs-graph").bounding_box(), drawer(panel).bounding_box()
    assert before is not None
    assert graph is not None
    assert pane is not None
    if width > 700:
        assert pane["x"] >= graph["x"] + graph["width"]
    elif width < 600:
        assert pane["y"] >= graph["y"] + graph["height"]
    assert (graph["x"], graph["y"]) == (before["x"], before["y"])
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    # Another tab, whatever it shows, moves nothing.
    for tab, body in bodies("word").items():
        drawer(panel).get_by_role("tab", name=tab).click()
        answer(panel, head=head("long words " * 300), tab=tab, body=body)
        assert drawer(panel).bounding_box() == pane


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_tab(open_fan: OpenPanel, scheme: str) -> None:
    panel = open_fan(color_scheme=scheme)
    panel.page.evaluate(
        "s => { document.body.style.background = s === 'dark' ? '#111' : '#fff' }", scheme
    )
    held = {"scope": "task:a", "kind": "pause", "what": "a tasks", "does": "paused"}
    panel.tell(force=[{**held, "words": "paused by you", "since": 1, "until": None}])
    assert complaints(panel.page, ".cascade-panel") == []
    open_box(panel, limit={"kind": "a", "most": 4, "running": 4})
    for tab, body in bodies("word").items():
        if scheme == "dark" and tab not in ("Error", "Code"):
            continue  # these have every colour that there is
        drawer(panel).get_by_role("tab", name=tab).click()
        answer(panel, head=head(), tab=tab, body=body)
        assert complaints(panel.page, ".cascade-panel") == [], tab


def test_texts_of_anybody_are_text_in_every_tab(panel: PanelPage) -> None:
    open_box(panel, EVIL)
    for tab, body in bodies(EVIL).items():
        drawer(panel).get_by_role("tab", name=tab).click()
        answer(panel, head=head(EVIL), tab=tab, body=body)
        expect(drawer(panel).get_by_role("tabpanel")).to_contain_text("<img src=x")
    panel.panel.get_by_role("button", name="train", exact=True).first.click()
    nodes = [["0:3", EVIL, EVIL]]
    answer(panel, group={"name": EVIL, "total": 1, "counts": [[EVIL, 1]], "nodes": nodes})
    answer(panel, problem=EVIL)
    assert panel.page.locator("img").count() == 0
    assert panel.page.locator("script").count() == 0
    assert panel.page.evaluate("() => window.hacked") is None


def test_a_very_long_text_is_shown_in_its_place(panel: PanelPage) -> None:
    open_box(panel, "n" * 20_000)  # the kernel sends no longer one
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def failure(**more: Any) -> dict[str, Any]:
    """What is told of a failure."""
    call = {"place": "cell [2]", "line": 3, "name": "train"}
    told = {"task": "train[7]", "error": "ValueError: seven", "where": "cell [2], line 4: raise"}
    return {**told, "inputs": ["k=7"], "calls": [call, {**call, "name": "fit"}], "fell": "", **more}


def test_failures_open_by_themselves_once(open_fan: OpenPanel) -> None:
    panel = open_fan()  # what looks for complaints needs a clock that goes
    section = panel.panel.locator(".cs-section-failures")
    expect(section).not_to_have_attribute("open", "")
    panel.tell(failures=[failure(fell="so best did not run")])
    expect(section).to_have_attribute("open", "")
    words = section.inner_text()
    for told in ("ValueError: seven", "with k=7", "train (cell [2], line 3) → fit", "so best did"):
        assert told in words
    # Nothing can be done again before it is over, and who closed it is left alone.
    expect(section.get_by_role("button", name="Retry what failed")).to_be_hidden()
    section.locator("summary").click()
    panel.tell(failures=[failure(), failure(task="train[8]")], unlisted=3)
    expect(section).not_to_have_attribute("open", "")
    section.locator("summary").click()
    expect(section).to_contain_text("failures · 5")
    expect(section).to_contain_text("and 3 more")
    assert complaints(panel.page, ".cascade-panel") == []


def test_what_failed_is_run_again_from_there_and_opened_from_there(panel: PanelPage) -> None:
    section = panel.panel.locator(".cs-section-failures")
    panel.tell(failures=[failure()], ended=True, phase="failed", again="Retry runs 2.")
    expect(section).to_contain_text("Retry runs 2.")
    section.get_by_role("button", name="Retry what failed").click()
    assert panel.sent("node")[-1]["do"] == "retry"
    answer(panel, said="It runs again; its panel is below.")
    expect(section.get_by_role("status")).to_have_text("It runs again; its panel is below.")
    section.get_by_role("button", name="Run it all again").click()
    assert panel.sent("node")[-1]["do"] == "again"
    section.get_by_role("button", name="train[7]").click()
    assert panel.sent("node")[-1] == {"type": "node", "ask": 3, "tab": "Error", "failure": 0}
    answer(panel, head=head("train[7]"), tab="Error", body=bodies("why")["Error"])
    panel.page.keyboard.press("Escape")
    expect(section.get_by_role("button", name="train[7]")).to_be_focused()


def items(count: int = 5_000, start: int = 0, **more: Any) -> dict[str, Any]:
    """What is told of the items of a map."""
    rows = [
        [f"0:21:{i}", str(i), "failed" if i == 3 else "done", 1, "2 s", f"k={i}", EVIL]
        for i in range(start, min(count, start + 100))
    ]
    return {
        "total": count,
        "listed": count,
        "states": "aaab" + "a" * (count - 4),
        "letters": {"a": "done", "b": "failed"},
        "counts": [["failed", 1], ["done", count - 1]],
        "found": count,
        "from": start,
        "rows": rows,
        **more,
    }


def test_of_thousands_of_items_the_rows_are_there_that_are_seen(open_fan: OpenPanel) -> None:
    panel = open_fan()
    box(panel).click()
    told = head("m", tabs=["Items", "Result"], state="failed", can=["retry"])
    answer(panel, head=told, tab="Items", body=items())
    squares = drawer(panel).locator("canvas")
    expect(squares).to_have_attribute("aria-label", "1 failed, 4,999 done")
    assert drawer(panel).locator("tbody tr").count() == 102
    scroller = drawer(panel).get_by_role("region", name="Items")
    scroller.evaluate("element => { element.scrollTop = 48_000 }")
    panel.page.wait_for_function("() => window.sent.at(-1).rows?.from > 1900")
    start = panel.sent("node")[-1]["rows"]["from"]
    answer(panel, head=told, tab="Items", body=items(start=start))
    expect(drawer(panel).get_by_role("button", name="2000", exact=True)).to_be_in_viewport()
    assert scroller.evaluate("element => element.scrollTop") == 48_000
    drawer(panel).get_by_role("button", name="took").click()
    panel.page.wait_for_function("() => window.sent.at(-1).rows.sort === 'took'")
    assert panel.sent("node")[-1]["rows"]["from"] == 0
    answer(panel, head=told, tab="Items", body=items())
    drawer(panel).get_by_role("searchbox").fill("seven")
    panel.page.wait_for_function("() => window.sent.at(-1).rows.text === 'seven'")
    # The table went to its top meanwhile, for which the page may ask once more.
    until_shown(panel, "40 of 40 items", head=told, tab="Items", body=items(count=40))
    expect(drawer(panel).get_by_role("searchbox")).to_be_focused()
    drawer(panel).get_by_label("State").select_option("failed")
    panel.page.wait_for_function("() => window.sent.at(-1).rows.state === 'failed'")
    answer(panel, head=told, tab="Items", body=items(count=40))
    assert complaints(panel.page, ".cascade-panel") == []
    assert panel.page.locator("img").count() == 0
    drawer(panel).get_by_role("button", name="3", exact=True).click()
    assert panel.sent("node")[-1]["node"] == "0:21:3"


def test_a_square_opens_its_item(panel: PanelPage) -> None:
    box(panel).click()
    told = head("m", tabs=["Items", "Result"])
    answer(panel, head=told, tab="Items", body=items(count=40))
    drawer(panel).locator("canvas").click(position={"x": 3 * 14 + 4, "y": 4})
    assert panel.sent("node")[-1]["node"] == "0:21:3"
    drawer(panel).get_by_role("button", name="Back").click()
    answer(panel, head=told, tab="Items", body=items(count=40))
    expect(drawer(panel).get_by_role("button", name="Hold the rest")).to_be_visible()
    drawer(panel).get_by_role("button", name="Hold the rest").click()
    assert panel.sent("node")[-1]["do"] == "hold"


def test_the_squares_of_items_are_painted_anew_where_the_page_gets_dark(
    open_fan: OpenPanel,
) -> None:
    panel = open_fan(color_scheme="light")
    box(panel).click()
    answer(panel, head=head("m", tabs=["Items"]), tab="Items", body=items())
    squares = drawer(panel).locator("canvas")
    before = squares.evaluate("canvas => canvas.toDataURL()")
    panel.page.emulate_media(color_scheme="dark")
    panel.page.wait_for_function(REPAINTED, arg=[squares.element_handle(), before])
