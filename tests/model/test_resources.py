"""What can be a resource, and where it can be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model import Resource


@cs.resource
def database() -> Iterator[str]:
    yield "db"


@cs.resource(scope="task", name="folder")
async def temporary_folder() -> AsyncIterator[str]:
    yield "/"


def test_sync_and_async_generators_are_resources() -> None:
    assert isinstance(database, Resource)
    assert (database.name, database.scope, database.is_async) == ("database", "run", False)
    assert (temporary_folder.name, temporary_folder.scope) == ("folder", "task")
    assert temporary_folder.is_async


def test_a_resource_may_need_others() -> None:
    @cs.resource
    def cursor(db: Any = cs.inject(database), size: int = 3) -> Iterator[Any]:
        yield db

    assert cursor.needs == {"db": database}


@pytest.mark.parametrize("wrong", [lambda: 1, len, 3], ids=["no yield", "builtin", "number"])
def test_what_does_not_yield_is_no_resource(wrong: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"yields once"):
        cs.resource(wrong)


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(TaskDefinitionError, match=r"'run' or a 'task', not 'session'"):
        cs.resource(scope="session")(database.fn)


def test_a_parameter_nobody_gives_is_refused() -> None:
    with pytest.raises(TaskDefinitionError, match=r"nobody gives 'url'"):

        @cs.resource
        def connection(url: str) -> Iterator[str]:
            yield url


def test_what_lasts_for_the_run_cannot_hold_what_lasts_for_a_task() -> None:
    with pytest.raises(TaskDefinitionError, match=r"lasts for the run, so it cannot hold"):

        @cs.resource
        def store(folder: Any = cs.inject(temporary_folder)) -> Iterator[Any]:
            yield folder


@pytest.mark.parametrize("wrong", [None, "db", database.fn, lambda: 1])
def test_only_resources_can_be_injected(wrong: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"cs\.inject\(\) takes what @cs\.resource made"):
        cs.inject(wrong)


def test_a_resource_in_the_signature_stands_in_every_call_and_map() -> None:
    @cs.task
    def read(x: int, db: Any = cs.inject(database)) -> Any: ...

    assert read(1).kwargs["db"].resource is database
    assert read.map(x=[1]).fixed["db"].resource is database
    assert read(1, "given").kwargs == {}
    assert read(1, db=cs.inject(temporary_folder)).kwargs["db"].resource is temporary_folder
