"""Events are frozen, safe to write as JSON, and come back the same."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb import events
from cascade_nb.errors import SerializationError
from cascade_nb.events import (
    ConstraintApplied,
    Event,
    RunFinished,
    TaskBlocked,
    TaskProgress,
    TaskSkipped,
    event_from_json,
)
from cascade_nb.events.reading import EventClasses

KINDS = list(EventClasses.by_name.values())
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def test_every_event_of_the_design_is_there() -> None:
    wanted = {
        "RunStarted", "RunFinished", "TaskExecutionStarted", "TaskExecutionFinished", "TaskSkipped",
        "TaskRetrying", "TaskBlocked", "TaskProgress", "ConstraintApplied", "ConstraintLifted",
        "ConstraintRejected", "ResourceAcquired", "ResourceReleased", "ConnectorConnected",
        "ConnectorDisconnected", "QuestionAsked", "QuestionAnswered", "AnswerRejected",
        "NoticeFailed",
    }  # fmt: skip
    assert set(EventClasses.by_name) == wanted
    assert wanted <= set(events.__all__)


@every_kind
def test_every_event_has_a_run_a_time_and_task_events_a_task(kind: type[Event]) -> None:
    fields = kind.fields.keys()
    assert {"run_id", "timestamp"} <= fields
    if kind.__name__.startswith(("Task", "Resource")):
        assert {"task_id", "task_name"} <= fields


@every_kind
def test_an_event_cannot_be_changed(kind: type[Event]) -> None:
    event = kind(run_id="r")
    with pytest.raises(AttributeError):
        event.run_id = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.more = 1  # type: ignore[attr-defined]


@every_kind
def test_a_copy_and_a_pickled_event_are_the_same(kind: type[Event]) -> None:
    event = kind(run_id="r")
    assert copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match=r"TaskProgress has no field much"):
        TaskProgress(much=1)  # type: ignore[call-arg]


def test_an_event_shows_its_fields() -> None:
    event = TaskProgress(run_id="r", timestamp=1.5, done=2)
    assert repr(event) == (
        "TaskProgress(run_id='r', timestamp=1.5, task_id='', task_name='', done=2, total=None)"
    )


def strategy_for(annotation: str) -> st.SearchStrategy[Any]:
    text = st.text(max_size=20)
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return {
        "str": text,
        "int": st.integers(),
        "float": numbers,
        "str | None": st.none() | text,
        "int | None": st.none() | st.integers(),
        "float | None": st.none() | numbers,
        "tuple[str, ...]": st.lists(text, max_size=3).map(tuple),
        "dict[str, Any]": st.dictionaries(text, numbers | st.integers(), max_size=2),
    }[annotation]


def annotations_of(kind: type[Event]) -> dict[str, str]:
    found = {
        name: text for base in kind.__mro__ for name, text in inspect.get_annotations(base).items()
    }
    return {name: found[name] for name in kind.fields}


@given(st.data(), st.sampled_from(KINDS))
def test_an_event_comes_back_from_json_the_same(data: st.DataObject, kind: type[Event]) -> None:
    annotations = annotations_of(kind)
    values = {name: data.draw(strategy_for(text)) for name, text in annotations.items()}
    event = kind(**values)
    line = event.to_json()
    assert "\n" not in line
    assert json.loads(line)["event"] == kind.__name__
    assert event_from_json(line) == event
    assert line == json.dumps(event.as_dict(), ensure_ascii=True, default=str)


@pytest.mark.parametrize("value", [True, 1e400, -0.0, 2**70, "\ud800\n", ("a", {"b": 1})])
def test_whatever_a_field_holds_is_written_as_json_does(value: object) -> None:
    event = TaskProgress(done=value)  # type: ignore[arg-type]
    assert event.to_json() == json.dumps(event.as_dict(), ensure_ascii=True, default=str)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "3",
        "{}",
        '{"event": "Nothing"}',
        '{"event": ["RunStarted"]}',
        '{"event": "RunStarted", "more": 1}',
        '{"event": "RunFinished", "still_running": 3}',
        "{" * 1000,
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(SerializationError, match=r"is no event"):
        event_from_json(text)


def test_what_json_cannot_hold_is_written_as_text() -> None:
    line = ConstraintApplied(params={"limit": object()}).to_json()
    assert "<object object" in json.loads(line)["params"]["limit"]


def test_events_of_the_same_content_are_equal() -> None:
    assert TaskProgress(timestamp=1, done=2) == TaskProgress(timestamp=1, done=2)
    assert RunFinished(timestamp=1) != RunFinished(timestamp=2)
    # the same values in the same places, and yet another thing that happened
    assert TaskSkipped(timestamp=1) != TaskBlocked(timestamp=1)
    assert hash(TaskProgress(timestamp=1)) == hash(TaskProgress(timestamp=1))
