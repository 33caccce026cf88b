"""The graph in its window, in a bare page: zoom, pan, what runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.support.graph_page import (
    OpenGraph,
    after_a_frame,
    box,
    click_beside_boxes,
    graph,
    is_in_sight,
    middle,
    seen,
    until_not_at,
)


def test_the_wheel_is_the_pages_until_a_key_is_held_or_the_graph_was_clicked(
    open_graph: OpenGraph,
) -> None:
    panel = open_graph()
    panel.page.evaluate("() => { document.body.style.paddingBottom = '3000px' }")
    scrolled = "() => scrollY"
    before = seen(panel)
    panel.page.mouse.move(*middle(panel))
    panel.page.mouse.wheel(0, 120)
    panel.page.wait_for_function("() => scrollY > 0")
    assert seen(panel) == before
    panel.page.evaluate("() => scrollTo(0, 0)")
    panel.page.wait_for_function("() => scrollY === 0")
    panel.page.keyboard.down("Control")
    panel.page.mouse.wheel(0, -120)
    panel.page.keyboard.up("Control")
    expect(panel.panel.get_by_role("button", name="Show at 100 %")).not_to_have_text("100 %")
    assert seen(panel).scale > before.scale
    click_beside_boxes(panel)
    larger = seen(panel)
    panel.page.mouse.move(*middle(panel))
    panel.page.mouse.wheel(0, 300)
    until_not_at(panel, larger.scale)
    assert seen(panel).scale < larger.scale
    assert panel.page.evaluate(scrolled) == 0
    panel.page.mouse.move(5, 5)
    panel.page.mouse.wheel(0, 120)
    panel.page.wait_for_function("() => scrollY > 0")


def test_what_is_under_the_pointer_stays_there_while_the_wheel_turns(open_graph: OpenGraph) -> None:
    panel = open_graph()
    name = "c3s4"
    panel.page.keyboard.down("Control")
    for turn in (-120, -200, 150):
        at = box(panel, name).bounding_box()
        assert at is not None
        x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
        panel.page.mouse.move(x, y)
        scale = seen(panel).scale
        panel.page.mouse.wheel(0, turn)
        until_not_at(panel, scale)
        after = box(panel, name).bounding_box()
        assert after is not None
        assert after["x"] + after["width"] / 2 == pytest.approx(x, abs=3)
        assert after["y"] + after["height"] / 2 == pytest.approx(y, abs=3)
    panel.page.keyboard.up("Control")


def test_a_drag_moves_the_picture_and_opens_nothing(open_graph: OpenGraph) -> None:
    panel = open_graph()
    before = seen(panel)
    x, y = middle(panel)
    at = box(panel, "c3s1").bounding_box()
    assert at is not None
    start = at["x"] + 10, at["y"] + 10
    panel.page.mouse.move(*start)
    panel.page.mouse.down()
    panel.page.mouse.move(x, y, steps=3)
    panel.page.mouse.up()
    moved = seen(panel)
    panel.page.mouse.move(start[0] - 200, start[1])  # the button is up: nothing follows any more
    assert seen(panel) == moved != before
    assert moved.scale == before.scale
    assert panel.sent("node") == []
    box(panel, "c3s2").click()
    assert len(panel.sent("node")) == 1


def test_its_buttons_and_its_keys_do_the_same(open_graph: OpenGraph) -> None:
    panel = open_graph()
    fits = "e => [e.parentNode, e].map(part => part.getBoundingClientRect().toJSON())"
    percent = panel.panel.get_by_role("button", name="Show at 100 %")

    def all_is_seen() -> bool:
        room, picture = panel.panel.locator(".cs-graph > svg").evaluate(fits)
        return bool(
            room["left"] <= picture["left"] + 2
            and picture["right"] <= room["right"] + 2
            and room["top"] <= picture["top"] + 2
            and picture["bottom"] <= room["bottom"] + 2
        )

    assert not all_is_seen()
    panel.panel.get_by_role("button", name="Fit the whole graph").click()
    assert all_is_seen()
    # another window, and all of it is seen still
    panel.page.set_viewport_size({"width": 800, "height": 700})
    panel.page.wait_for_function("() => document.querySelector('.cs-graph').clientWidth < 700")
    after_a_frame(panel)
    assert all_is_seen()
    percent.click()
    expect(percent).to_have_text("100 %")
    assert seen(panel).scale == 1
    panel.panel.get_by_role("button", name="Zoom in").click()
    expect(percent).to_have_text("125 %")
    panel.panel.get_by_role("button", name="Zoom out").click()
    expect(percent).to_have_text("100 %")
    click_beside_boxes(panel)
    for key, shown in (("+", "125 %"), ("-", "100 %"), ("+", "125 %"), ("1", "100 %")):
        panel.page.keyboard.press(key)
        expect(percent).to_have_text(shown)
    panel.page.keyboard.press("0")
    assert all_is_seen()


def test_keys_are_the_pages_where_the_panel_has_no_focus(open_graph: OpenGraph) -> None:
    panel = open_graph()
    panel.page.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', e => {"
        " window.keys.push([e.key, e.defaultPrevented]) }) }"
    )
    before = seen(panel)
    for key in ("+", "0", "f", "/", "?"):
        panel.page.keyboard.press(key)
    assert panel.page.evaluate("() => window.keys") == [
        [key, False] for key in ("+", "0", "f", "/", "?")
    ]
    assert seen(panel) == before


def test_it_opens_at_full_size_on_what_runs(open_graph: OpenGraph) -> None:
    panel = open_graph()
    assert seen(panel).scale == 1
    assert is_in_sight(panel, "c3s0")
    assert not is_in_sight(panel, "c3s11")
    panel.tell(boxes={"node-c3s0": ["done"], "node-c3s11": ["running"]})
    assert is_in_sight(panel, "c3s11")
    # A view that is opened now opens there.
    panel.page.evaluate("() => window.closeFirst()")
    panel.page.evaluate(
        "() => { document.querySelector('.cascade-panel').remove(); window.show() }"
    )
    panel.panel.wait_for()
    panel.page.wait_for_function("() => document.querySelector('.cs-graph > svg').style.transform")
    assert is_in_sight(panel, "c3s11")
    assert seen(panel).scale == 1


def test_it_follows_what_runs_until_it_is_moved_and_not_from_under_the_pointer(
    open_graph: OpenGraph,
) -> None:
    panel = open_graph()
    follow = panel.panel.get_by_role("button", name="Follow what runs")
    expect(follow).to_have_attribute("aria-pressed", "true")
    panel.page.mouse.move(*middle(panel))
    before = seen(panel)
    panel.tell(boxes={"node-c3s11": ["running"]})
    assert seen(panel) == before
    panel.page.mouse.move(5, 5)
    panel.tell(boxes={"node-c3s11": ["running"]})
    assert is_in_sight(panel, "c3s11")
    at = seen(panel)
    panel.tell(boxes={"node-c3s10": ["running"]})  # seen already: nothing moves for it
    assert seen(panel) == at
    panel.page.mouse.move(*middle(panel))
    panel.page.mouse.down()
    panel.page.mouse.move(middle(panel)[0] + 60, middle(panel)[1], steps=2)
    panel.page.mouse.up()
    panel.page.mouse.move(5, 5)
    expect(follow).to_have_attribute("aria-pressed", "false")
    at = seen(panel)
    done = {f"node-c3s{step}": ["done"] for step in (10, 11)}
    panel.tell(boxes={**done, "node-c3s0": ["running"]})
    assert seen(panel) == at
    follow.click()
    assert is_in_sight(panel, "c3s0")


def test_what_fits_stands_in_the_middle_and_at_its_size(open_graph: OpenGraph) -> None:
    panel = open_graph(1, 2)
    room, picture = (
        graph(panel).bounding_box(),
        panel.panel.locator(".cs-graph > svg").bounding_box(),
    )
    assert room is not None
    assert picture is not None
    assert seen(panel).scale == 1
    assert picture["x"] - room["x"] == pytest.approx((room["width"] - picture["width"]) / 2, abs=2)
    # a click opens the drawer beside it, and the box that was clicked is seen still
    box(panel, "c0s1").click()
    expect(panel.panel.locator(".cs-drawer")).to_be_visible()
    after_a_frame(panel)
    assert is_in_sight(panel, "c0s1")


@pytest.mark.parametrize("width", [1400, 700])
def test_no_text_is_below_11_pixels_at_full_size(open_graph: OpenGraph, width: int) -> None:
    panel = open_graph(viewport={"width": width, "height": 900})
    panel.tell(notes={"node-c3s0": "attempt 2 of 3"})
    sizes = panel.panel.locator(".cs-stage").evaluate(
        "e => [...e.querySelectorAll('text, button')].filter(t => t.textContent)"
        ".map(t => parseFloat(getComputedStyle(t).fontSize))"
    )
    assert min(sizes) >= 11
    assert seen(panel) == replace(seen(panel), scale=1)
