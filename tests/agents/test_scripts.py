"""An agent and runs that have no kernel: scripts, and files that it starts itself."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from cascade_nb.agents.tools import NAMES, holder
from cascade_nb.control.holders import VARIABLE
from tests.agents.conftest import Agent, RefusedError
from tests.support.doors import Place, until
from tools.environments import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FLOW = """
import pathlib, time
import cascade_nb as cs

size = cs.Param("size", default=5, type=int)

@cs.task
def begin(size):
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return size

@cs.task
def double(x):
    print("a task prints what it likes")
    return 2 * x

report = double(begin(size)).named("report")
broken = double(begin("no number") + size).named("broken")
"""


def test_seven_tools_are_offered_and_say_what_they_do(agent: Agent) -> None:
    tools = {tool.name: tool for tool in agent.tools()}
    assert tuple(tools) == NAMES
    for name, tool in tools.items():
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (name in ("runs", "status", "why", "plan"))
        assert "context" not in tool.input_schema["properties"]


def test_a_script_is_held_and_let_go(here: Place, agent: Agent) -> None:
    with here.script('run = cs.start(work().named("report"))\ntime.sleep(600)'):
        until(lambda: len(agent.call("runs")["runs"]))
        here.wait_for_more()
        agent.call("hold", scope="global", reason="looking")
        assert here.starts_nothing()
        before = here.begun()
        assert agent.call("release", scope="global")["lifted"]
        here.wait_for_more(before)
        with pytest.raises(RefusedError, match=r"no node 'report'; of a file it is flow"):
            agent.call("run", target="report")


def test_a_run_of_a_file_returns_at_once_and_can_be_asked_for_also_when_it_is_over(
    here: Place, agent: Agent
) -> None:
    (here.folder / "flow.py").write_text(FLOW)
    assert agent.call("plan", target="flow.py:report")["counts"] == {"run": 2}
    run = agent.call("run", target="flow.py:report", params={"size": 21})["run"]
    until(lambda: agent.call("status", run=run)["runs"][0].get("running") == 1)
    agent.call("hold", scope="double", reason="looking")
    (here.folder / "go").touch()
    until(lambda: agent.call("status", run=run)["runs"][0]["held"])
    agent.call("release", scope="double")
    until(lambda: agent.call("status", run=run)["runs"][0]["phase"] == "succeeded")
    until(lambda: not list((here.folder / "doors").glob("*.sock")))
    with Agent(here, "another") as other:  # which has started nothing
        (one,) = other.call("status", run=run)["runs"]
        assert (one["phase"], one["value"]) == ("succeeded", "42")
        assert run in [one["run"] for one in other.call("runs")["runs"]]


def test_a_run_that_fails_says_so_and_one_that_cannot_begin_says_why(
    here: Place, agent: Agent
) -> None:
    (here.folder / "flow.py").write_text(FLOW)
    (here.folder / "go").touch()
    run = agent.call("run", target="flow.py:broken")["run"]
    until(lambda: agent.call("status", run=run)["runs"][0]["phase"] == "failed")
    with pytest.raises(RefusedError, match=r"reprot did not begin: .*did you mean 'report'"):
        agent.call("run", target="flow.py:reprot")


def test_an_agent_is_called_what_it_says_and_is_never_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert str(holder()) == "agent:mcp"
    monkeypatch.setenv(VARIABLE, "agent:claude")
    assert str(holder()) == "agent:claude"
    monkeypatch.setenv(VARIABLE, "person:ada")
    assert str(holder()) == "agent:mcp"


def registered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A tool as `jupyter_server_mcp` 0.4 wraps it, in a module of its own that knows none of the
    names in our annotations: its hints have to be found by way of what was wrapped.
    """
    assert inspect.iscoroutinefunction(function)

    @functools.wraps(function)
    async def wrapper(*args: Any, **given: Any) -> Any:
        return await function(*args, **given)

    wrapper.__annotations__ = {
        **{one.name: one.annotation for one in inspect.signature(function).parameters.values()},
        "return": function.__annotations__["return"],
    }
    return wrapper


def test_jupyters_server_of_tools_finds_them_without_the_sdk() -> None:
    from mcp.server.mcpserver import MCPServer

    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((name, value),) = said["entry-points"]["jupyter_server_mcp.tools"].items()
    tools = EntryPoint(name, value, "jupyter_server_mcp.tools").load()
    # It takes a list of texts or what gives one, and skips without a word what is something else.
    assert isinstance(tools, list)
    assert all(isinstance(tool, str) and tool.count(":") == 1 for tool in tools)
    found = []
    for tool in tools:
        module, function = tool.rsplit(":", 1)
        made = getattr(importlib.import_module(module), function)
        assert made.__doc__
        server = MCPServer("jupyter")
        server.add_tool(registered(made), name=made.__name__)
        found += [one.name for one in asyncio.run(server.list_tools())]
    assert tuple(found) == NAMES
    code = "import sys, cascade_nb.agents.tools; print([m for m in sys.modules if m[:3] == 'mcp'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_long_gone_is_forgotten(here: Place, agent: Agent) -> None:
    (here.folder / "flow.py").write_text(FLOW)
    (here.folder / "go").touch()
    old = here.folder / "doors" / "started-old.jsonl"
    old.parent.mkdir(mode=0o700, exist_ok=True)
    old.write_text("{}\n")
    os.utime(old, (1, time.time() - 8 * 86400))
    agent.call("run", target="flow.py:report")
    assert not old.exists()
