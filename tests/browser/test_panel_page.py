"""The panel's own script and style, in a bare page: no kernel, no Jupyter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from cascade_nb.notebook.panel.widget import STYLE
from tests.support.axe import complaints
from tests.support.graph_page import fan_of
from tests.support.panel_page import EVIL, STATE, OpenPanel, PanelPage


@pytest.fixture
def panel(open_panel: OpenPanel) -> PanelPage:
    return open_panel()


def counts(**changed: int) -> dict[str, int]:
    return {**STATE["counts"], **changed}


def test_it_says_hello_once_however_many_views_it_has(panel: PanelPage) -> None:
    panel.page.evaluate("() => window.show()")
    assert len(panel.sent("hello")) == 1
    assert panel.page.locator(".cascade-panel").count() == 2


def test_it_shows_what_it_was_told(open_panel: OpenPanel) -> None:
    panel = open_panel(still=True)
    assert panel.text(".cs-title") == "report"
    assert panel.text(".cs-run") == "run 7"
    assert panel.text(".cs-counts") == "8 of 20 done · 4 running · 8 waiting"
    assert panel.text(".cs-time") == "1 min 12 s, about 2 min left"
    assert panel.text(".cs-headline") == "Running 4 tasks"
    assert panel.text("tbody th") == "train"
    assert panel.text("tbody .cs-number") == "5/12"
    assert panel.text("tbody .cs-limit") == "at most 4"


def test_a_click_asks_and_the_answer_is_shown(panel: PanelPage) -> None:
    # What is shown is what the kernel acknowledged, not what was clicked.
    switch = panel.switch("Pause this run")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_have_attribute("aria-busy", "true")
    assert panel.sent("hold") == [{"type": "hold", "scope": "run", "on": True, "seq": 1}]
    panel.tell(phase="pausing", headline=["Pausing… 4 finishing"])
    expect(switch).to_have_attribute("aria-busy", "true")
    panel.tell(ack=1, error=None)
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_have_attribute("aria-busy", "false")
    assert panel.text(".cs-headline") == "Pausing… 4 finishing"


def test_a_pause_of_what_has_not_begun_yet_is_shown_as_one(panel: PanelPage) -> None:
    switch = panel.switch("Pause this run")
    panel.tell(phase="starting", pauses_next=False)
    switch.click()
    panel.tell(ack=1, pauses_next=True, headline=["Starting, then paused"])
    expect(switch).to_have_attribute("aria-checked", "true")
    panel.tell(phase="paused", pauses_next=False)
    expect(switch).to_have_attribute("aria-checked", "true")


def test_what_a_switch_would_do_is_said_before_it_is_done(panel: PanelPage) -> None:
    pause, hold = panel.switch("Pause this run"), panel.switch("Hold train")
    expect(pause).to_have_attribute("title", "Pause this run: holds 8, 4 will finish")
    expect(hold).to_have_attribute("title", "Hold train: holds 3, 4 will finish")
    kind = {**STATE["kinds"][0], "running": 0, "held": 7, "waiting": 0, "paused": True}
    panel.tell(phase="paused", counts=counts(running=0, held=12, waiting=0), kinds=[kind])
    expect(pause).to_have_attribute("title", "Let this run go on")
    expect(hold).to_have_attribute("title", "Let train go on")
    # by their names they are the same as before
    panel.tell(phase="running", kinds=[{**kind, "paused": False}])
    expect(hold).to_have_attribute("title", "Hold train: holds 7")


def test_an_answer_to_another_page_is_none_to_this_one(panel: PanelPage) -> None:
    # Both hear it, and each counts its own clicks.
    switch = panel.switch("Pause this run")
    switch.click()
    panel.tell(ack=50, page="another", error="not for you")
    expect(switch).to_have_attribute("aria-busy", "true")
    switch.click()
    assert [message["on"] for message in panel.sent("hold")] == [True, False]
    assert "not for you" not in panel.text(".cs-headline")


def test_clicks_while_no_answer_is_there_ask_to_and_fro(panel: PanelPage) -> None:
    switch = panel.switch("Pause this run")
    for _ in range(3):
        switch.click()
    assert [message["on"] for message in panel.sent("hold")] == [True, False, True]
    panel.tell(phase="running", ack=2)
    expect(switch).to_have_attribute("aria-busy", "true")
    panel.tell(phase="pausing", ack=3)
    expect(switch).to_have_attribute("aria-busy", "false")
    expect(switch).to_have_attribute("aria-checked", "true")


def test_each_kind_has_a_switch_of_its_own(panel: PanelPage) -> None:
    panel.switch("Hold train").click()
    assert panel.sent("hold") == [{"type": "hold", "scope": "task:train", "on": True, "seq": 1}]
    panel.tell(kinds=[{**STATE["kinds"][0], "paused": True}], ack=1)
    expect(panel.switch("Hold train")).to_have_attribute("aria-checked", "true")
    expect(panel.switch("Pause this run")).to_have_attribute("aria-checked", "false")


def test_who_else_holds_a_kind_is_said_where_nothing_moves_for_it(panel: PanelPage) -> None:
    kind = {**STATE["kinds"][0], "limit": None, "by": "", "others": []}
    panel.tell(kinds=[kind])
    cell = panel.panel.locator("tbody .cs-limit").first
    before = cell.bounding_box()
    told = "by you: lunch, and by the agent claude: <b>looking</b>"
    panel.tell(kinds=[{**kind, "paused": True, "by": told, "others": ["claude"]}])
    expect(cell).to_have_text("claude")
    expect(cell).to_have_attribute("title", told)
    assert cell.bounding_box() == before
    panel.tell(kinds=[{**kind, "limit": 2, "by": told, "others": ["claude"]}])
    expect(cell).to_have_text("at most 2 · claude")
    panel.tell(kinds=[kind])
    expect(cell).to_have_text("no limit")
    assert cell.get_attribute("title") is None


def in_force(**more: Any) -> dict[str, Any]:
    return {
        "scope": "task:train",
        "kind": "pause",
        "what": "train tasks",
        "does": "paused",
        "words": "paused by you: the GPU is busy",
        "since": 1_000,
        "until": 1_600,
        **more,
    }


@pytest.mark.parametrize("width", [1400, 330])
def test_what_is_in_force_stands_in_a_line_and_is_lifted_there_and_moves_nothing(
    open_panel: OpenPanel, width: int
) -> None:
    panel = open_panel(viewport={"width": width, "height": 900}, still=True, svg=fan_of(3))
    strip, below = panel.panel.locator(".cs-strip"), panel.panel.locator(".cs-columns")
    expect(strip).to_be_hidden()
    before = below.bounding_box()
    limit = in_force(kind="concurrency", does="at most 4 at once", until=None)
    others = [in_force(scope=f"task:t{n}", what=f"t{n} tasks") for n in range(6)]
    time = {**STATE["time"], "wall": 1_012}
    panel.tell(force=[limit, in_force(), *others], time=time)
    expect(strip).to_contain_text("train tasks: paused by you: the GPU is busy")
    expect(strip).to_contain_text("12 s ago · ends in 9 min 48 s")
    assert below.bounding_box() == before
    strip.get_by_role("button", name="Lift: train tasks: at most 4 at once").click()
    assert panel.sent("lift") == [
        {"type": "lift", "scope": "task:train", "kind": "concurrency", "seq": 1}
    ]
    # what the line has no room for is there on demand, whole
    panel.tell(force=[in_force(), *others], ack=1)
    strip.get_by_role("button", name="all 7").click()
    for row in strip.get_by_role("listitem").all():
        box = row.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    strip.get_by_role("button", name="less").click()
    assert below.bounding_box() == before
    panel.tell(force=[], ended=True)
    expect(strip).to_be_hidden()
    assert below.bounding_box() == before


def test_what_is_in_force_is_read_whole_where_the_line_has_room(open_panel: OpenPanel) -> None:
    panel = open_panel(viewport={"width": 1250, "height": 900}, still=True)
    words = "held before it starts by you: no numbers yet"
    one = in_force(scope="node:w", kind="breakpoint", what="write tasks", words=words)
    time = {**STATE["time"], "wall": 1_012}
    panel.tell(force=[in_force(until=None), one], time=time)
    strip = panel.panel.locator(".cs-strip")
    expect(strip).to_contain_text(words)
    assert strip.locator(".cs-words").evaluate_all(
        "all => all.every(one => one.scrollWidth <= one.clientWidth)"
    )
    expect(strip.get_by_role("button", name="all 2")).to_be_hidden()


def test_the_title_is_read_beside_or_above_the_buttons_at_any_width(open_panel: OpenPanel) -> None:
    for width in (330, 420, 1400):
        panel = open_panel(viewport={"width": width, "height": 900})
        title = panel.panel.locator(".cs-title")
        whole = "e => e.scrollWidth <= e.clientWidth && e.clientWidth > 0"
        assert title.evaluate(whole), width
        name, tools = title.bounding_box(), panel.panel.locator(".cs-tools").bounding_box()
        assert name is not None
        assert tools is not None
        beside, above = name["x"] + name["width"] <= tools["x"], name["y"] + 20 <= tools["y"]
        assert beside or above, width


#: The colours of JupyterLab's own themes.
LAB = {
    "light": "layout-color1: white; layout-color2: #eee; content-font-color1: rgba(0,0,0,.87); "
    "content-font-color2: rgba(0,0,0,.54); brand-color1: #1976d2; success-color1: #388e3c; "
    "warn-color1: #f57c00; info-color1: #0097a7; error-color1: #d32f2f",
    "dark": "layout-color1: #212121; layout-color2: #424242; content-font-color1: #fff; "
    "content-font-color2: rgba(255,255,255,.7); brand-color1: #2196f3; success-color1: #4caf50; "
    "warn-color1: #ff9800; info-color1: #00bcd4; error-color1: #f44336",
}


@pytest.mark.parametrize("theme", LAB)
def test_everyone_can_read_every_phase_in_the_colours_of_jupyterlab(
    open_panel: OpenPanel, theme: str
) -> None:
    colours = "".join(f"--jp-{one};" for one in LAB[theme].split("; "))
    paper = f"body {{ {colours} background: var(--jp-layout-color1) }}"
    panel = open_panel(style=STYLE + paper, color_scheme=theme)
    kind = {**STATE["kinds"][0], "paused": True, "by": "by claude", "others": ["claude"]}
    told = {"task": "train", "error": "ValueError: no", "where": "cell [1], line 2"}
    panel.tell(kinds=[kind], retries=["train: attempt 2 of 3"], force=[in_force()])
    for phase in ("running", "paused", "succeeded", "failed", "cancelled"):
        failures = [told] if phase == "failed" else []
        panel.tell(phase=phase, failures=failures, ended=phase not in ("running", "paused"))
        assert complaints(panel.page, ".cascade-panel") == [], phase


def test_a_click_never_sends_a_state_update(panel: PanelPage) -> None:
    # ipywidgets holds back state updates until a busy kernel answers; custom messages go at once.
    panel.switch("Pause this run").click()
    panel.panel.get_by_role("button", name="Cancel").click()
    assert len(panel.sent("cancel")) == 1
    assert not panel.page.evaluate("() => window.saved")


def test_an_unanswered_click_says_that_the_kernel_is_busy(panel: PanelPage) -> None:
    panel.switch("Pause this run").click()
    expect(panel.panel.locator(".cs-headline")).to_have_text(STATE["busyWords"])
    panel.tell(ack=1, phase="pausing", headline=["Pausing"])
    expect(panel.panel.locator(".cs-headline")).to_have_text("Pausing")


def test_a_refused_click_says_why_until_the_next_one(panel: PanelPage) -> None:
    panel.switch("Hold train").click()
    panel.tell(ack=1, error="there is no such scope")
    expect(panel.panel.locator(".cs-headline")).to_have_text("there is no such scope")
    panel.switch("Hold train").click()
    panel.tell(ack=2, error=None)
    expect(panel.panel.locator(".cs-headline")).to_have_text("Running 4 tasks")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_switches_work_from_the_keyboard_and_show_the_focus(panel: PanelPage, key: str) -> None:
    panel.page.keyboard.press("Tab")
    switch = panel.switch("Pause this run")
    expect(switch).to_be_focused()
    assert switch.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    panel.page.keyboard.press(key)
    assert len(panel.sent("hold")) == 1
    # A new state must not take the focus away.
    panel.tell(phase="pausing", ack=1, kinds=[{**STATE["kinds"][0], "done": 6}])
    expect(switch).to_be_focused()


def test_a_click_that_reaches_nobody_is_not_left_pending(panel: PanelPage) -> None:
    # In one go: the panel also sends by itself, now and then, and may find out first.
    panel.switch("Pause this run").evaluate(
        "button => { window.model.send = () => { throw new Error('gone') }; button.click() }"
    )
    expect(panel.switch("Pause this run")).to_be_disabled()
    expect(panel.switch("Pause this run")).to_have_attribute("aria-busy", "false")
    assert "gone" in panel.text(".cs-headline")


def test_when_the_connection_is_back_it_asks_for_everything(panel: PanelPage) -> None:
    panel.page.evaluate("() => window.call('comm_live_update')")
    assert len(panel.sent("hello")) == 2


def test_what_is_over_cannot_be_switched(panel: PanelPage) -> None:
    panel.tell(phase="succeeded", ended=True, headline=["Done in 2 s"])
    expect(panel.switch("Pause this run")).to_be_disabled()
    expect(panel.switch("Hold train")).to_be_disabled()
    expect(panel.panel.get_by_role("button", name="Cancel")).to_be_disabled()
    assert panel.text(".cs-headline") == "✓ Done in 2 s"


def test_what_became_stale_since_is_said_as_text_while_it_is_so(panel: PanelPage) -> None:
    panel.tell(phase="succeeded", ended=True)
    since = panel.panel.locator(".cs-since")
    expect(since).to_be_hidden()
    panel.page.evaluate("words => window.model.set('since', words)", f"Changed since: {EVIL}")
    expect(since).to_contain_text("Changed since: <img")
    expect(since).to_be_visible()
    assert panel.page.evaluate("() => window.hacked") is None
    panel.page.evaluate("() => window.model.set('since', '')")
    expect(since).to_be_hidden()


def test_the_clock_moves_without_messages(open_panel: OpenPanel) -> None:
    panel = open_panel(still=True)
    panel.tell(time={"elapsed": 10, "ticking": True, "remaining": 40, "paused": None})
    expect(panel.panel.locator(".cs-time")).to_have_text("10 s, about 40 s left")
    panel.page.clock.run_for(3_000)
    expect(panel.panel.locator(".cs-time")).to_have_text("13 s, about 35 s left")


def test_a_pause_counts_its_seconds_and_says_each_only_to_the_eye(panel: PanelPage) -> None:
    panel.tell(
        phase="paused",
        headline=["Paused ", " by you · 8 held"],
        time={"elapsed": 10, "ticking": False, "remaining": None, "paused": 12.2},
    )
    headline = panel.panel.locator(".cs-headline")
    expect(headline).to_have_text(re.compile(r"Paused \d+ s ago by you · 8 held"))
    before = headline.inner_text()
    expect(headline).not_to_have_text(before)  # a busy page skips some
    expect(headline).to_have_text(re.compile(r"Paused \d+ s ago by you · 8 held"))
    expect(headline.locator("[aria-hidden=true]")).to_have_text(re.compile(r"\d+ s ago"))
    assert headline.get_attribute("aria-live") == "polite"
    # The time that the run has taken stands still, and nobody knows when it goes on.
    assert panel.text(".cs-time") == "10 s"


def test_what_is_tried_again_comes_and_goes_and_nothing_moves(open_panel: OpenPanel) -> None:
    panel = open_panel(still=True)
    panel.tell(retriable=True, retries=[])
    places = """() => [...document.querySelectorAll(
        ".cascade-panel, .cs-line, .cs-headline, .cs-stage, .cs-kinds, .cs-section")]
        .map(one => JSON.stringify(one.getBoundingClientRect()))"""
    before = panel.page.evaluate(places)
    words = "fetch: attempt 2 of 3 in 4 s, after OSError: the server did not answer within its time"
    for told in ([words], [words] * 5, []):
        panel.tell(retries=told)
        expect(panel.panel.locator(".cs-retries li")).to_have_count(len(told))
        assert panel.page.evaluate(places) == before


def test_the_page_of_a_cluster_opens_and_nothing_else_does(panel: PanelPage) -> None:
    link = panel.panel.locator(".cs-names a")
    page = "http://10.0.0.1:8787/status?<b>"
    panel.tell(dashboards=["javascript:alert(1)", " file:///etc/passwd", page])
    expect(link).to_have_count(1)
    expect(link).to_have_attribute("href", page)
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_text("Dask dashboard")
    panel.tell(dashboards=[])
    expect(link).to_have_count(0)


def test_text_is_text_wherever_it_stands(panel: PanelPage) -> None:
    evil = "<img src=x onerror='window.hacked = true'>"
    panel.tell(
        title=evil,
        headline=[evil],
        kinds=[{**STATE["kinds"][0], "name": evil}],
        again=evil,
        force=[in_force(scope=evil, kind=evil, what=evil, does=evil, words=evil)],
        failures=[
            {
                "task": evil,
                "error": evil,
                "where": evil,
                "inputs": [evil],
                "calls": [{"place": evil, "line": 1, "name": evil}] * 2,
                "fell": evil,
            }
        ],
        output={"anew": False, "chunks": [["stdout", evil], ["stderr", evil]]},
    )
    panel.panel.locator(".cs-section-output summary").click()
    assert panel.text(".cs-title") == evil
    assert evil in panel.text(".cs-text")
    assert evil in panel.text(".cs-failures")
    assert evil in panel.text(".cs-strip")
    assert panel.page.locator("img").count() == 0
    assert not panel.page.evaluate("() => window.hacked")


ELSEWHERE = "https://example.invalid"
EVIL_SVG = f"""
<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40" onload="window.hacked = 1">
<script>window.hacked = 2</script>
<style>@import url({ELSEWHERE}/x.css); rect {{ fill: url({ELSEWHERE}/x) }}</style>
<style>rect {{ opacity: 0.5 }}</style>
<foreignObject>
<body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="window.hacked = 3"/></body>
</foreignObject>
<a href="javascript:window.hacked = 4"><text>link</text></a>
<use href="{ELSEWHERE}/x.svg#y"/>
<animate attributeName="x" onbegin="window.hacked = 5"/>
<g class="node" id="node-a" onclick="window.hacked = 6"><title>a</title>
<rect width="9" height="9" fill="url({ELSEWHERE}/z)"/></g></svg>"""


def test_a_picture_cannot_act(open_panel: OpenPanel) -> None:
    asked: list[str] = []
    panel = open_panel()
    panel.page.on("request", lambda request: asked.append(request.url))
    panel.page.evaluate("svg => window.model.set('svg', svg)", EVIL_SVG.strip())
    picture = panel.panel.locator(".cs-graph > svg")
    expect(picture.locator("#node-a")).to_have_count(1)
    picture.locator("#node-a rect").click(force=True)
    left = picture.evaluate("e => [...e.querySelectorAll('*')].map(x => x.localName)")
    assert left == ["style", "use", "g", "title", "rect"]
    markup = picture.evaluate("e => e.outerHTML")
    for word in ("hacked", "example.invalid", "javascript"):
        assert word not in markup
    assert panel.page.evaluate("() => window.hacked") is None
    assert asked == []


def test_what_is_no_picture_is_said(open_panel: OpenPanel) -> None:
    panel = open_panel(svg="<svg><unclosed")
    assert panel.text(".cs-graph") == "The graph cannot be shown."


def test_boxes_show_their_state_by_shape_and_by_word(open_panel: OpenPanel) -> None:
    # The picture is the view's own: this fails when its structure and the panel part company.
    panel = open_panel(svg=fan_of(20))
    stack = panel.panel.locator("[id='node-train_x23_1']")
    panel.tell(boxes={"node-train_x23_1": ["running", 5, 20], "node-load_x23_1": ["done"]})
    expect(stack).to_have_attribute("data-state", "running")
    expect(stack).to_have_attribute("data-progress", "5/20")
    expect(stack.locator(".icon")).to_have_attribute("d", "M0 0")
    expect(stack.locator("text.progress")).to_have_text("5/20")
    full = float(stack.locator(".bar").get_attribute("data-full") or "nan")
    assert float(stack.locator(".bar").get_attribute("width") or "nan") == pytest.approx(full / 4)
    assert "running · 5/20" in (stack.locator("title").first.text_content() or "")
    load = panel.panel.locator("[id='node-load_x23_1']")
    expect(load).to_have_attribute("data-state", "done")
    assert load.get_attribute("data-progress") is None


def test_a_second_view_shows_the_same_as_the_first(open_panel: OpenPanel) -> None:
    panel = open_panel(svg=fan_of(20), still=True)  # a second may begin between two looks
    panel.tell(
        boxes={"node-train_x23_1": ["running", 5, 20]},
        output={"anew": False, "chunks": [["stdout", "spoken\n"]]},
        counts=counts(done=9),
    )
    panel.page.evaluate("() => window.show()")
    first, second = (panel.page.locator(".cascade-panel").nth(i) for i in (0, 1))
    assert first.inner_text() == second.inner_text()
    expect(second.locator("[id='node-train_x23_1']")).to_have_attribute("data-progress", "5/20")


def test_a_closed_view_leaves_nothing_running(panel: PanelPage) -> None:
    panel.page.evaluate("() => window.closeFirst()")
    panel.tell(title="changed")
    assert panel.text(".cs-title") == "report"
    assert panel.sent("watch")[-1] == {"type": "watch", "visible": False}


def test_it_tells_when_nobody_can_see_it(panel: PanelPage) -> None:
    expect_watch(panel, True)
    panel.page.evaluate("() => { document.body.style.paddingTop = '9000px' }")
    expect_watch(panel, False)
    panel.panel.scroll_into_view_if_needed()
    expect_watch(panel, True)


def expect_watch(panel: PanelPage, visible: bool) -> None:
    panel.page.wait_for_function(
        "visible => window.sent.filter(m => m.type === 'watch').at(-1)?.visible === visible",
        arg=visible,
    )


def test_output_is_shown_as_a_terminal_would(panel: PanelPage) -> None:
    panel.panel.locator(".cs-section-output summary").click()
    chunks = [
        ["stdout", "one\ntw"],
        ["stdout", "o\n"],
        ["stderr", "\r 10 %"],
        ["stderr", "\r 20 %\n"],
    ]
    for chunk in chunks:
        panel.tell(output={"anew": False, "chunks": [chunk]})
    shown = panel.panel.locator(".cs-text").text_content() or ""
    assert shown.splitlines() == ["one", "two", " 20 %"]
    assert panel.text(".cs-section-output summary") == "output · 3"
    panel.tell(output={"anew": True, "chunks": [["stdout", "anew\n"]]})
    assert panel.text(".cs-text").strip() == "anew"


def by_several(panel: PanelPage) -> None:
    panel.panel.locator(".cs-section-output summary").click()
    chunks = [
        ["stdout", "epoch 1\n", "train[0]"],
        ["stderr", "slow\n", "train[1]"],
        ["stdout", "read\n", EVIL],
    ]
    panel.tell(output={"anew": True, "chunks": chunks})


def test_output_says_which_task_wrote_it_and_is_filtered_by_task_stream_and_words(
    panel: PanelPage,
) -> None:
    by_several(panel)
    output = panel.panel.locator(".cs-section-output")
    blocks = output.locator(".cs-block")
    assert [one.get_attribute("data-who") for one in blocks.all()] == ["train[0]", "train[1]", EVIL]
    assert panel.text(".cs-text") == "epoch 1\nslow\nread"  # and so it is copied
    choice = output.get_by_label("Of which task")
    choice.select_option("train")
    expect(blocks).to_have_count(2)
    expect(output).to_contain_text("2 of 3 lines")
    output.get_by_label("stderr only").check()
    expect(blocks).to_have_text(["slow"])
    output.get_by_label("stderr only").uncheck()
    choice.select_option("")
    for words, found in (("EPOCH", 1), ("train", 2), ("nothing like it", 0), ("", 3)):
        output.get_by_label("Find in the output").fill(words)
        expect(blocks).to_have_count(found)
    assert panel.page.evaluate("() => window.hacked") is None
    assert complaints(panel.page, ".cascade-panel") == []


def test_output_is_followed_until_somebody_scrolls_up(panel: PanelPage) -> None:
    panel.panel.locator(".cs-section-output summary").click()
    follow = panel.panel.get_by_role("button", name="follow").last
    text = panel.panel.locator(".cs-text")
    at_end = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 20"
    panel.tell(output={"anew": True, "chunks": [["stdout", "line\n" * 200, "a"]]})
    assert text.evaluate(at_end)
    text.evaluate("e => { e.scrollTop = 0 }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    panel.tell(output={"anew": False, "chunks": [["stdout", "more\n", "a"]]})
    expect(text).to_contain_text("more")
    assert not text.evaluate(at_end)
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    assert text.evaluate(at_end)


def test_all_that_was_written_is_saved_as_the_kernel_has_it(panel: PanelPage) -> None:
    by_several(panel)
    output = panel.panel.locator(".cs-section-output")
    for told, words, written in (
        ({"dropped": 0}, "Saved all of it.", "part 0\npart 4\npart 8\n"),
        ({"dropped": 9}, "Saved all but 9 bytes", "part 0\npart 4\npart 8\n"),
        ({"problem": "nobody has it"}, "Saved the end of it", "epoch 1\nslow\nread\n"),
    ):
        with panel.page.expect_download() as saved:
            output.get_by_role("button", name="Save as a file").click()
            panel.page.evaluate(
                """told => {
                    for (let i = 0; i < (told.problem ? 1 : 3); i++) {
                        const { page, ask, start } = window.sent.findLast(m => m.type === "output")
                        const more = start < 8 ? start + 4 : null
                        const piece = { text: `part ${start}\\n`, more }
                        window.call("msg:custom", { type: "output", page, ask, ...piece, ...told })
                    }
                }""",
                told,
            )
        assert saved.value.suggested_filename == "run 7.txt"
        assert saved.value.path().read_text() == written
        expect(output).to_contain_text(words)


def test_a_flood_of_output_keeps_its_end(panel: PanelPage) -> None:
    lines = "".join(f"line {i}\n" for i in range(5000))
    panel.panel.locator(".cs-section-output summary").click()
    panel.tell(output={"anew": False, "chunks": [["stdout", lines]]})
    shown = panel.text(".cs-text").strip().split("\n")
    assert shown[0] == "… 4,000 earlier lines"
    assert shown[-1] == "line 4999"
    assert len(shown) == 1001


@pytest.mark.parametrize("width", [1400, 400])
def test_nothing_moves_when_the_state_changes(open_panel: OpenPanel, width: int) -> None:
    panel = open_panel(svg=fan_of(20), viewport={"width": width, "height": 900}, still=True)
    # The failures, which open by themselves, are the last of it and have nothing below them.
    parts = ".cs-bar, .cs-headline, .cs-graph, .cs-kinds, .cs-section-output, summary"
    places = f"""e => [...e.querySelectorAll('{parts}')]
        .map(x => {{ const {{ left, top, width, height }} = x.getBoundingClientRect()
                    return [left, top, width, height].map(Math.round) }})"""
    before = panel.panel.evaluate(places)
    panel.tell(
        phase="failed",
        ended=True,
        counts=counts(failed=3, skipped=5, reused=2, held=1),
        headline=["Failed after 3 s · train: ValueError: " + "a long story " * 30],
        failures=[{"task": "train", "error": "ValueError", "where": "cell [4], line 7"}],
        output={"anew": False, "chunks": [["stdout", "spoken\n"]]},
        boxes={"node-train_x23_1": ["failed", 5, 20]},
    )
    assert panel.panel.evaluate(places) == before
    # and nothing sticks out
    assert panel.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_nothing_moves_by_itself_for_those_who_asked_for_that(open_panel: OpenPanel) -> None:
    panel = open_panel(svg=fan_of(20), reduced_motion="reduce")
    panel.tell(boxes={"node-train_x23_1": ["running", 5, 20]})
    panel.switch("Pause this run").click()
    running = "e => e.getAnimations({ subtree: true }).length"
    assert panel.panel.evaluate(running) == 0
