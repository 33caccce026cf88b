"""A real Redis server of one's own, that can be killed, stopped and started anew.

    with RedisServer.start() as server:
        state = RedisState(server.url)
        server.kill()
        server.start_again()

It writes down every command before it answers, so that what it acknowledged outlives a SIGKILL.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.ports import free_port
from tools.system import PROGRAMS

#: Seconds that a server may take to start or to end.
PATIENCE: Final = 60.0


class RedisServer:
    """A server on a free port of this machine, with a folder of its own.

    Args:
        folder: where it keeps what it was given.
        options: words of its command line.

    Attributes:
        port: where it listens.
        url: how to reach it.
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    @classmethod
    @contextlib.contextmanager
    def start(cls, *options: str) -> Iterator[RedisServer]:
        """One that ends with the block."""
        # A test may have taken the folder away.
        with tempfile.TemporaryDirectory(prefix="redis", ignore_cleanup_errors=True) as folder:
            server = cls(Path(folder), options)
            server.start_again()
            try:
                yield server
            finally:
                server.kill()

    def start_again(self) -> None:
        """Start it, with what it had; returns when it answers."""
        program = PROGRAMS["redis-server"].find()
        assert program is not None, "these tests need redis-server; `make test` says how to get it"
        assert self._process is None, "it runs"
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), "--save", "", "--daemonize", "no"]
        command += ["--appendonly", "yes", "--appendfsync", "always", *self._options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                log_text = (self._folder / "log").read_text(errors="replace")
                raise AssertionError(f"redis-server did not start:\n{log_text}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL; returns when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: it neither answers nor closes its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str | bytes, password: str = "") -> bytes:
        """What it answers to one command, as it comes: enough to set it up for a test."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            if password:
                connection.sendall(_packed("AUTH", password))
                connection.recv(1 << 16)
            connection.sendall(_packed(*words))
            return connection.recv(1 << 16)

    def _answers(self) -> bool:
        try:
            # any answer will do, also that a password is wanted; but not that it is still loading
            return not self.ask("PING").startswith((b"-LOADING", b"-MASTERDOWN"))
        except OSError:
            return False


def _packed(*words: str | bytes) -> bytes:
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
