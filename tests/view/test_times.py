"""When tasks were under way, as a picture and as text: all is there, and none is large."""

from __future__ import annotations

import random
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.view.svg.timeline import LANES, SHAPES, Lane, Span, Times, draw_times, times_text

SVG = "{http://www.w3.org/2000/svg}"
LOAD = Lane("load", "2 · 3 s", 3.0, (Span(0, 1, "failed"), Span(1, 3, "done", True)))
TRAIN = Lane("train", "1 · 2 s", 2.0, (Span(3, 5, "cancelled"),), ((3.5, 4.0),))
TIMES = Times("report", 6.0, (LOAD, TRAIN), ((2.0, 2.5),))


def texts(svg: str) -> list[str]:
    return [text for element in ET.fromstring(svg).iter() if (text := (element.text or "").strip())]


def bars(svg: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get("class") == "bar"]


def test_lanes_have_their_name_their_words_and_bars_by_state() -> None:
    svg = draw_times(TIMES)
    for part in ("load", "2 · 3 s", "train", "1 · 2 s"):
        assert part in texts(svg)
    assert sorted(str(bar.get("data-state")) for bar in bars(svg)) == [
        "cancelled",
        "done",
        "failed",
    ]
    assert [bar.get("data-state") for bar in bars(svg) if bar.get("data-marked") is not None] == [
        "done"
    ]
    told = "outlined: what the end waited for · red and higher: failed · hollow: cancelled"
    assert f"{told} · shaded: paused" in texts(svg)


def test_a_pause_of_all_reaches_over_all_lanes_and_one_of_a_task_over_its_own() -> None:
    root = ET.fromstring(draw_times(TIMES))
    pauses = [one for one in root.iter(f"{SVG}rect") if one.get("class") == "pause"]
    own, whole = (float(str(one.get("height"))) for one in pauses)
    assert own < whole


def test_what_is_under_way_at_a_time_stands_in_rows_of_its_own() -> None:
    beside = Lane("a", "", 2.0, (Span(0, 2, "done"), Span(1, 3, "done"), Span(2.5, 4, "done")))
    (path,) = bars(draw_times(Times("a", 4.0, (beside,))))
    rows = [piece.split("h")[0].split()[1] for piece in str(path.get("d")).split("M")[1:]]
    assert len(rows) == 3
    assert len(set(rows)) == 2


def test_the_text_has_a_block_where_something_was_under_way() -> None:
    first, second = times_text(TIMES).splitlines()
    assert first.startswith("load   ████")
    assert first.endswith("·  2 · 3 s")
    assert second.index("█") > first.rindex("█") - 2


def test_of_many_tasks_those_that_took_longest_are_shown_and_the_others_counted() -> None:
    lanes = [Lane(f"t{i}", "1", float(i), (Span(i, i + 1, "done"),)) for i in range(100)]
    times = Times("many", 101.0, lanes)
    assert [lane.name for lane in times.shown] == [f"t{i}" for i in range(100 - LANES, 100)]
    for told in (times_text(times), "\n".join(texts(draw_times(times)))):
        assert f"… and {100 - LANES} tasks that took less" in told


def test_twenty_thousand_attempts_make_a_small_picture() -> None:
    chance = random.Random(1)
    states = ("done", "failed", "cancelled")
    lanes = [
        Lane(
            f"t{i}",
            "",
            1.0,
            [
                Span(at, at + chance.random() / 100, chance.choice(states), chance.random() < 0.2)
                for at in sorted(chance.uniform(0, 1000) for _ in range(1000))
            ],
        )
        for i in range(20)
    ]
    svg = draw_times(Times("many", 1000.0, lanes))
    assert sum(str(bar.get("d")).count("M") for bar in bars(svg)) <= SHAPES
    assert len(svg) < 100_000


@pytest.mark.parametrize(
    "evil",
    ["<script>alert(1)</script>", "]]></svg>", "a\0b", "\ud800", "\u202egnp", "a\nb", "x" * 9000],
)
def test_names_are_text(evil: str) -> None:
    times = Times(evil, 6.0, (LOAD._replace(name=evil, words=evil),))
    svg = draw_times(times)
    assert {one.tag.removeprefix(SVG) for one in ET.fromstring(svg).iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "path",
        "text",
    }
    assert "url(" not in svg
    assert len(svg) < 20_000
    assert times_text(times).count("\n") == 0


@given(st.floats(1e-4, 1e7), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_any_length_of_time_is_drawn_inside_the_picture(length: float, starts: list[float]) -> None:
    spans = [Span(at * length, min(length, at * length + length / 7), "done") for at in starts]
    svg = draw_times(Times("any", length, (Lane("a", "", 1.0, spans),)))
    root = ET.fromstring(svg)
    width = float(str(root.get("width")))
    for bar in bars(svg):
        for piece in str(bar.get("d")).split("M")[1:]:
            left, wide = float(piece.split()[0]), float(piece.split("h")[1].split("v")[0])
            assert left >= 0
            assert left + wide <= width
    ticks = [
        float(str(one.get("d"))[1:].split()[0])
        for one in root.iter(f"{SVG}path")
        if one.get("class") == "rule"
    ]
    assert 1 <= len(ticks) <= 10
    assert all(after - before > 40 for before, after in pairwise(ticks))
