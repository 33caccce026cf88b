"""An agent: the SDK's own client, which starts `cascade-nb mcp` and speaks over its streams."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from tests.support.doors import PATIENCE, Place, place

#: `python -m cascade_nb`, which lets kernels and files that are there be slow on a busy machine.
PATIENT = """
import runpy
from cascade_nb.agents import started
from cascade_nb.door import kernel_caller
kernel_caller._THERE = started.PATIENCE = 60.0
runpy.run_module("cascade_nb", run_name="__main__", alter_sys=True)
"""


class RefusedError(Exception):
    """A tool refuses, and why."""


class Agent:
    """Calls tools, in a thread of its own where the client lives.

    Args:
        here: where it finds the doors.
        name: what it calls itself.
    """

    def __init__(self, here: Place, name: str = "claude") -> None:
        self._here, self._name = here, name
        self._calls: asyncio.Queue[tuple[str, dict[str, Any], Future[Any]] | None]
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="agent")

    def __enter__(self) -> Agent:  # noqa: PYI034 - `Self` came with Python 3.11
        self._thread.start()
        self._loop = self._ready.result(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._calls.put_nowait, None)
        self._thread.join(PATIENCE)

    def call(self, name: str, **given: Any) -> dict[str, Any]:
        """What a tool gives.

        Raises:
            RefusedError: it refuses.
        """
        from mcp.types import TextContent

        result = self._ask(name, given)
        (content,) = result.content
        assert isinstance(content, TextContent)
        if result.is_error:
            raise RefusedError(content.text)
        found: dict[str, Any] | None = result.structured_content
        assert found is not None
        return found

    def tools(self) -> list[Any]:
        """Those that are offered."""
        found: list[Any] = self._ask("", {})
        return found

    def _ask(self, name: str, given: dict[str, Any]) -> Any:
        answer: Future[Any] = Future()
        self._loop.call_soon_threadsafe(self._calls.put_nowait, (name, given, answer))
        return answer.result(PATIENCE)

    async def _live(self) -> None:
        # Imported where they are needed: the SDK takes a second in each process of tests.
        from mcp import Client, StdioServerParameters
        from mcp.types import Implementation

        self._calls = asyncio.Queue()
        server = StdioServerParameters(
            command=sys.executable,
            args=["-c", PATIENT, "mcp"],
            env={**os.environ, **self._here.environment},
            cwd=str(self._here.folder),
        )
        me = Implementation(name=self._name, version="1")
        try:
            async with Client(server, client_info=me) as client:
                self._ready.set_result(asyncio.get_running_loop())
                while (call := await self._calls.get()) is not None:
                    name, given, answer = call
                    try:
                        if name:
                            answer.set_result(await client.call_tool(name, given))
                        else:
                            answer.set_result((await client.list_tools()).tools)
                    except Exception as error:
                        answer.set_exception(error)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as found:
        yield found


@pytest.fixture(scope="module")
def agent(here: Place) -> Iterator[Agent]:
    with Agent(here) as found:
        yield found
