"""The graph of the panel in a bare page: pictures for it, and how they stand in their window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from playwright.sync_api import Locator

from cascade_nb.graph.build import build_graph
from cascade_nb.model.tasks.decorator import task
from cascade_nb.view.graphviz.layout import lay_out_now
from cascade_nb.view.picture.opening import name_of
from cascade_nb.view.picture.picture import picture_of
from cascade_nb.view.visual import Visual
from tests.support.panel_page import PanelPage

#: Opens a panel with a picture of so many chains of such a length.
OpenGraph = Callable[..., PanelPage]


@lru_cache
def chains(count: int, length: int) -> str:
    """The picture of chains side by side that end in one node, each of tasks of its own."""

    @task
    def gather(parts: list[int]) -> int:
        return sum(parts)

    ends = []
    for chain in range(count):
        value: Any = chain
        for step in range(length):

            @task(name=f"step_{chain}_{step}")
            def work(value: int) -> int:
                return value

            value = work(value).named(f"c{chain}s{step}")
        ends.append(value)
    svg = Visual(build_graph(gather(ends).named("all"))).svg
    assert svg is not None
    return svg


@lru_cache
def fan_of(count: int, opened: bool = False) -> str:
    """The picture of one node, so many siblings after it, as a group or one by one, and a last."""

    @task
    def load() -> int:
        return 1

    @task
    def train(data: int, i: int) -> int:
        return i

    @task
    def choose(models: list[int]) -> int:
        return max(models)

    data = load()
    graph = build_graph(choose([train(data, i) for i in range(count)]).named("best"))
    group = picture_of(graph).members["node-train_x23_1"]
    picture = picture_of(graph, opened={name_of(group)} if opened else ())
    svg = lay_out_now(picture, ("svg",)).svg
    assert svg is not None
    return svg


@dataclass(frozen=True)
class Seen:
    """How the picture stands in its window, in pixels of the page."""

    x: float
    y: float
    scale: float


def seen(panel: PanelPage) -> Seen:
    """How it stands."""
    told: Sequence[float] = panel.panel.locator(".cs-graph > svg").evaluate(
        "e => { const m = new DOMMatrix(getComputedStyle(e).transform); return [m.e, m.f, m.a] }"
    )
    return Seen(*told)


def graph(panel: PanelPage) -> Locator:
    return panel.panel.locator(".cs-graph")


def box(panel: PanelPage, name: str) -> Locator:
    return panel.panel.locator(f"[id='node-{name}']")


def is_in_sight(panel: PanelPage, name: str) -> bool:
    """Whether the whole box is seen in the window of the graph."""
    at, room = box(panel, name).bounding_box(), graph(panel).bounding_box()
    assert at is not None
    assert room is not None
    return (
        room["x"] <= at["x"]
        and room["y"] <= at["y"]
        and at["x"] + at["width"] <= room["x"] + room["width"]
        and at["y"] + at["height"] <= room["y"] + room["height"]
    )


def middle(panel: PanelPage) -> tuple[float, float]:
    """The middle of the window, on the page."""
    room = graph(panel).bounding_box()
    assert room is not None
    return room["x"] + room["width"] / 2, room["y"] + room["height"] / 2


def until_not_at(panel: PanelPage, scale: float) -> None:
    """Wait until the picture has another scale."""
    # As `seen` reads it: what the style says has more digits, and is another number from the start.
    panel.page.wait_for_function(
        """scale => {
            const picture = document.querySelector('.cs-graph > svg')
            return new DOMMatrix(getComputedStyle(picture).transform).a !== scale }""",
        arg=scale,
    )


def after_a_frame(panel: PanelPage) -> None:
    """Wait until the page has heard what is told once a frame, as that a window grew."""
    panel.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def click_beside_boxes(panel: PanelPage) -> None:
    """Click the graph where there is no box."""
    room = graph(panel).bounding_box()
    assert room is not None
    panel.page.mouse.click(room["x"] + room["width"] / 2, room["y"] + 4)
