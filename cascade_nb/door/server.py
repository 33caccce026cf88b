"""Answers at a socket, in threads of its own: neither a loop nor a task can hold it up."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.folder import own_folder
from cascade_nb.door.known_runs import THREADS, wake_who_waits
from cascade_nb.door.listening import Listener, listen
from cascade_nb.door.protocol import MOST_BYTES, encoded, parse_json, refusal
from cascade_nb.errors import RefusedMessageError

AT_ONCE: Final = 32  # connections; one more has the longest idle of them closed
IDLE: Final = 60.0  # seconds without a request after which a connection is closed
_ROOM: Final = 2.0  # seconds in which those that are told to go make room
_LOOK: Final = 0.02


class Server:
    """Listens until it is closed.

    Args:
        listener: where.
        answer: what comes of parsed JSON, or of what was wrong with it.
    """

    def __init__(self, listener: Listener, answer: Callable[[object], dict[str, Any]]) -> None:
        self._listener = listener
        self._answer = answer
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._idle: dict[socket.socket, None] = {}  # of those, who asks nothing; the longest first
        self._waker, self._woken = socket.socketpair()
        self._closed = False

    def serve(self) -> None:
        """Take connections until `close`; then everything is closed when this returns."""
        try:
            while not self._closed:
                ready, _, _ = select.select([self._listener.endpoint, self._woken], [], [])
                if self._woken in ready:
                    break
                self._take()
        finally:
            self._listener.close()
            self._woken.close()
            self._waker.close()
            with self._lock:
                left = list(self._open.items())
            for peer, thread in left:
                # No more is heard of it; what it has asked is answered still.
                with contextlib.suppress(OSError):  # it has just gone by itself
                    peer.shutdown(socket.SHUT_RD)
                thread.join(IDLE)

    def close(self) -> None:
        """End `serve`, from any thread."""
        self._closed = True
        with contextlib.suppress(OSError):  # it has ended
            self._waker.send(b"x")

    def forget(self) -> None:
        """In a forked child: nothing here is ours to listen at, or to take away."""
        for held in (self._listener.endpoint, self._woken, self._waker, *self._open):
            held.close()

    def _take(self) -> None:
        try:
            peer, _ = self._listener.endpoint.accept()
        except OSError:  # whoever it was has gone again
            return
        until = time.monotonic() + _ROOM
        while not self._places.acquire(timeout=_LOOK):
            if time.monotonic() > until:
                peer.close()  # whoever asks hears that nobody answers, and may ask again
                return
            self._make_room()
        thread = threading.Thread(target=self._converse, args=(peer,), name=THREADS, daemon=True)
        with self._lock:
            self._open[peer] = thread
            self._idle[peer] = None
        if not has_begun(thread):
            with self._lock:
                self._open.pop(peer, None)
                self._idle.pop(peer, None)
            peer.close()  # whoever asks hears that nobody answers, and may ask again
            self._places.release()

    def _make_room(self) -> None:
        """Have a connection end: the longest of those on which nothing is asked, else those that
        only wait for the end of a run, who are told at once how it stands.
        """
        with self._lock:
            oldest = next(iter(self._idle), None)
            if oldest is not None:
                del self._idle[oldest]  # the next one makes another go
                # What it has asked this moment is answered still.
                with contextlib.suppress(OSError):  # it has just gone by itself
                    oldest.shutdown(socket.SHUT_RD)
        if oldest is None:
            wake_who_waits()

    def _converse(self, peer: socket.socket) -> None:
        try:
            with peer, contextlib.suppress(OSError):  # it may go at any moment
                why = self._listener.refuses(peer)
                if why is not None:
                    peer.sendall(encoded(refusal(RefusedMessageError(why))) + b"\n")
                    return
                peer.settimeout(IDLE)
                self._answer_lines(peer)
        finally:
            with self._lock:
                self._open.pop(peer, None)
                self._idle.pop(peer, None)
            self._places.release()

    def _answer_lines(self, peer: socket.socket) -> None:
        read = b""
        while True:
            line, end, rest = read.partition(b"\n")
            if not end and len(read) <= MOST_BYTES:
                more = peer.recv(65536)
                if not more:
                    return
                read += more
                continue
            with self._lock:
                self._idle.pop(peer, None)
            peer.sendall(encoded(self._answer(_parsed(line))) + b"\n")
            with self._lock:
                self._idle[peer] = None
            if not end:
                return  # where the next one begins is not to be told
            read = rest


def script_server(called: Callable[[], str]) -> Server:
    """A server for this process.

    Args:
        called: gives what the process is called, for people.

    Raises:
        OSError: there is no place where it could listen.
    """
    return Server(
        listen(own_folder()), lambda content: answer(content, Process("script", called()))
    )


def _parsed(line: bytes) -> object:
    try:
        return parse_json(line)
    except RefusedMessageError as error:
        return error
