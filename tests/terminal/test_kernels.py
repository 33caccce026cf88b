"""The terminal and real kernels: asked on their signed control channel, whatever they do."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade_nb.door import kernel_caller
from cascade_nb.door.callers import new_request
from cascade_nb.door.kernel_caller import KernelCaller
from tests.support.doors import Place, place, until
from tests.support.kernels import LABELS, NEWEST, PATIENCE, RealKernel
from tests.terminal.conftest import Terminal


@pytest.fixture(scope="module", params=LABELS)
def here(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place for each kernel's version."""
    with place() as found:
        found.label = request.param
        yield found


@pytest.fixture(scope="module")
def kernel(here: Place) -> Iterator[RealKernel]:
    with here.kernel(here.label) as running:
        running.check("run = cs.start(work().named('report'))")
        here.wait_for_more()
        yield running


#: What a kernel does meanwhile -> a cell that does it, until the file GO is there.
BUSY = {
    "idle": "",
    "awaiting": "import asyncio\nwhile not os.path.exists(GO): await asyncio.sleep(0.02)",
    "blocked": "while not os.path.exists(GO): time.sleep(0.02)",
    "blocked in one call": "time.sleep(0.8)",
}


@pytest.mark.parametrize("how", BUSY)
def test_nothing_starts_after_a_pause_is_acknowledged_while_the_kernel_is(
    here: Place, kernel: RealKernel, terminal: Terminal, how: str
) -> None:
    go = here.folder / f"go {how}"
    here.wait_for_more(here.begun())
    cell = kernel.send(f"GO = {str(go)!r}\n{BUSY[how]}")
    time.sleep(0.2)
    began = time.monotonic()
    said = terminal.type("pause", "part", "--reason", how, "--json")
    took = time.monotonic() - began
    assert said.code == 0, said
    (answer,) = said.json["answers"]
    assert answer["process"]["pid"] == kernel.pid
    assert answer["process"]["kind"] == "kernel"
    assert [(one["scope"], one["reason"]) for one in answer["applied"]] == [("task:part", how)]
    assert here.starts_nothing()
    assert took < PATIENCE
    before = here.begun()
    assert terminal.type("resume", "part").code == 0
    here.wait_for_more(before)
    go.touch()
    assert cell.wait().error is None


@pytest.mark.parametrize("here", [NEWEST], indirect=True)
def test_a_kernel_answers_at_once_also_while_a_cell_blocks(
    here: Place, kernel: RealKernel, terminal: Terminal
) -> None:
    caller = KernelCaller(next(iter(here.jupyter.glob("kernel-*.json"))))
    kernel.check("run.pause()")
    took = {}
    for how, busy in (("idle", ""), ("blocked", "time.sleep(0.6)")):
        cell = kernel.send(busy)
        time.sleep(0.2)
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert caller.ask(new_request("hello", {}))["live"] == 1
            times.append(time.monotonic() - began)
        took[how] = sorted(times)[10]
        cell.wait()
    kernel.check("run.resume()")
    assert max(took.values()) < 2.0, took  # 2 and 6 ms on a quiet machine


@pytest.mark.parametrize("here", [NEWEST], indirect=True)
def test_a_pause_by_terminal_is_lifted_by_a_magic_and_the_other_way(
    here: Place, kernel: RealKernel, terminal: Terminal
) -> None:
    assert terminal.type("pause", "part", "--reason", "lunch").code == 0
    shown = kernel.check("%cascade status").displays[0]["text/plain"]
    assert "by you in a terminal: lunch" in shown
    kernel.check("%cascade resume part")
    here.wait_for_more(here.begun())
    kernel.check("%cascade pause part")
    assert "resumed" in terminal.type("resume").out
    here.wait_for_more(here.begun())


def test_without_the_extension_nobody_answers_and_its_runs_are_reached_at_a_socket(
    here: Place, kernel: RealKernel, terminal: Terminal
) -> None:
    kernel.check("%unload_ext cascade_nb")
    assert terminal.type("status").code == 3
    kernel.check("other = cs.start(work())")
    until(lambda: len(list((here.folder / "doors").glob("*.sock"))))
    (answer,) = terminal.type("status", "--json").json["answers"]
    assert answer["process"]["kind"] == "script"
    kernel.check("%load_ext cascade_nb")
    until(lambda: not list((here.folder / "doors").glob("*.sock")))
    (answer,) = terminal.type("status", "--json").json["answers"]
    assert answer["process"]["kind"] == "kernel"
    kernel.check("other.cancel()")
    until(lambda: terminal.type("runs", "--json").json["answers"][0]["live"] == 1)


@pytest.mark.parametrize("here", [NEWEST], indirect=True)
def test_what_is_no_kernel_of_ours_is_skipped_with_a_word(
    here: Place, kernel: RealKernel, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = next(iter(here.jupyter.glob("kernel-*.json")))
    said = json.loads(known.read_text(encoding="utf-8"))
    files: dict[str, tuple[object, str]] = {
        "kernel-stale.json": ({**said, "ip": f"{said['ip']}-gone"}, "is gone"),
        "kernel-unsigned.json": ({**said, "key": ""}, "does not have messages signed"),
        "kernel-other-key.json": ({**said, "key": "another"}, "did not answer within"),
        "kernel-list.json": ([1], "is no connection file"),
        "kernel-port.json": ({**said, "control_port": "x"}, "is no connection file"),
        "kernel-digest.json": ({**said, "signature_scheme": "hmac-none"}, "is no connection file"),
    }
    for name, (content, _) in files.items():
        (here.jupyter / name).write_text(json.dumps(content), encoding="utf-8")
    (here.jupyter / "kernel-no-json.json").write_bytes(b"\xff{")
    (here.jupyter / "kernel-link.json").symlink_to(known)
    if os.geteuid() == 0:
        os.chown(_copy(known, "kernel-others.json"), 65534, 65534)
    monkeypatch.setattr(kernel_caller, "_THERE", 3.0)
    try:
        answer = terminal.type("status")
        while "report · run 1" not in answer.out:  # a busy machine may need longer than that
            answer = terminal.type("status")
    finally:
        for path in here.jupyter.glob("kernel-[a-z]*.json"):
            path.unlink()
    assert answer.code == 0
    assert "report · run 1" in answer.out
    for name, (_, told) in files.items():
        place_of = next(
            line for line in answer.err.splitlines() if name.removesuffix(".json") in line
        )
        assert told in place_of
    assert "kernel-no-json.json is no connection file" in answer.err
    assert "kernel-link.json is no connection file" in answer.err
    if os.geteuid() == 0:
        assert "kernel-others.json is another user's" in answer.err


def _copy(path: Path, name: str) -> Path:
    copy = path.with_name(name)
    copy.write_bytes(path.read_bytes())
    return copy


@pytest.mark.parametrize("here", [NEWEST], indirect=True)
def test_a_kernel_that_stands_still_is_skipped_with_a_word(
    here: Place, kernel: RealKernel, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_caller, "_THERE", 3.0)
    os.kill(kernel.pid, 19)  # SIGSTOP
    try:
        said = terminal.type("pause")
    finally:
        os.kill(kernel.pid, 18)
    assert said.code == 3
    assert "did not answer within 3 s" in said.err


def test_cancel_takes_effect_while_a_cell_blocks(
    here: Place, kernel: RealKernel, terminal: Terminal
) -> None:
    here.wait_for_more(here.begun())
    cell = kernel.send("time.sleep(0.8)")
    time.sleep(0.2)
    said = terminal.type("cancel", "--json")
    assert said.code == 0
    if said.json["answers"][0]["applied"]:
        assert here.starts_nothing()
    assert cell.wait().error is None
    until(lambda: "cancelled" in kernel.check("print(run.status.phase.value)").stdout)
    assert here.starts_nothing()
