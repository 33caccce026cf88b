"""An agent and a real kernel: it looks, holds and starts whatever the kernel does, and no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.agents.conftest import Agent, RefusedError
from tests.support.doors import Place, until
from tests.support.kernels import NEWEST, RealKernel

#: What a kernel does meanwhile -> a cell that does it, until the file GO is there.
BUSY = {
    "idle": "",
    "awaiting": "import asyncio\nwhile not os.path.exists(GO): await asyncio.sleep(0.02)",
    "blocked": "while not os.path.exists(GO): time.sleep(0.02)",
}
NODES = """%%cascade --quiet
report = work().named("report")
@cs.task
async def where():
    import asyncio
    return id(asyncio.get_running_loop()) == kernel_loop
here = where()
scale = cs.Param("scale", default=2, type=int)
@cs.task
def times(x):
    return 21 * x
scaled = times(scale)
"""


@pytest.fixture(scope="module")
def kernel(here: Place) -> Iterator[RealKernel]:
    with here.kernel(NEWEST) as running:
        running.check("import asyncio; kernel_loop = id(asyncio.get_running_loop())")
        running.check(NODES)
        yield running


def phase(agent: Agent, run: str) -> str:
    (one,) = agent.call("status", run=run)["runs"]
    return str(one["phase"])


@pytest.fixture
def at_work(here: Place, kernel: RealKernel, agent: Agent) -> Iterator[str]:
    """A run of `report` that the agent has started; what is held is let go afterwards."""
    before = here.begun()
    run = str(agent.call("run", target="report")["run"])
    here.wait_for_more(before)
    yield run
    kernel.check("import cascade_nb as cs\ncs.resume('part'); cs.resume()\n%cascade cancel")


@pytest.mark.parametrize("how", BUSY)
def test_what_it_holds_is_in_force_when_the_tool_returns_while_the_kernel_is(
    here: Place, kernel: RealKernel, agent: Agent, at_work: str, how: str
) -> None:
    go = here.folder / f"go {how}"
    cell = kernel.send(f"GO = {str(go)!r}\n{BUSY[how]}")
    time.sleep(0.2)
    held = agent.call("hold", scope="part", reason=f"it is {how}", seconds=600)
    (applied,) = held["applied"]
    assert applied["by"] == "the agent claude"
    assert here.starts_nothing()
    until(lambda: agent.call("status", run=at_work)["runs"][0]["running"] == 0)
    assert phase(agent, at_work) == "running"
    (in_force,) = agent.call("status")["in_force"]
    assert (in_force["holder"], in_force["reason"]) == ("agent", f"it is {how}")
    assert 500 < in_force["ends_in_seconds"] <= 600
    (line,) = agent.call("why", node="map(part)")["lines"]
    assert f"by the agent claude: it is {how}" in line
    before = here.begun()
    (lifted,) = agent.call("release", scope="part")["lifted"]
    assert lifted["by"] == "the agent claude"
    here.wait_for_more(before)
    go.touch()
    assert cell.wait().error is None


def test_it_releases_its_own_and_what_a_person_holds_stays(
    here: Place, kernel: RealKernel, agent: Agent, at_work: str
) -> None:
    kernel.check("%cascade pause part --reason lunch")
    with pytest.raises(RefusedError, match="paused by you: lunch; the agent claude lifts"):
        agent.call("release", scope="part")
    agent.call("hold", scope="part", reason="looking")
    shown = kernel.check("%cascade status").displays[0]["text/plain"]
    assert "by you: lunch" in shown
    assert "by the agent claude: looking" in shown
    released = agent.call("release", scope="part")
    assert [one["by"] for one in released["lifted"]] == ["the agent claude"]
    assert [one["by"] for one in released["in_force"]] == ["you"]
    assert here.starts_nothing()
    agent.call("hold", scope="part", reason="again")
    kernel.check("%cascade resume part")  # a person lifts both
    here.wait_for_more(here.begun())


@pytest.mark.parametrize("how", ["idle", "blocked"])
def test_a_run_returns_at_once_and_goes_on_while_the_kernel_is(
    here: Place, kernel: RealKernel, agent: Agent, how: str
) -> None:
    go = here.folder / f"run {how}"
    cell = kernel.send(f"GO = {str(go)!r}\n{BUSY[how]}")
    time.sleep(0.2)
    began = agent.call("run", target="scaled", params={"scale": 2 if how == "idle" else 3})
    until(lambda: phase(agent, began["run"]) == "succeeded")
    go.touch()
    cell.wait()
    assert kernel.check("print(scaled.value)").stdout in ("42\n", "63\n")


def test_coroutines_of_what_it_starts_are_on_the_kernels_loop_beside_those_of_cells(
    here: Place, kernel: RealKernel, agent: Agent, at_work: str
) -> None:
    run = agent.call("run", target="here")["run"]
    until(lambda: phase(agent, run) == "succeeded")
    assert kernel.check("print(here.value)").stdout == "True\n"
    kernel.check("%cascade run scaled --wait")


def test_a_plan_says_what_would_run_and_runs_nothing(
    here: Place, kernel: RealKernel, agent: Agent
) -> None:
    assert here.starts_nothing()  # what ran before has come to its end
    before = here.begun()
    planned = agent.call("plan", target="report")
    assert planned["title"] == "report"
    assert planned["counts"] == {"run": 2}
    assert here.begun() == before


def test_it_is_told_what_can_be_started_and_what_runs(
    kernel: RealKernel, agent: Agent, at_work: str
) -> None:
    told = agent.call("runs")
    (offered,) = told["can_start"]
    assert offered["names"] == ["here", "report", "scaled"]
    assert at_work in [one["run"] for one in told["runs"]]
    assert len(str(told)) < 5_000


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("run", {"target": "reprot"}, "there is no node 'reprot'; did you mean 'report'"),
    ("run", {"target": "scaled", "params": {"sacle": 3}}, "sacle"),
    ("run", {"target": "scaled", "params": {"scale": "many"}}, "scale"),
    ("run", {"target": ""}, "there is no node ''"),
    ("run", {"target": "--state:x"}, "a target is flow.py:report"),
    ("plan", {"target": "nothing.py:report"}, "there is no file 'nothing.py'"),
    ("hold", {"scope": "tsk:part", "reason": "x"}, "there is no scope 'tsk:part'"),
    ("hold", {"scope": "part", "reason": "x", "seconds": -1}, "time to live must be above"),
    ("hold", {"scope": "run:nothing", "reason": "x"}, "there is no run 'nothing'"),
    ("hold", {"scope": "part"}, "reason"),
    ("why", {"node": "nothing"}, "there is no node 'nothing'"),
    ("status", {"run": "zzz"}, "there is no run 'zzz'"),
]


def test_what_cannot_be_is_refused_in_a_sentence(
    kernel: RealKernel, agent: Agent, at_work: str
) -> None:
    for name, given, says in REFUSED:
        with pytest.raises(RefusedError, match=says):
            agent.call(name, **given)
