"""What is found in the graph: by search, pointer and keys, on its minimap and in its legend."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.support.axe import complaints
from tests.support.graph_page import (
    OpenGraph,
    box,
    click_beside_boxes,
    fan_of,
    graph,
    is_in_sight,
    seen,
)
from tests.support.panel_page import PanelPage


def ids(panel: PanelPage, mark: str) -> set[str]:
    """The boxes that have a mark."""
    found: list[str] = panel.panel.locator(f"g.node[{mark}]").evaluate_all(
        "boxes => boxes.map(box => box.id.replace('node-', ''))"
    )
    return set(found)


def find(panel: PanelPage) -> Locator:
    return panel.panel.get_by_role("searchbox", name="Find in the graph")


def focused(panel: PanelPage) -> str:
    """The id of what has the focus."""
    told: str = panel.page.evaluate("() => document.activeElement.id")
    return told


def test_a_search_lights_what_matches_and_dims_the_rest(open_graph: OpenGraph) -> None:
    panel = open_graph()
    click_beside_boxes(panel)
    panel.page.keyboard.press("/")
    expect(find(panel)).to_be_focused()
    panel.page.keyboard.type("C2S1")
    told = panel.panel.locator(".cs-found")
    expect(told).to_have_text("1 of 3")
    assert ids(panel, "data-match") == {"c2s1", "c2s10", "c2s11"}
    opacity = "e => Number(getComputedStyle(e).opacity)"
    assert box(panel, "c2s1").evaluate(opacity) == 1
    assert box(panel, "c3s1").evaluate(opacity) < 0.5
    found: list[str] = []
    for _ in range(4):
        found.append(*ids(panel, "data-found"))
        assert is_in_sight(panel, found[-1])
        panel.page.keyboard.press("Enter")
    assert found[0] == found[3]
    assert set(found) == {"c2s1", "c2s10", "c2s11"}
    panel.page.keyboard.press("Shift+Enter")
    assert ids(panel, "data-found") == {found[0]}
    panel.page.keyboard.press("ArrowDown")
    assert focused(panel) == f"node-{found[0]}"
    panel.page.keyboard.press("/")
    panel.page.keyboard.type("nowhere")
    expect(told).to_have_text("nothing")
    panel.page.keyboard.press("Escape")
    expect(told).to_have_text("")
    expect(graph(panel)).not_to_have_attribute("data-finds", "")
    assert graph(panel).evaluate("e => e.contains(document.activeElement)")


def test_a_search_for_a_state_goes_with_the_states_and_moves_nothing(open_graph: OpenGraph) -> None:
    panel = open_graph()
    find(panel).fill("failed")
    expect(panel.panel.locator(".cs-found")).to_have_text("nothing")
    at = seen(panel)
    panel.tell(boxes={"node-c5s11": ["failed"]})
    expect(panel.panel.locator(".cs-found")).to_have_text("1 of 1")
    assert ids(panel, "data-match") == {"c5s11"}
    assert seen(panel) == at


def test_what_runs_is_not_followed_away_from_what_was_found(open_graph: OpenGraph) -> None:
    panel = open_graph()
    panel.tell(boxes={"node-c0s0": ["running"]})
    find(panel).fill("c5s11")
    expect(panel.panel.locator(".cs-found")).to_have_text("1 of 1")
    at = seen(panel)
    assert is_in_sight(panel, "c5s11")
    assert not is_in_sight(panel, "c0s0"), "a picture in which there is nothing to follow"
    panel.tell(boxes={"node-c0s1": ["running"]})
    assert seen(panel) == at


def test_what_is_in_a_closed_group_is_found_and_enter_opens_the_group(
    open_graph: OpenGraph,
) -> None:
    panel = open_graph()
    panel.page.evaluate("svg => window.model.set('svg', svg)", fan_of(20))
    group = "node-train_x23_1"
    find(panel).fill("train#7")
    told = panel.panel.locator(".cs-found")
    expect(told).to_have_text("nothing")
    asked = panel.page.wait_for_function("() => window.sent.find(m => m.type === 'find')")
    assert asked.evaluate("m => m.query") == "train#7"
    answer = "inside => window.call('msg:custom', { type: 'find', query: 'train#7', inside })"
    panel.page.evaluate(answer, {group: 1})
    expect(told).to_have_text("1 of 1 · 1 in this group, Enter opens it")
    assert ids(panel, "data-match") == {group.removeprefix("node-")}
    find(panel).press("Enter")
    assert panel.sent("fold")[-1]["box"] == group
    panel.page.evaluate("svg => window.model.set('svg', svg)", fan_of(20, opened=True))
    expect(told).to_have_text("1 of 1")
    assert ids(panel, "data-found") == {"train_x23_7"}
    assert is_in_sight(panel, "train_x23_7")
    # what comes late is of a query that nobody asks any more
    find(panel).fill("load")
    panel.page.evaluate(answer, {group: 1})
    expect(told).to_have_text("1 of 1")
    assert complaints(panel.page, ".cascade-panel") == []


def test_under_the_pointer_what_is_upstream_and_downstream_is_lit(open_graph: OpenGraph) -> None:
    panel = open_graph()
    at = box(panel, "c1s2").bounding_box()
    assert at is not None
    panel.page.mouse.move(at["x"] + 20, at["y"] + 10)
    expect(graph(panel)).to_have_attribute("data-lights", "")
    assert ids(panel, "data-lit") == {*(f"c1s{step}" for step in range(12)), "all"}
    assert panel.panel.locator("g.edge[data-lit]").count() == 12
    panel.page.mouse.move(3, 3)
    expect(graph(panel)).not_to_have_attribute("data-lights", "")
    assert ids(panel, "data-lit") == set()


def test_arrows_walk_along_the_lines_and_enter_opens(open_graph: OpenGraph) -> None:
    panel = open_graph()
    # This picture grows downwards: to the right it would not fit a page.
    onward, back, beside = "ArrowDown", "ArrowUp", "ArrowRight"
    panel.panel.locator("g.node[tabindex='0']").focus()
    first = focused(panel)
    chain = first.partition("s0")[0]
    for step in range(1, 12):
        panel.page.keyboard.press(onward)
        assert focused(panel) == f"{chain}s{step}"
    assert is_in_sight(panel, focused(panel).removeprefix("node-"))
    assert f"{chain.removeprefix('node-')}s0" in ids(panel, "data-lit")
    panel.page.keyboard.press(onward)
    panel.page.keyboard.press(onward)  # nothing comes after the last
    assert focused(panel) == "node-all"
    panel.page.keyboard.press(back)
    panel.page.keyboard.press(back)
    here = focused(panel)
    panel.page.keyboard.press(beside)
    there = focused(panel)
    assert there != here
    assert there.partition("s1")[2] == here.partition("s1")[2]  # another chain, as far
    panel.page.keyboard.press("Enter")
    assert panel.sent("node")[-1]["box"] == there
    expect(panel.panel.locator(".cs-drawer")).to_be_visible()


def test_the_minimap_shows_where_one_is_and_leads_elsewhere(open_graph: OpenGraph) -> None:
    few = open_graph(3, 12)
    assert few.panel.locator(".cs-minimap").is_hidden()
    panel = open_graph()
    small = panel.panel.locator(".cs-minimap")
    expect(small).to_be_visible()
    assert small.locator("rect").count() == 73
    panel.tell(boxes={"node-c3s11": ["done"]})
    expect(small.locator("rect[data-state=done]")).to_have_count(1)
    assert not is_in_sight(panel, "all")
    spot = small.locator("rect").last.bounding_box()
    assert spot is not None
    panel.page.mouse.click(spot["x"] + 1, spot["y"] + 1)
    assert is_in_sight(panel, "all")
    frame, map_ = small.locator(".cs-lens").bounding_box(), small.bounding_box()
    assert frame is not None
    assert map_ is not None
    assert frame["x"] <= spot["x"] <= frame["x"] + frame["width"]
    assert frame["y"] <= spot["y"] <= frame["y"] + frame["height"]
    panel.panel.get_by_role("button", name="Fit the whole graph").click()
    expect(small).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_legend_and_keys_say_what_there_is_and_axe_finds_nothing(
    open_graph: OpenGraph, scheme: str
) -> None:
    panel = open_graph(color_scheme=scheme, viewport={"width": 700, "height": 900})
    panel.page.evaluate(
        "s => { document.body.style.background = s === 'dark' ? '#111' : '#fff' }", scheme
    )
    panel.tell(boxes={"node-c3s0": ["done"], "node-c3s1": ["running"], "node-c2s1": ["failed"]})
    legend = panel.panel.get_by_role("button", name="Legend")
    legend.click()
    expect(legend).to_have_attribute("aria-expanded", "true")
    sheet = panel.panel.get_by_role("region", name="What the marks mean")
    for word in ("running", "held", "asked for", "only afterwards"):
        expect(sheet).to_contain_text(word)
    assert complaints(panel.page, ".cascade-panel") == []
    click_beside_boxes(panel)
    panel.page.keyboard.press("?")
    expect(panel.panel.get_by_role("region", name="Keys of the graph")).to_contain_text("Enter")
    find(panel).fill("c3")
    assert complaints(panel.page, ".cascade-panel") == []
    legend.focus()
    panel.page.keyboard.press("Escape")
    expect(panel.panel.locator(".cs-sheet")).to_be_hidden()
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_group_opens_where_it_stands_and_the_reader_goes_on_there(open_graph: OpenGraph) -> None:
    panel = open_graph()
    first = "train_x23_1"
    panel.page.evaluate("svg => window.model.set('svg', svg)", fan_of(20))
    chip = box(panel, first).locator("[data-fold]")
    assert panel.panel.locator("[data-fold]").count() == 1
    chip.click()
    asked = {"type": "fold", "box": f"node-{first}", "open": True, "seq": 1}
    assert panel.sent("fold") == [asked]
    assert panel.sent("node") == []
    panel.tell(ack=1, error=None)
    before = box(panel, first).bounding_box()
    panel.tell(boxes={"node-train_x23_7": ["failed"]})
    panel.page.evaluate("svg => window.model.set('svg', svg)", fan_of(20, opened=True))
    after = box(panel, first).bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=9)
    expect(box(panel, "train_x23_7")).to_have_attribute("data-state", "failed")
    assert panel.panel.locator("[data-fold='close']").count() == 20
    assert seen(panel).scale == 1
    # by keys: from one of its nodes
    box(panel, "train_x23_7").focus()
    panel.page.keyboard.press("o")  # there is nothing more to open
    panel.page.keyboard.press("c")
    assert panel.sent("fold")[1:] == [{**asked, "box": "node-train_x23_7", "open": False, "seq": 2}]
    panel.tell(ack=2, error=None)
    panel.page.evaluate("svg => window.model.set('svg', svg)", fan_of(20))
    # that box is gone: the keys go on from what was nearest to it
    assert focused(panel).startswith("node-")
    panel.page.keyboard.press("ArrowRight")
    assert complaints(panel.page, ".cascade-panel") == []
