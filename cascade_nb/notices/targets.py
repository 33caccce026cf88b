"""Hands a notice on: to a webhook, or to a command; each for a bounded time, and with no secret in
what is said of it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from cascade_nb.control.remote.exposure import is_loopback
from cascade_nb.errors import UsageError
from cascade_nb.notices.notice import Notice
from cascade_nb.text import quoted

PATIENCE: Final = 10.0  # seconds that handing on one notice may take
_GOOD: Final = range(200, 300)


class Target(Protocol):
    """Where notices go."""

    @property
    def shown(self) -> str:
        """What it is called, without what is secret about it."""

    def send(self, notice: Notice) -> None:
        """Hand a notice on, which may take `PATIENCE`.

        Raises:
            OSError: that did not work; the message has no secret in it.
        """


class Webhook:
    """A URL to which notices are posted as JSON. All of it but the host may be a secret.

    Args:
        url: of that.
        insecure: whether another machine may be spoken to without TLS.

    Raises:
        UsageError: it is no such URL, or one of another machine without TLS.
    """

    def __init__(self, url: str, insecure: bool = False) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise UsageError("a webhook's URL is https://host/…, and this is none") from None
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise UsageError("a webhook's URL is https://host/…, without a user in it")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise UsageError("a webhook's URL has only printable characters of ASCII")
        if parts.scheme == "http" and not is_loopback(host) and not insecure:
            raise UsageError(
                f"the webhook at {host} is another machine, and would be told without TLS what "
                "your runs do: write https://, or say insecure=True"
            )
        self._secure, self._host, self._port = parts.scheme == "https", host, port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def shown(self) -> str:
        """The host."""
        return f"the webhook at {self._host}"

    def send(self, notice: Notice) -> None:
        """Post it; a redirection is not followed."""
        import http.client  # noqa: PLC0415 - most processes tell nobody anything

        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=PATIENCE)
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "cascade-nb"}
            connection.request("POST", self._path, notice.payload(), headers)
            status = connection.getresponse().status
        except http.client.HTTPException as error:
            raise ConnectionError(f"it does not speak HTTP ({type(error).__name__})") from None
        except OSError as error:  # of TLS too, whose words are in `reason`
            why = getattr(error, "reason", None) or error.strerror or type(error).__name__
            raise ConnectionError(f"it cannot be reached ({why})") from None
        finally:
            connection.close()
        if status not in _GOOD:
            raise ConnectionError(f"it answered {status}")

    def __repr__(self) -> str:
        return f"<{self.shown}>"


class Command:
    """A program that is started for each notice: its line is the last argument, and all of it comes
    as JSON on the standard input. No shell reads any of it.

    Args:
        words: the program and its first arguments, of which only the program is ever shown.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)

    @property
    def shown(self) -> str:
        """The program."""
        return f"the command {quoted(os.path.basename(self._words[0]))}"  # noqa: PTH119 - a text

    def send(self, notice: Notice) -> None:
        """Run it to its end."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the user says which
                [*self._words, f"Cascade: {notice.line}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ChildProcessError(f"it cannot be started ({why})") from None
        try:
            process.communicate(notice.payload(), timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            _end(process)
            raise TimeoutError(f"it took longer than {PATIENCE:g} s") from None
        if process.returncode:
            raise ChildProcessError(f"it ended with code {process.returncode}")

    def __repr__(self) -> str:
        return f"<{self.shown}>"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def target_of(to: object, insecure: bool = False) -> Target:
    """Where notices go: a URL, the line of a command, or its words.

    Raises:
        UsageError: nothing can be sent there.
    """
    if isinstance(to, str) and "://" in to.partition(" ")[0]:
        return Webhook(to.strip(), insecure)
    try:
        words = shlex.split(to) if isinstance(to, str) else to
    except ValueError as error:
        raise UsageError(f"the command cannot be read: {error}") from None
    if not isinstance(words, (list, tuple)) or not words:
        raise UsageError("notices go to a URL, or to a command: a text, or a list of its words")
    if not all(isinstance(word, str) and word and "\0" not in word for word in words):
        raise UsageError("a command is a list of texts")
    return Command(words)
