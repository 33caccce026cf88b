"""A real Mosquitto of one's own, that can be killed, frozen and started anew.

    with Mosquitto.start() as broker:
        connector = MqttConnector(broker.url)
        broker.kill()
        broker.start_again()

It keeps retained messages over a SIGTERM, not over a SIGKILL: it writes them down when it ends.
"""

from __future__ import annotations

import contextlib
import os
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

#: Seconds that a broker may take to start or to end.
PATIENCE: Final = 60.0


class Mosquitto:
    """A broker on a free port of this machine, with a folder of its own.

    Args:
        folder: where it keeps what it was given.
        options: lines of its configuration.

    Attributes:
        port: where it listens.
        url: how to reach it.
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"

    @classmethod
    @contextlib.contextmanager
    def start(cls, *options: str, files: dict[str, str] | None = None) -> Iterator[Mosquitto]:
        """One that ends with the block.

        Args:
            options: lines of its configuration; "{folder}" in one is its folder.
            files: by name, texts that lie in its folder.
        """
        with tempfile.TemporaryDirectory(prefix="mosquitto", ignore_cleanup_errors=True) as folder:
            for name, text in (files or {}).items():
                file = Path(folder) / name
                file.write_text(text, encoding="utf-8")
                file.chmod(0o600)
            broker = cls(Path(folder), tuple(line.format(folder=folder) for line in options))
            broker.start_again()
            try:
                yield broker
            finally:
                broker.kill()

    def start_again(self) -> None:
        """Start it, with what it had; returns when it answers."""
        program = PROGRAMS["mosquitto"].find()
        assert program is not None, "these tests need mosquitto; `make test` says how to get it"
        assert self._process is None, "it runs"
        lines = [f"listener {self.port} 127.0.0.1", "persistence true"]
        lines += [f"persistence_location {self.folder}/", "log_dest stderr", "log_type all"]
        if hasattr(os, "getuid") and os.getuid() == 0:
            lines.append("user root")  # it would drop to a user who may not read this folder
        if not any(line.startswith("allow_anonymous") for line in self._options):
            lines.append("allow_anonymous true")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*lines, *self._options, ""]), encoding="utf-8")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"mosquitto did not start:\n{self.log}")
            time.sleep(0.005)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        """End it; returns when it has ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(with_signal)
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

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0):
                return True
        except OSError:
            return False
