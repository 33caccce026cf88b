"""Opens the sockets at which a process is asked, and says who is on their other side.

On Linux it is a unix socket, and the kernel says whose process has connected. Elsewhere it is a
port of this machine alone, and who connects has to say a token that only this user can read.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import socket
import struct
from pathlib import Path
from typing import Final, Protocol

from cascade_nb.door.folder import LONGEST_PATH

HAS_PEERS: Final = hasattr(socket, "AF_UNIX") and hasattr(socket, "SO_PEERCRED")
HELLO: Final = 2.0  # seconds in which who connects says the token
_BACKLOG: Final = 128  # who is about to be answered
_TOKEN: Final = 64  # characters


class Listener(Protocol):
    """A place where one can connect.

    Attributes:
        endpoint: where connections come.
        path: what lies in the folder.
    """

    endpoint: socket.socket
    path: Path

    def refuses(self, peer: socket.socket) -> str | None:
        """Why whoever has connected is not answered; None for this user."""

    def close(self) -> None:
        """Listen no more, and leave nothing behind."""


def listen(folder: Path) -> Listener:
    """Listen in a folder of this user.

    Raises:
        OSError: it cannot be.
    """
    path = folder / f"script-{os.getpid()}.sock"
    if HAS_PEERS and len(os.fsencode(path)) <= LONGEST_PATH:
        return UnixListener(path)
    return PortListener(path.with_suffix(".json"))


class UnixListener:
    """A unix socket; see `Listener`.

    Args:
        path: where it is to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # It comes under its name when it listens: who finds it before would take it for dead.
        early = path.with_suffix(".new")
        try:
            early.unlink(missing_ok=True)
            self.endpoint.bind(str(early))
            early.chmod(0o600)
            self.endpoint.listen(_BACKLOG)
            early.rename(path)
        except BaseException:
            self.endpoint.close()
            early.unlink(missing_ok=True)
            raise

    def refuses(self, peer: socket.socket) -> str | None:
        """The kernel says whose process it is."""
        user = peer_user(peer)
        return None if user == os.geteuid() else f"user {user} asked, who is another"

    def close(self) -> None:
        """Close it, and take its name away."""
        self.endpoint.close()
        self.path.unlink(missing_ok=True)


class PortListener:
    """A port of this machine, and a token in a file that only this user reads; see `Listener`.

    Args:
        path: where the file is to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = secrets.token_hex(_TOKEN // 2)
        self.endpoint = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        early = path.with_suffix(".new")
        text = json.dumps({"port": self.endpoint.getsockname()[1], "token": self._token})
        try:
            early.unlink(missing_ok=True)
            with os.fdopen(
                os.open(early, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as file:
                file.write(text)
            early.replace(path)
        except BaseException:
            self.endpoint.close()
            early.unlink(missing_ok=True)
            raise

    def refuses(self, peer: socket.socket) -> str | None:
        """Whoever knows the token is this user."""
        peer.settimeout(HELLO)
        said = b""
        with contextlib.suppress(OSError):
            while len(said) <= _TOKEN and (more := peer.recv(_TOKEN + 1 - len(said))):
                said += more
        known = hmac.compare_digest(said, f"{self._token}\n".encode())
        return None if known else "who asked did not say the token"

    def close(self) -> None:
        """Close it, and take the file away."""
        self.endpoint.close()
        self.path.unlink(missing_ok=True)


def peer_user(peer: socket.socket) -> int:
    """The number of the user whose process is on the other side of a unix socket.

    Raises:
        OSError: it is gone.
    """
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(user)
