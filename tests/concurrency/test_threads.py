"""Work beside the loop leaves the loop free, and parses where parsing is safe."""

from __future__ import annotations

import ast
import asyncio
import contextvars
import threading
from typing import Any

import pytest

from cascade_nb.concurrency import threads as aside
from cascade_nb.concurrency.safe_parse import parse
from tests.engine.tools import Hold, until


async def test_the_loop_goes_on_meanwhile_and_gets_the_result() -> None:
    hold = Hold()
    work = asyncio.create_task(aside.run_in_thread(lambda: hold.wait("done")))
    await until(lambda: hold.came)
    hold.let_go()
    assert await work == "done"


async def test_an_error_arrives_and_a_contextvar_travels() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    who.set("me")
    assert await aside.run_in_thread(who.get) == "me"
    with pytest.raises(ZeroDivisionError):
        await aside.run_in_thread(lambda: 1 / 0)


async def test_a_cancelled_wait_leaves_nobody_to_tell() -> None:
    hold = Hold()
    work = asyncio.create_task(aside.run_in_thread(hold.wait))
    await until(lambda: hold.came)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    hold.let_go()
    await until(lambda: not [t for t in threading.enumerate() if t.name == "cascade-aside"])


# On some versions of Python two parses at once hurt each other, whoever does them.


@pytest.mark.parametrize("safe", [True, False])
async def test_parsing_is_done_by_the_loops_thread_where_it_is_not_safe_elsewhere(
    monkeypatch: pytest.MonkeyPatch, safe: bool
) -> None:
    monkeypatch.setattr(aside, "SAFE_ANYWHERE", safe)
    where: list[bool] = []
    real = ast.parse

    def watched(source: str, **rest: Any) -> Any:
        where.append(threading.current_thread() is loop_thread)
        return real(source, **rest)

    loop_thread = threading.current_thread()
    monkeypatch.setattr(ast, "parse", watched)
    tree = await aside.run_in_thread(lambda: parse("x = 1"))
    assert isinstance(tree.body[0], ast.Assign)
    assert where == [not safe]
    with pytest.raises(SyntaxError):
        await aside.run_in_thread(lambda: parse("x ="))


def test_a_thread_that_waits_for_a_loop_that_ended_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aside, "LOOK", 0.01)
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            aside._call_on(loop, lambda: 1)
        except RuntimeError as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    loop.close()
    thread.join(60)
    assert not thread.is_alive()
    assert failed
