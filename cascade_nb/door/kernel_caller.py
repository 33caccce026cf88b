"""Asks a kernel at its control channel, signed as its connection file says.

The few lines of Jupyter's wire that this takes are written out: `jupyter_client` takes longer to
be imported than everything else that a command does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import socket
import stat
import time
import uuid
from pathlib import Path
from typing import Any, Final, NamedTuple

import zmq

from cascade_nb.door.callers import PATIENCE, NoAnswerError
from cascade_nb.door.protocol import MARK, MOST_BYTES, REPLY, REQUEST, Request, checked_answer
from cascade_nb.errors import RefusedMessageError

_THERE: Final = 3.0  # seconds in which a kernel says who it is, on a machine that has much to do
_DELIMITER: Final = b"<IDS|MSG>"


class Connection(NamedTuple):
    """The part of a connection file that is used here."""

    transport: str
    ip: str
    port: int
    key: bytes
    digest: str

    @property
    def url(self) -> str:
        """Where the control channel is."""
        mark = ":" if self.transport == "tcp" else "-"
        return f"{self.transport}://{self.ip}{mark}{self.port}"


def read_connection(path: Path) -> Connection:
    """What a connection file says.

    Raises:
        NoAnswerError: it is another user's, or none.
    """
    try:
        found = path.lstat()
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            raise NoAnswerError(f"{path.name} is another user's")
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
            raise NoAnswerError(f"{path.name} is no connection file")
        said = json.loads(path.read_text(encoding="utf-8"))
        transport, ip, port = said["transport"], said["ip"], said["control_port"]
        key, scheme = said["key"], said.get("signature_scheme", "hmac-sha256")
        digest = scheme.removeprefix("hmac-")
        if not key:
            raise NoAnswerError(f"{path.name}: its kernel does not have messages signed")
        if type(port) is not int or transport not in ("tcp", "ipc") or not isinstance(ip, str):
            raise NoAnswerError(f"{path.name} is no connection file")
        hashlib.new(digest)
        return Connection(transport, ip, port, key.encode(), digest)
    except FileNotFoundError:
        raise NoAnswerError(f"{path.name} has just gone", gone=True) from None
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise NoAnswerError(f"{path.name} is no connection file: {error}") from None


class KernelCaller:
    """Asks a kernel; see `Caller`.

    Args:
        path: its connection file.

    Raises:
        NoAnswerError: as `read_connection`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.stem
        self._connection = read_connection(path)

    def has_magics(self) -> bool:
        """Whether it is a kernel that answers us.

        Raises:
            NoAnswerError: it is gone, or says nothing.
        """
        if not self._listens():
            raise NoAnswerError(f"the kernel of {self.path.name} is gone", gone=True)
        content = self._exchange("kernel_info_request", {}, "kernel_info_reply", _THERE)
        return isinstance(content.get(MARK), dict)

    def ask(self, request: Request, patience: float = PATIENCE) -> dict[str, Any]:
        """What it answers, within so many seconds.

        Raises:
            NoAnswerError: it does not, or nobody can read that.
        """
        try:
            return checked_answer(
                self._exchange(REQUEST, request.within(patience).as_dict(), REPLY, patience)
            )
        except RefusedMessageError as error:
            raise NoAnswerError(f"{self.place}: {error}") from None

    def _listens(self) -> bool:
        """Whether somebody listens there; who has asked in vain would wait for an answer."""
        where = self._connection
        try:
            if where.transport == "ipc":
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                    probe.settimeout(_THERE)
                    probe.connect(f"{where.ip}-{where.port}")
            else:
                socket.create_connection((where.ip, where.port), _THERE).close()
        except OSError:
            return False
        return True

    def _exchange(
        self, kind: str, content: dict[str, Any], reply: str, patience: float
    ) -> dict[str, Any]:
        """The content of the reply to a message.

        Raises:
            NoAnswerError: there is none in time.
        """
        context = zmq.Context()
        channel = context.socket(zmq.DEALER)
        channel.linger = 0
        try:
            channel.connect(self._connection.url)
            name = uuid.uuid4().hex
            channel.send_multipart(self._signed(_header(kind, name), content))
            until = time.monotonic() + patience
            while (left := until - time.monotonic()) > 0 and channel.poll(int(left * 1000) + 1):
                said = self._verified(channel.recv_multipart())
                if said is not None and said[0] == reply and said[1] == name:
                    return said[2]
        except (zmq.ZMQError, OSError) as error:
            raise NoAnswerError(f"{self.place}: {error}") from None
        finally:
            channel.close()
            context.term()
        text = f"{self.place} did not answer within {patience:g} s"
        raise NoAnswerError(text, silent=True)

    def _signed(self, header: dict[str, Any], content: dict[str, Any]) -> list[bytes]:
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        return [_DELIMITER, self._signature(parts), *parts]

    def _signature(self, parts: list[bytes]) -> bytes:
        made = hmac.new(self._connection.key, digestmod=self._connection.digest)
        for part in parts:
            made.update(part)
        return made.hexdigest().encode()

    def _verified(self, frames: list[bytes]) -> tuple[str, str, dict[str, Any]] | None:
        """Type, parent's id and content of a message; None where its signature is another's."""
        try:
            begin = frames.index(_DELIMITER) + 1
            signature, parts = frames[begin], frames[begin + 1 : begin + 5]
            if not hmac.compare_digest(signature, self._signature(parts)):
                return None
            header, parent, _, content = map(json.loads, parts)
            return header["msg_type"], parent.get("msg_id", ""), content
        except (ValueError, LookupError, TypeError, AttributeError):
            return None


def _header(kind: str, name: str) -> dict[str, Any]:
    now = dt.datetime.now(dt.timezone.utc).isoformat()
    return {
        "msg_id": name,
        "msg_type": kind,
        "username": "cascade-nb",
        "session": name,
        "date": now,
        "version": "5.3",
    }
