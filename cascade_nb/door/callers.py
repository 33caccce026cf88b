"""Asks a process at its socket."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from cascade_nb.door.folder import not_ours
from cascade_nb.door.protocol import (
    MOST_BYTES,
    Request,
    checked_request,
    encoded,
    parse_answer,
    parse_json,
)
from cascade_nb.errors import RefusedMessageError

PATIENCE: Final = 10.0  # seconds that an answer may take
_LOOK: Final = 0.01


class NoAnswerError(Exception):
    """Somebody who could be asked did not answer, and why, in words.

    Args:
        text: that.
        gone: whether nobody is there any more.
        silent: whether somebody is there, who says nothing.
    """

    def __init__(self, text: str, *, gone: bool = False, silent: bool = False) -> None:
        super().__init__(text)
        self.gone, self.silent = gone, silent


class Caller(Protocol):
    """Asks one process of this user.

    Attributes:
        place: what was found of it, for people.
    """

    place: str

    def ask(self, request: Request, patience: float = PATIENCE) -> dict[str, Any]:
        """What it answers, within so many seconds.

        Raises:
            NoAnswerError: it does not, or nobody can read that.
        """


def new_request(do: str, given: Mapping[str, Any]) -> Request:
    """A request of these arguments; those that are None and may be absent are left out.

    Raises:
        RefusedMessageError: there is none such.
    """
    needed = {"n", "rate", "rule", "memory"}
    said = {name: value for name, value in given.items() if value is not None or name in needed}
    return checked_request({"v": 1, "id": uuid.uuid4().hex, "do": do, **said})


class SocketCaller:
    """Asks a process at what lies in the folder; see `Caller`.

    Args:
        path: a socket, or a file with a port and a token.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.stem

    def ask(self, request: Request, patience: float = PATIENCE) -> dict[str, Any]:
        """What it answers, within so many seconds.

        Raises:
            NoAnswerError: it does not, or nobody can read that.
        """
        if (pid := self._stopped()) is not None:
            raise NoAnswerError(
                f"{self.place} is stopped, as by Ctrl-Z, and hears nothing; `kill -CONT {pid}` "
                "lets it go on",
                silent=True,
            )
        try:
            with self._connected() as peer:
                peer.settimeout(patience)
                peer.sendall(encoded(request.within(patience).as_dict()) + b"\n")
                line = _read_line(peer)
            answer = parse_answer(line)
        except (ConnectionRefusedError, FileNotFoundError):
            self.path.unlink(missing_ok=True)
            raise NoAnswerError(
                f"the process of {self.path.name} is gone; what it left was removed", gone=True
            ) from None
        except TimeoutError:
            text = f"{self.place} did not answer within {patience:g} s"
            raise NoAnswerError(text, silent=True) from None
        except (OSError, RefusedMessageError) as error:
            raise NoAnswerError(f"{self.place}: {error}") from None
        if answer.get("id") not in (request.id, ""):
            raise NoAnswerError(f"{self.place} answered another question")
        return answer

    def _stopped(self) -> int | None:
        """The process there, where a signal has stopped it and it would be waited for in vain; None
        where it goes on, or the system does not say.
        """
        pid = self.place.rpartition("-")[2]
        if not pid.isdecimal():
            return None
        try:
            state = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            return None
        return int(pid) if state == b"T" else None

    def _connected(self) -> socket.socket:
        why = not_ours(self.path)
        if why is not None:
            raise PermissionError(why)
        if self.path.suffix == ".sock":
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.settimeout(PATIENCE)
                _connect(peer, str(self.path))
            except BaseException:
                peer.close()
                raise
            return peer
        said = parse_json(self.path.read_bytes()[: MOST_BYTES + 1])
        port, token = (said.get("port"), said.get("token")) if isinstance(said, dict) else (0, 0)
        if type(port) is not int or not 0 < port < 65536 or not isinstance(token, str):
            raise RefusedMessageError("what lies there names no port and token")
        peer = socket.create_connection(("127.0.0.1", port), PATIENCE)
        peer.sendall(f"{token}\n".encode())
        return peer


def _connect(peer: socket.socket, path: str) -> None:
    """Connect to a unix socket, also while so many do that the system has no room for one more.

    Raises:
        OSError: nobody listens there.
        TimeoutError: there was no room for too long.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            peer.connect(path)
        except BlockingIOError:  # unlike at a port, the system does not wait for room
            if time.monotonic() > until:
                raise TimeoutError from None
            time.sleep(_LOOK)
        else:
            return


def _read_line(peer: socket.socket) -> bytes:
    """What is sent up to the end of the line.

    Raises:
        OSError: it goes before, or sends more than a line may have.
    """
    read = b""
    while not read.endswith(b"\n"):
        more = peer.recv(65536)
        if not more:
            raise ConnectionResetError("it went before it had answered")
        read += more
        if len(read) > MOST_BYTES + 1:
            raise ConnectionAbortedError("it answers more than a line may have")
    return read
