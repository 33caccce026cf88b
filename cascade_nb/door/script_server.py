"""Makes what listens and answers in a script."""

from __future__ import annotations

from collections.abc import Callable

from cascade_nb.door.answers import Process, answer
from cascade_nb.door.folder import own_folder
from cascade_nb.door.listening import listen
from cascade_nb.door.server import Server


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
