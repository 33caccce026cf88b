"""The panel in real kernels: what it tells, what it does when it is clicked, what it leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clicks import SUBSHELLS, open_subshell
from tests.support.kernels import LABELS, Execution, RealKernel
from tests.support.panel_client import PanelClient

#: A run whose tasks do not end before they are told to; `started` grows with each that begins.
RUN = """
import asyncio, gc, threading, time, weakref
import cascade_nb as cs
from cascade_nb.notebook.panel.panel import Panel
for scope in ("global", "task:train"):
    cs.resume(scope)
started, go = [], threading.Event()
@cs.task
def load():
    return 1
@cs.task(shares_process=True)
def train(data, i):
    started.append(i)
    go.wait()
    return i
@cs.task
def choose(models):
    return max(models)
data = load()
best = choose([train(data, i) for i in range(40)])
run = cs.start(best, fresh=True)
panel = Panel.open(run)
"""


#: What the extension does where there is a panel, or ipykernel 7.0 to 7.3 may leave a click unread.
HEARS = """
from cascade_nb.notebook.kernel.messages import answer_through_the_stream
answer_through_the_stream()
"""

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module", params=LABELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version for all tests here, since each begins with a run of its own."""
    with RealKernel.start(request.param) as running:
        running.check(HEARS)
        yield running


@pytest.fixture
def panel(kernel: RealKernel) -> Iterator[PanelClient]:
    """The panel of a run in full work, watched; its run ends with the test."""
    client = PanelClient(kernel, kernel.check(RUN))
    client.hello()
    client.wait_until(lambda: client.shown["counts"]["running"] > 1)
    yield client
    kernel.check("run.cancel(); go.set(); await panel.finished()")


def number_started(kernel: RealKernel) -> int:
    return int(kernel.check("print(len(started))").stdout)


def until_all_began(panel: PanelClient) -> int:
    """Until what was let begin has come to say so; gives how many have."""
    kernel = panel.kernel
    panel.wait_until(lambda: panel.shown["counts"]["running"] == number_started(kernel))
    return number_started(kernel)


def comes_to_rest(count: Callable[[], int], kernel: RealKernel) -> bool:
    """Whether a time comes in which nothing is told; what happened before may be told late, and
    who tells each second never rests.
    """
    for _ in range(40):
        before = count()
        kernel.check("await asyncio.sleep(1.5)")
        if count() == before:
            return True
    return False


def test_a_click_is_answered_with_what_the_run_then_says(panel: PanelClient) -> None:
    answer = panel.answer(panel.hold("run", True))
    assert answer["error"] is None
    assert answer["phase"] == "pausing"
    assert "finishing" in answer["headline"][0]
    until_all_began(panel)
    answer = panel.answer(panel.hold("run", False))
    assert answer["phase"] == "running"


def test_a_click_is_a_persons_also_where_a_kernel_works_for_an_agent(panel: PanelClient) -> None:
    panel.kernel.check("import os; os.environ['CASCADE_HOLDER'] = 'agent:claude'")
    panel.kernel.check("run.pause(reason='looking'); run.pause('task:choose')")
    panel.wait_until(lambda: "by the agent claude: looking" in "".join(panel.shown["headline"]))
    (row,) = (kind for kind in panel.shown["kinds"] if kind["name"] == "choose")
    assert (row["by"], row["others"]) == ("by the agent claude", ["claude"])
    assert panel.answer(panel.hold("run", False))["phase"] == "running"
    panel.answer(panel.hold("run", True))
    cell = panel.kernel.send("run.resume()").wait()
    assert cell.error is not None
    assert "paused by you; the agent claude lifts only what is its own" in str(cell.error)
    panel.kernel.check("del os.environ['CASCADE_HOLDER']; run.resume('task:choose')")


def test_nothing_starts_after_the_answer_to_a_pause(panel: PanelClient) -> None:
    panel.answer(panel.hold("run", True))
    before = until_all_began(panel)
    panel.kernel.check("go.set()")
    panel.wait_until(lambda: panel.shown["phase"] == "paused")
    assert number_started(panel.kernel) == before
    panel.answer(panel.hold("run", False))
    panel.wait_until(lambda: panel.shown["phase"] == "succeeded")
    assert number_started(panel.kernel) == 40


def test_a_kind_of_task_is_held_alone(panel: PanelClient) -> None:
    panel.answer(panel.hold("task:choose", True))
    kinds = {kind["name"]: kind["paused"] for kind in panel.shown["kinds"]}
    assert kinds == {"load": False, "train": False, "choose": True}
    panel.kernel.check("go.set()")
    panel.wait_until(lambda: panel.shown["counts"]["held"] == 1)
    assert panel.shown["counts"]["done"] == 41
    panel.answer(panel.hold("task:choose", False))
    panel.wait_until(lambda: panel.shown["phase"] == "succeeded")


def test_cancel_ends_the_run(panel: PanelClient) -> None:
    panel.answer(panel.cancel())
    panel.kernel.check("go.set()")
    panel.wait_until(lambda: panel.shown["ended"])
    assert panel.shown["phase"] == "cancelled"


@pytest.mark.parametrize("kernel", SUBSHELLS, indirect=True)
def test_clicks_heard_by_another_thread_do_the_same(panel: PanelClient) -> None:
    # JupyterLab opens a subshell for widgets: a thread with a loop of its own, where what belongs
    # to the kernel's loop must not be touched.
    panel.subshell = open_subshell(panel.kernel)
    assert panel.answer(panel.hold("run", True))["phase"] == "pausing"
    assert panel.answer(panel.hold("run", False))["phase"] == "running"
    assert panel.answer(panel.hold("task:choose", True))["error"] is None
    assert panel.answer(panel.hold("task:choose", False))["error"] is None
    assert panel.answer(panel.cancel())["error"] is None
    panel.wait_until(lambda: panel.shown["phase"] in ("cancelling", "cancelled"))


def test_a_refused_click_says_why_and_does_nothing(panel: PanelClient) -> None:
    answer = panel.answer(panel.hold("nobody:knows", True))
    assert "scope" in answer["error"]
    assert panel.shown["phase"] == "running"


def test_messages_that_mean_nothing_do_nothing(panel: PanelClient) -> None:
    for message in ({"type": "hold"}, {"type": "dance"}, {"kind": "hold"}, {"type": "cancel"}):
        panel.send(**message)
    panel.send(type="hold", scope=["run"], on=1, seq="x")
    panel.answer(panel.hold("run", False))
    assert panel.shown["phase"] == "running"


def test_a_pause_from_code_is_shown_without_a_click(panel: PanelClient) -> None:
    panel.kernel.check("run.limit('task:train', 2); cs.pause(reason='lunch')")
    panel.wait_until(lambda: panel.shown["phase"] == "pausing")
    assert "lunch" in "".join(panel.shown["headline"])
    kinds = {kind["name"]: kind["limit"] for kind in panel.shown["kinds"]}
    assert kinds["train"] == 2
    panel.kernel.check("run.limit('task:train', None); cs.resume()")


def test_what_is_in_force_is_lifted_by_a_click(panel: PanelClient) -> None:
    panel.kernel.check(
        "run.limit('task:train', 2, by='agent:claude'); run.pause('task:choose', before=True)\n"
        "run.limit(f'{run.scope}/task:train', 1)"
    )
    panel.wait_until(lambda: len(panel.shown["force"]) == 3)
    everywhere, breakpoint_, here = panel.shown["force"]
    assert (everywhere["what"], here["what"]) == ("train tasks", "train tasks in this run")
    lift = panel.lift(everywhere["scope"], everywhere["kind"])
    assert panel.answer(lift)["error"] is None
    panel.wait_until(lambda: panel.shown["force"] == [breakpoint_, here])
    for one in list(panel.shown["force"]):
        assert panel.answer(panel.lift(one["scope"], one["kind"]))["error"] is None
    panel.wait_until(lambda: panel.shown["force"] == [])
    for scope, kind in (("task:train", "concurrency"), ("task:choose", "breakpoint")):
        panel.kernel.check(f"assert not run.engine.constraints.standing({scope!r}, {kind!r})")
    assert "dance" in panel.answer(panel.lift("task:train", "dance"))["error"]


def test_nothing_is_sent_while_nothing_changes(panel: PanelClient) -> None:
    def told() -> int:
        panel._hear()
        return len(panel.patches)

    panel.answer(panel.hold("run", True))
    assert comes_to_rest(told, panel.kernel)


def test_at_most_ten_updates_are_sent_in_a_second(kernel: RealKernel) -> None:
    code = """
@cs.task
async def tick(i):
    await asyncio.sleep(0.002)
    return i
@cs.task(executor="inline")
def total(xs):
    return sum(xs)
values = [tick(i) for i in range(600)]
cs.limit("task:tick", 1)
cs.pause("task:tick")  # until somebody looks
began = time.monotonic()
run = cs.start(total(values))
panel = Panel.open(run)
await panel.finished()
took = time.monotonic() - began
cs.limit("task:tick", None)
print(took)
"""
    kernel.check(RUN + "go.set(); await panel.finished()")
    cell = kernel.send(code)
    client = PanelClient.when_open(kernel, cell)
    client.hello()
    client.answer(client.hold("task:tick", False))
    client.wait_until(lambda: client.shown["ended"])
    took = float(cell.wait().stdout)
    # Both answers, the picture's and the last word come beside the ten a second.
    assert len(client.patches) <= took * 10 + 5
    assert len(client.patches) >= 3


def test_nobody_looks_so_little_is_told(panel: PanelClient) -> None:
    panel.wait_until(lambda: panel.shown["boxes"])  # the graph, once drawn, is told to everybody
    panel.kernel.check("from cascade_nb.notebook.panel import panel as of\nof.SELDOM = 3600.0")
    panel.send(type="watch", visible=False)
    panel.answer(panel.hold("run", False))
    before = len(panel.patches)
    panel.kernel.check("cs.limit('task:train', 30); await asyncio.sleep(0.5)")
    panel._hear()
    assert len(panel.patches) == before
    panel.send(type="watch", visible=True)
    panel.wait_until(lambda: any(kind["limit"] == 30 for kind in panel.shown["kinds"]))
    panel.kernel.check("cs.limit('task:train', None); of.SELDOM = 2.0")


def test_before_a_browser_says_hello_nothing_is_told(kernel: RealKernel) -> None:
    client = PanelClient(kernel, kernel.check(RUN))
    kernel.check("go.set(); await panel.finished()")
    client._hear()
    assert client.patches == []
    client.hello()
    assert client.shown["phase"] == "succeeded"
    assert set(client.shown["boxes"].values() and {b[0] for b in client.shown["boxes"].values()})


def test_a_late_browser_is_given_the_state_of_that_moment(panel: PanelClient) -> None:
    # A page that is loaded again asks for all widgets' state over the control comm.
    panel.answer(panel.hold("run", True))
    panel.kernel.check("import ipywidgets")
    code = "state = panel.widget.get_state(); print(state['snapshot']['phase'], len(state['svg']))"
    panel.wait_until(lambda: panel.state["svg"])
    phase, length = panel.kernel.check(code).stdout.split()
    assert phase == "pausing"
    assert int(length) > 1000


def pictures(cell: Execution, of: str = "cascade-graph") -> list[dict[str, Any]]:
    return [shown for shown in cell.displays if of in shown.get("image/svg+xml", "")]


def texts(cell: Execution) -> list[str]:
    return [shown["text/plain"] for shown in cell.displays if set(shown) == {"text/plain"}]


def saved_texts(cell: Execution) -> list[str]:
    """What the text beside the picture said, from first to last."""
    told = [m for m in cell.messages if m["msg_type"] in ("display_data", "update_display_data")]
    bundles = [message["content"]["data"] for message in told]
    return [b["text/plain"] for b in bundles if set(b) == {"text/plain"} and " · run " in str(b)]


def test_what_is_saved_says_at_once_what_runs_and_since_when(kernel: RealKernel) -> None:
    # Whoever opens the notebook later, without this kernel, has nothing else.
    cell = kernel.check(RUN)
    kernel.check("go.set(); await panel.finished()")
    assert re.fullmatch(
        r"choose · run \d+ \(\w+\) · started 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d · 42 nodes",
        saved_texts(cell)[0],
    )


def test_what_is_saved_says_now_and_then_how_the_run_stands(kernel: RealKernel) -> None:
    quick = "from cascade_nb.notebook.panel import panel as of\nof.SAVED_FIRST = of.SAVED = 0.05\n"
    kernel.check(quick + "of.PICTURES = 0.1")
    cell = kernel.check(RUN)
    cell.wait_until(lambda cell: any("As of 20" in text for text in saved_texts(cell)))
    cell.wait_until(lambda cell: 'data-state="running"' in str(pictures(cell)))
    kernel.check("run.pause()")
    cell.wait_until(lambda cell: "Pausing… " in saved_texts(cell)[-1])
    assert re.search(r"\n1 of 42 done, \d+ running, \d+ held", saved_texts(cell)[-1])
    # As long as nothing happens nothing is written: the notebook would never be saved for good.
    assert comes_to_rest(lambda: len(cell.messages), kernel)
    kernel.check("run.resume(); go.set(); await panel.finished()")
    kernel.check("of.SAVED_FIRST, of.SAVED, of.PICTURES = 1.0, 10.0, 60.0")
    cell.wait_until(lambda cell: "Done in" in saved_texts(cell)[-1])
    assert "As of" not in saved_texts(cell)[-1]


def test_what_is_saved_says_how_the_run_ended(kernel: RealKernel) -> None:
    cell = kernel.check(RUN)
    cell.wait_until(pictures)
    assert 'data-state="waiting"' in pictures(cell)[0]["image/svg+xml"]
    kernel.check("go.set(); await panel.finished()")
    cell.wait_until(lambda cell: "Done in" in texts(cell)[0])
    (picture,) = pictures(cell)
    assert 'data-state="done"' in picture["image/svg+xml"]
    assert 'data-state="waiting"' not in picture["image/svg+xml"]
    assert {"image/png", "text/plain"} < set(picture)
    (text,) = texts(cell)
    assert "42 of 42 done" in text
    (times,) = pictures(cell, of="cascade-times")
    assert re.search(r"\ntrain +[·█]+  40 · ", times["text/plain"])
    assert ">40 · " in times["image/svg+xml"]


def test_the_saved_outputs_come_before_the_panel(kernel: RealKernel) -> None:
    # Without a kernel the panel is an error message, which is better below the picture than above.
    cell = kernel.check(RUN + "go.set(); await panel.finished()")
    kinds = [
        "svg" if "image/svg+xml" in shown else "widget" if len(shown) > 1 else "text"
        for shown in cell.displays
    ]
    assert kinds == ["svg", "text", "widget", "svg"]


def test_a_failure_is_saved_with_the_users_line(kernel: RealKernel) -> None:
    code = """
@cs.task
def ratio(x):
    print("about to divide")
    return 1 / x
run = cs.start(ratio(0))
panel = Panel.open(run)
await panel.finished()
"""
    kernel.check(RUN + "go.set(); await panel.finished()")
    (text,) = texts(kernel.check(code))
    assert "✕ ratio: ZeroDivisionError: division by zero" in text
    assert "return 1 / x" in text
    assert "about to divide" in text


def test_a_run_that_is_over_is_not_kept_by_its_panel(kernel: RealKernel) -> None:
    # ipywidgets keeps every widget, so each run of a day and its results would stay.
    kernel.check(RUN + "go.set(); await panel.finished()")
    code = """
seen = weakref.ref(run)
del run, panel
for _ in range(6000):
    gc.collect()
    if seen() is None:
        break
    await asyncio.sleep(0.01)  # idle workers linger for a moment and hold their last job
print(seen())
"""
    assert kernel.check(code).stdout == "None\n"


def test_an_interrupt_of_the_idle_kernel_cancels_the_run(panel: PanelClient) -> None:
    kernel = panel.kernel
    wait = """
import signal
from cascade_nb.notebook.kernel.shims import _watch_of, running_kernel
print(_watch_of(running_kernel().saved_sigint_handler) is not None)
"""
    while kernel.check(wait).stdout != "True\n":
        pass
    kernel.interrupt()
    panel.wait_until(lambda: panel.shown["phase"] in ("cancelling", "cancelled"))
    kernel.check("go.set()")
    panel.wait_until(lambda: panel.shown["ended"])


def test_clicks_arrive_while_a_cell_waits_for_the_run(panel: PanelClient) -> None:
    cell = panel.kernel.send("print('busy', flush=True); await run")
    cell.wait_until(lambda sent: "busy" in sent.stdout)
    for on in (True, False, True, False):
        answer = panel.answer(panel.hold("run", on))
        assert answer["phase"] == ("pausing" if on else "running")
    assert not cell.done
    panel.kernel.client.stdin_channel.is_alive()
    panel.kernel.interrupt()
    assert cell.wait().status == "error"


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("stuck", [False, True], ids=["tasks that end", "a task that does not"])
def test_a_run_has_its_last_event_when_the_kernel_is_shut_down(
    label: str, tmp_path: Path, stuck: bool
) -> None:
    # No `finally` of a background task runs then, and a kernel that takes too long is killed.
    told = tmp_path / "told"
    code = f"""
from pathlib import Path
from cascade_nb.events.events import RunFinished
def tell(event):
    if isinstance(event, RunFinished):
        Path({str(told)!r}).write_text(event.status)
run.engine.bus.subscribe(tell)
while not started:
    await asyncio.sleep(0.01)
"""
    with RealKernel.start(label) as kernel:
        kernel.check(RUN)
        kernel.check(code + ("" if stuck else "run.limit('task:train', 0)\ngo.set()"))
        kernel.shutdown()
    assert told.read_text() == "cancelled"


def test_with_no_browser_all_there_is_is_there_when_the_cell_ends(kernel: RealKernel) -> None:
    # What comes after a cell's end is lost to nbclient.
    kernel.check(RUN + "go.set(); await panel.finished()")
    code = "run = cs.start(best, fresh=True); panel = Panel.open(run)\nawait panel.finished()"
    cell = kernel.execute(code, allow_stdin=False)
    assert cell.error is None
    assert not cell.of_type("comm_open")
    assert 'data-state="done"' in pictures(cell)[0]["image/svg+xml"]
    assert "42 of 42 done" in texts(cell)[0]


def test_a_panel_is_shown_again_while_its_run_goes_on_and_when_it_is_over(
    kernel: RealKernel,
) -> None:
    kernel.check("%load_ext cascade_nb")
    kernel.check(RUN.replace("run = cs", "# ").replace("panel =", "# "))
    first = kernel.check("%cascade run best --fresh")
    title = first.stdout + str(first.displays)
    number = re.search(r"run (\d+) \(", title)
    assert number is not None
    shown = [d for d in first.displays if WIDGET in d]
    again = [d for d in kernel.check(f"%cascade panel {number[1]}").displays if WIDGET in d]
    assert [d[WIDGET]["model_id"] for d in again] == [d[WIDGET]["model_id"] for d in shown]
    kernel.check("go.set()\nimport cascade_nb as cs\nawait cs.start(load())")
    kernel.check("import time\nwhile cs.status().runs[0].running: time.sleep(0.05)")
    over = kernel.check(f"%cascade panel {number[1]}")
    again = [d for d in over.displays if WIDGET in d]
    assert [d[WIDGET]["model_id"] for d in again] == [shown[0][WIDGET]["model_id"]]


def test_a_run_that_code_has_started_is_given_a_panel_when_one_is_asked_for(
    kernel: RealKernel,
) -> None:
    kernel.check("%load_ext cascade_nb")
    kernel.check(RUN.replace("panel =", "# "))
    number = kernel.check("print(run.number)").stdout.strip()
    cell = kernel.check(f"%cascade panel {number}")
    client = PanelClient(kernel, cell)
    client.hello()
    client.wait_until(lambda: client.shown["counts"]["running"] > 1)
    again = kernel.check(f"%cascade panel {number}")
    assert [d for d in again.displays if WIDGET in d] == [d for d in cell.displays if WIDGET in d]
    kernel.check("go.set(); await run")
