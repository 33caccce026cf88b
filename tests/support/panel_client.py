"""The browser's side of a panel without a browser: puts together what it is told, and clicks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.clicks import click
from tests.support.kernels import PATIENCE, Execution, Message, RealKernel


class PanelClient:
    """A panel that a cell has opened.

    Attributes:
        shown: everything that it would show, after what was heard so far.
        patches: the messages that made it so, in order.
    """

    def __init__(self, kernel: RealKernel, cell: Execution) -> None:
        self.kernel = kernel
        self.cell = cell
        #: The subshell that is to hear clicks; None for the main shell.
        self.subshell: str | None = None
        self.patches: list[dict[str, Any]] = []
        self._seq = itertools.count(1)
        self._read: set[str] = set()
        opened = [m for m in cell.of_type("comm_open") if "snapshot" in _state(m)]
        assert len(opened) == 1, "the cell opened no panel, or several"
        self.comm_id = str(opened[0]["content"]["comm_id"])
        self.state: dict[str, Any] = dict(_state(opened[0]))
        self.shown: dict[str, Any] = {**self.state["snapshot"]}

    @classmethod
    def when_open(cls, kernel: RealKernel, cell: Execution) -> PanelClient:
        """Wait for the panel of a cell that goes on."""
        cell.wait_until(
            lambda sent: any("snapshot" in _state(m) for m in sent.of_type("comm_open"))
        )
        return cls(kernel, cell)

    def send(self, **message: Any) -> Execution:
        """Send a message as `panel.js` does."""
        return click(self.kernel, self.comm_id, message, subshell=self.subshell)

    def hello(self) -> None:
        """Say that somebody looks now, and wait for the answer."""
        before = len(self.patches)
        self.send(type="hello")
        self.wait_until(lambda: any("twin" in patch for patch in self.patches[before:]))

    def hold(self, scope: str, on: bool) -> int:
        """Flip a switch; returns the number that the answer will have."""
        seq = next(self._seq)
        self.send(type="hold", scope=scope, on=on, page="one", seq=seq)
        return seq

    def lift(self, scope: str, kind: str) -> int:
        """Press what lifts a constraint; returns the number that the answer will have."""
        seq = next(self._seq)
        self.send(type="lift", scope=scope, kind=kind, page="one", seq=seq)
        return seq

    def cancel(self) -> int:
        """Press Cancel."""
        seq = next(self._seq)
        self.send(type="cancel", page="one", seq=seq)
        return seq

    def answer(self, seq: int) -> dict[str, Any]:
        """Wait for the answer to a click."""
        self.wait_until(lambda: any(patch.get("ack") == seq for patch in self.patches))
        return next(patch for patch in self.patches if patch.get("ack") == seq)

    def wait_until(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Listen until the condition holds."""

        def holds() -> object:
            self._hear()
            return condition()

        self.kernel.read_until(holds, timeout, self.cell)

    def _hear(self) -> None:
        for message in sorted(self._messages(), key=lambda m: str(m["header"]["date"])):
            if message["header"]["msg_id"] in self._read:
                continue
            self._read.add(message["header"]["msg_id"])
            data = message["content"]["data"]
            if data["method"] == "custom":
                patch = data["content"]
                self.patches.append(patch)
                boxes = {**self.shown.get("boxes", {}), **patch.get("boxes", {})}
                self.shown |= {**patch, "boxes": boxes}
            elif data["method"] == "update":
                self.state |= data["state"]

    def _messages(self) -> Iterator[Message]:
        # What a kernel says to a comm answers to whatever it is that it was doing.
        cells = list(self.kernel._cells.values())
        for messages in (self.kernel.unclaimed, *(cell.messages for cell in cells)):
            for message in list(messages):
                comm = message["content"].get("comm_id")
                if message["msg_type"] == "comm_msg" and comm == self.comm_id:
                    yield message


def _state(opened: Message) -> dict[str, Any]:
    return dict(opened["content"]["data"].get("state", {}))
