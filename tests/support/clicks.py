"""What a frontend sends when somebody clicks, from the shell or a subshell of its own."""

from __future__ import annotations

import time
from typing import Any

from tests.support.kernels import LABELS, PATIENCE, Execution, RealKernel

#: The kernels that have subshells.
SUBSHELLS = tuple(label for label in LABELS if label.startswith("7."))


def click(
    kernel: RealKernel, comm_id: str, content: Any, *, subshell: str | None = None
) -> Execution:
    """Send a custom message to a widget, as `model.send` does, and return at once.

    Args:
        kernel: where the widget lives.
        comm_id: of the widget.
        content: the message.
        subshell: the subshell that is to handle it; by default the main shell.
    """
    data = {"method": "custom", "content": content}
    if subshell is None:
        return kernel.comm(comm_id, data)
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    return Execution(kernel, message["header"]["msg_id"])


def open_subshell(kernel: RealKernel) -> str:
    """Have the kernel open a subshell, as JupyterLab does for widgets; returns its id."""
    channel = kernel.client.control_channel
    request = kernel.client.session.msg("create_subshell_request")
    channel.send(request)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        reply = channel.get_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
            return str(reply["content"]["subshell_id"])
    raise TimeoutError("the kernel opened no subshell")
