"""Real kernels of several ipykernel versions, started and spoken to as a frontend does.

    with RealKernel.start("7.4.0") as kernel:
        done = kernel.execute("print('hello')")
        assert done.stdout == "hello\\n"

Each version lives in an environment of its own (`tools.environments`), which has the package from
the tree. Everything a kernel says is kept with the cell that it answers to, also what it says after
that cell is done: `Execution.wait_until` reads on.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from tools.environments import KERNELS, ROOT, kernel_environment

#: The labels of the versions that there are for this Python, newest first.
LABELS = tuple(KERNELS)

#: For a test that needs a kernel and not all of them.
NEWEST = LABELS[0]

#: The ipykernel of the tests' own environment, which has NumPy, pandas and Matplotlib.
OWN = "own"

#: Seconds that a kernel may take for anything that is not the tests' own work.
PATIENCE = 90.0

#: Seconds after which a new kernel that says nothing is connected to once more.
DEAF = 5.0

Message = dict[str, Any]


def kernel_python(label: str) -> Path:
    """The Python whose ipykernel is the one called `label`; made now where it is missing."""
    if label == OWN:
        return Path(sys.executable)
    return kernel_environment(label).make()


@dataclass(frozen=True)
class CellError:
    """An exception as the kernel showed it."""

    name: str
    value: str
    traceback: str


@dataclass
class Execution:
    """One cell that was sent: its reply and everything published in answer to it, in order."""

    kernel: RealKernel
    msg_id: str
    messages: list[Message] = field(default_factory=list)
    reply: Message | None = None

    @property
    def done(self) -> bool:
        """Whether the reply is here and the kernel said that it is idle again."""
        return self.reply is not None and any(
            m["msg_type"] == "status" and m["content"]["execution_state"] == "idle"
            for m in self.messages
        )

    @property
    def status(self) -> str:
        """What the reply says: "ok", "error" or "aborted"."""
        assert self.reply is not None, "the cell has not been answered yet"
        return str(self.reply["content"]["status"])

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def error(self) -> CellError | None:
        """The exception that ended the cell, if one did."""
        for content in self._contents("error"):
            return CellError(content["ename"], content["evalue"], "\n".join(content["traceback"]))
        return None

    @property
    def result(self) -> dict[str, Any] | None:
        """The bundle (MIME type -> data) of the cell's last expression."""
        return next((content["data"] for content in self._contents("execute_result")), None)

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The bundles that were displayed, in order and with their updates applied."""
        shown: list[dict[str, Any]] = []
        by_id: dict[str, int] = {}
        for message in self.messages:
            content = message["content"]
            display_id = content.get("transient", {}).get("display_id")
            if message["msg_type"] == "display_data":
                if display_id is not None:
                    by_id[display_id] = len(shown)
                shown.append(content["data"])
            elif message["msg_type"] == "update_display_data" and display_id in by_id:
                shown[by_id[display_id]] = content["data"]
        return shown

    def of_type(self, msg_type: str) -> list[Message]:
        """The messages of one type, such as "comm_msg", in order."""
        return [message for message in self.messages if message["msg_type"] == msg_type]

    def wait(self, timeout: float = PATIENCE) -> Execution:
        """Read on until the cell is done."""
        return self.wait_until(lambda cell: cell.done, timeout)

    def wait_until(
        self, condition: Callable[[Execution], object], timeout: float = PATIENCE
    ) -> Execution:
        """Read on until the condition holds, whatever cell it is that the kernel speaks about.

        Raises:
            TimeoutError: it did not hold in time; the message has all that was heard.
        """
        self.kernel.read_until(lambda: condition(self), timeout, self)
        return self

    def _contents(self, msg_type: str) -> Iterator[dict[str, Any]]:
        return (message["content"] for message in self.of_type(msg_type))

    def _stream(self, name: str) -> str:
        return "".join(c["text"] for c in self._contents("stream") if c["name"] == name)


class RealKernel:
    """A running kernel and the one client that speaks to it. Use as a context manager."""

    def __init__(self, label: str, manager: KernelManager, log: Path) -> None:
        self.label = label
        self.manager = manager
        self.client: BlockingKernelClient = manager.client()
        #: Messages that answer to no cell of this client: status at start, comms of other parents.
        self.unclaimed: list[Message] = []
        self._cells: dict[str, Execution] = {}
        self._is_new = True
        self._others: list[Any] = []  # sockets
        self._family: list[psutil.Process] = []
        self._log = log

    @classmethod
    @contextlib.contextmanager
    def start(cls, label: str, cwd: Path | None = None, **extra: str) -> Iterator[RealKernel]:
        """Start a kernel with Jupyter's and IPython's folders of its own; ends it in every case.

        Args:
            label: one of `LABELS`, or `OWN`.
            cwd: its working directory, by default an empty one that goes with it.
            extra: additional environment variables.
        """
        # Kernels of a test that failed must not outlive it, so nothing here waits without a limit.
        with tempfile.TemporaryDirectory(prefix="cascade-kernel-") as folder:
            base = Path(folder)
            log = base / "kernel.log"
            work = cwd or base / "work"
            work.mkdir(exist_ok=True)
            manager = _manager(label, base)
            with log.open("wb") as output:
                manager.start_kernel(
                    cwd=str(work),
                    env={**_environment(base), **extra},
                    stdout=output,
                    stderr=output,
                )
            kernel = cls(label, manager, log)
            try:
                kernel.client.start_channels()
                kernel._wait_until_up()
                yield kernel
            finally:
                kernel.shutdown()

    @property
    def pid(self) -> int:
        """The process id of the kernel."""
        provisioner = self.manager.provisioner
        assert provisioner is not None, "the kernel was not started, or has been shut down"
        pid = provisioner.pid  # type: ignore[attr-defined]  # only local provisioners have one
        return int(pid)

    def send(self, code: str, *, allow_stdin: bool = True, **metadata: Any) -> Execution:
        """Send a cell and return at once.

        Args:
            code: the cell.
            allow_stdin: True as JupyterLab says it, False as nbclient does.
            metadata: of the message, such as `cellId`.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        cell = Execution(self, message["header"]["msg_id"])
        self._cells[cell.msg_id] = cell
        self.client.shell_channel.send(message)
        return cell

    def execute(
        self, code: str, timeout: float = PATIENCE, *, allow_stdin: bool = True, **metadata: Any
    ) -> Execution:
        """Send a cell and wait until it is done, however it ends: look at `status` and `error`."""
        return self.send(code, allow_stdin=allow_stdin, **metadata).wait(timeout)

    def check(self, code: str, timeout: float = PATIENCE) -> Execution:
        """Like `execute`, for cells that must succeed."""
        cell = self.execute(code, timeout)
        error = cell.error
        assert error is None, f"the cell failed:\n{error.traceback}"
        return cell

    def comm(self, comm_id: str, data: dict[str, Any]) -> Execution:
        """Send a message to a comm, as a frontend's `model.send` does, and return at once."""
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        sent = Execution(self, message["header"]["msg_id"])
        self._cells[sent.msg_id] = sent
        self.client.shell_channel.send(message)
        return sent

    def connect_anew(self) -> None:
        """Connect once more, as someone does who loads the page again.

        ipykernel 7.0 to 7.3 leave a request unread that comes while they answer another, until
        somebody connects (ipython/ipykernel#1554, mended in 7.4). A client that waits for a new
        kernel asks it again and again, so that can happen before its first cell. What comes later
        is the package's own to prevent, and nothing here hides it.
        """
        self._others.append(self.manager.connect_shell(identity=os.urandom(16)))

    def interrupt(self) -> None:
        """What the interrupt button does."""
        self.manager.interrupt_kernel()

    def read_until(
        self, condition: Callable[[], object], timeout: float, cell: Execution | None = None
    ) -> None:
        """Hand each message to its cell until the condition holds.

        Raises:
            TimeoutError: it did not hold in time, or the kernel died meanwhile.
        """
        deadline = time.monotonic() + timeout
        knock_at = time.monotonic() + DEAF
        while not condition():
            if self._is_new and time.monotonic() > knock_at:
                self.connect_anew()
                knock_at = time.monotonic() + DEAF
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s.\n{self._story(cell)}")
            if not self.manager.is_alive():
                raise TimeoutError(f"the kernel died.\n{self._story(cell)}")
            self._read_some()

    def shutdown(self) -> None:
        """End the kernel as a frontend does; whatever does not end by itself is killed."""
        if self.manager.provisioner is None or not self.manager.has_kernel:
            return
        family = self._family + _family(self.pid)
        self.client.stop_channels()
        for other in self._others:
            other.close(linger=0)
        self.manager.shutdown_kernel(now=not self.manager.is_alive())
        self.manager.context.destroy(linger=0)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=PATIENCE)

    def kill(self) -> None:
        """Kill it without warning, as a crash or the memory killer does, and wait for its end."""
        self._family = _family(self.pid)  # once it is dead nobody knows whose children they were
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while self.manager.is_alive():
            assert time.monotonic() < deadline, "a killed kernel is still there"
            time.sleep(0.01)

    def _wait_until_up(self) -> None:
        # Cells sent before the iopub channel is connected would be answered to nobody.
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.client.wait_for_ready(timeout=DEAF)
            except RuntimeError:
                if time.monotonic() > deadline or not self.manager.is_alive():
                    raise
                self.connect_anew()

    def _read_some(self) -> None:
        """Take what is there; wait a little for the first message only."""
        for reply in _pending(self.client.shell_channel.get_msg, 0.0):
            cell = self._cells.get(reply["parent_header"].get("msg_id"))
            if cell is not None and reply["msg_type"] == "execute_reply":
                cell.reply = reply
                self._is_new = False
        for message in _pending(self.client.iopub_channel.get_msg, 0.02):
            cell = self._cells.get(message["parent_header"].get("msg_id"))
            (self.unclaimed if cell is None else cell.messages).append(message)

    def _story(self, cell: Execution | None) -> str:
        heard = cell.messages if cell is not None else self.unclaimed
        lines = [f"  {m['msg_type']}: {str(m['content'])[:400]}" for m in heard[-30:]]
        log = self._log.read_text(errors="replace")[-4000:]
        return f"ipykernel {self.label} said:\n" + "\n".join(lines) + f"\nits log:\n{log}"


def _pending(get: Callable[..., Message], wait: float) -> Iterator[Message]:
    while True:
        try:
            yield get(timeout=wait)
        except queue.Empty:
            return
        wait = 0.0


def _manager(label: str, base: Path) -> KernelManager:
    argv = [str(kernel_python(label)), "-Xfrozen_modules=off", "-m", "ipykernel_launcher"]
    argv += ["-f", "{connection_file}"]
    folder = base / "kernels" / "tested"
    folder.mkdir(parents=True)
    spec = KernelSpec(argv=argv, display_name=f"ipykernel {label}", language="python")
    (folder / "kernel.json").write_text(spec.to_json(), encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(folder.parent)], ensure_native_kernel=False)
    return KernelManager(
        kernel_name="tested",
        kernel_spec_manager=specs,
        # A port that is free when it is chosen may be another's when the kernel binds it: with many
        # kernels, and databases beside them, that happens. A path in a folder of its own is not.
        transport="ipc",
        ip=str(base / "channel"),
        connection_file=str(base / "connection.json"),
        shutdown_wait_time=40.0,  # what does not end by then is killed, and tells nothing
    )


def _environment(base: Path) -> dict[str, str]:
    """The tests' own environment, but no folder of the person who runs them."""
    names = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "MPLCONFIGDIR": "matplotlib",
    }
    folders = {name: str(base / folder) for name, folder in names.items()}
    return {**os.environ, **folders, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}


def _family(pid: int) -> list[psutil.Process]:
    try:
        kernel = psutil.Process(pid)
        return [kernel, *kernel.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
