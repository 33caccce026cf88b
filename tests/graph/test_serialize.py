"""A graph goes out as JSON and comes back the same."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import pathlib
import threading
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import ParamError, SerializationError, TaskFailedError
from cascade_nb.graph import Graph, build_graph, from_json, to_json
from cascade_nb.graph.serialization.value_writer import Opaque


@cs.task
def one() -> int:
    return 1


@cs.task(version="2", tags=["heavy"])
async def fetch(x: Any, *rest: Any, key: Any = None) -> Any:
    return x


@cs.resource
def database() -> Iterator[str]:
    yield "db"


@cs.task
def read(x: Any, db: Any = cs.inject(database)) -> Any:
    return x, db


class Color(enum.Enum):
    RED = "r"


@dataclasses.dataclass
class Settings:
    x: Any
    made: Any = dataclasses.field(init=False, default=7)

    def __post_init__(self) -> None:
        self.made = ("made of", self.x)


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: Any


Point = namedtuple("Point", "x y")  # noqa: PYI024


class Zone(dt.tzinfo):
    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=1)


class Unwritable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def shape_of(graph: Graph) -> list[Any]:
    """What a graph says of itself, without what is new in each process."""
    return [
        (
            node.id,
            node.kind,
            node.task_name,
            node.inputs,
            node.control.after,
            node.control.condition,
            node.control.wanted,
            node.control.routes,
            sorted(node.options.tags),
            node.options.retry,
            node.options.timeout,
            node.options.reuse,
            sorted(node.options.needs),
        )
        for node in graph.nodes
    ] + [graph.targets]


def there_and_back(target: Any, **kwargs: Any) -> Graph:
    graph = build_graph(target)
    text = to_json(graph)
    back = from_json(text, **kwargs)
    assert to_json(back) == text
    assert shape_of(back) == shape_of(graph)
    return back


def argument(value: Any) -> Any:
    """`value` after a journey as a task's argument."""
    return there_and_back(fetch(value)).nodes[-1].lazy.args[0]


def test_everything_that_was_asked_for_survives() -> None:
    first = one().named("first")
    rate = cs.Param("rate", 0.5, float, "how fast")
    flag = one().named("flag")
    heavy = (
        fetch([first, {"k": rate}], first, key=(first,))
        .named("heavy")
        .tagged("gpu", "night")
        .after(one().named("before"))
        .run_if(flag)
        .with_retry(4, 1.5, 2.0, 0.25, (OSError, KeyError))
        .with_timeout(30)
        .with_constraints(gpu=1, ram=first)
    )
    mapped = fetch.partial(key=rate).map(x=[1, heavy]).with_retry(2).named("all")
    routed = cs.Router(flag, {"a": mapped, 1: heavy, None: "plain", (1, 2): one()}).named("choice")
    skipped = one().run_if(False)
    back = there_and_back({"routed": [routed], "skipped": skipped, "db": read(1)})
    node = back.node("heavy")
    assert node.task is fetch
    assert node.options.needs["ram"].label == "first"
    assert back.params()["rate"].description == "how fast"
    assert back.params()["rate"].type is float
    assert back.node("read").lazy.kwargs["db"].resource is database


async def test_a_graph_that_came_back_gives_the_same_value() -> None:
    target = [fetch({"a": (one(), 2)}), fetch.map(x=fetch([1, 2])), read(one())]
    expected = [{"a": (1, 2)}, [1, 2], (1, "db")]
    engine = cs.Engine()
    assert await engine.run(build_graph(target)) == expected
    assert await engine.run(there_and_back(target)) == expected
    await engine.aclose()


VALUES: dict[str, Any] = {
    "None": None,
    "text": 'quotes " and \\ and ü and \ud800',
    "true": True,
    "int": 3,
    "huge int": 3**10_000,
    "negative huge int": -(3**10_000),
    "float": 0.1,
    "inf": -math.inf,
    "list": [1, [2]],
    "tuple": (1, (2,)),
    "set": {1, 2},
    "frozenset": frozenset({1}),
    "dict": {"a": 1},
    "dict with other keys": {1: 2, None: 3, (1, 2): 4, False: 5},
    "dict like a mark": {"$": "node", "node": 0},
    "OrderedDict": OrderedDict(b=1, a=2),
    "defaultdict": defaultdict(list, k=[1]),
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "complex": 1 - 2j,
    "range": range(1, 10, 3),
    "ellipsis": ...,
    "path": pathlib.Path("a/b"),
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=7),
    "date": dt.date(2024, 2, 29),
    "datetime": dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=dt.timezone.utc),
    "naive datetime": dt.datetime(2024, 2, 29),  # noqa: DTZ001
    "time": dt.time(1, 2, 3),
    "the second of two hours": dt.datetime(2024, 10, 27, 2, 30, fold=1),  # noqa: DTZ001
    "timedelta": dt.timedelta(days=-1, seconds=3, microseconds=5),
    "enum": Color.RED,
    "dataclass": Settings(3),
    "frozen dataclass": Frozen((1, 2)),
    "namedtuple": Point(1, [2]),
    "a class": Settings,
    "a builtin class": int,
    "a function": there_and_back,
    "a builtin function": math.sqrt,
    "a task": one,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_keeps_its_type(value: Any) -> None:
    back = argument(value)
    assert type(back) is type(value)
    assert back == value


def test_what_no_equality_tells_apart_survives_too() -> None:
    assert math.isnan(argument(math.nan))
    assert math.copysign(1, argument(-0.0)) == -1
    assert argument(defaultdict(list))["new"] == []
    assert list(argument(OrderedDict(b=1, a=2))) == ["b", "a"]
    assert list(argument({"b": 1, "a": 2})) == ["b", "a"]
    assert isinstance(argument(True), bool)


def test_the_state_of_a_dataclass_survives_not_what_its_init_would_make() -> None:
    changed = Settings(3)
    changed.made = "changed by hand"
    assert argument(changed).made == "changed by hand"


def test_lazy_values_survive_inside_every_container() -> None:
    a = one()
    inside = [(a,), {a}, {1: a}, Settings(a), Point(a, 1), defaultdict(None, k=a)]
    back = there_and_back(fetch(inside))
    assert back.nodes[-1].inputs == (0,)


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=9)
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.fractions()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
        | st.sets(st.integers() | st.text(max_size=2), max_size=3)
        | st.builds(Frozen, inner)
    ),
    max_leaves=15,
)


@given(json_like)
def test_any_literal_survives(value: Any) -> None:
    back = argument(value)
    assert back == value
    assert repr(back) == repr(value) or "{" in repr(value)  # the order of a set may differ


def local_lambda() -> Any:
    return lambda: 1


OPAQUE: dict[str, Any] = {
    "a lock": threading.Lock(),
    "a lambda": local_lambda(),
    "a float of another type": type("MyFloat", (float,), {})(1.5),
    "a zone that is more than an offset": dt.datetime(2024, 1, 1, tzinfo=Zone()),  # type: ignore[abstract]
    "something without repr": Unwritable(),
}


@pytest.mark.parametrize("value", OPAQUE.values(), ids=OPAQUE)
async def test_what_json_cannot_hold_is_a_readable_mark_that_fails_when_it_is_run(
    value: Any,
) -> None:
    back = there_and_back([fetch([1, {"k": value}]).named("needs"), one()])
    mark: Any = back.node("needs").lazy.args[0][1]["k"]
    assert isinstance(mark, Opaque)
    assert type(value).__qualname__ in mark.type
    assert len(mark.text) <= 200
    engine = cs.Engine()
    with pytest.raises(TaskFailedError, match=r"needs .*JSON does not hold") as caught:
        await engine.run(back)
    assert isinstance(caught.value.__cause__, SerializationError)
    assert await engine.run(back.node("one").lazy) == 1
    await engine.aclose()


async def test_a_default_that_json_cannot_hold_must_be_given() -> None:
    back = from_json(to_json(build_graph(fetch(cs.Param("lock", threading.Lock())))))
    engine = cs.Engine()
    with pytest.raises(ParamError, match=r"'lock' has no default"):
        engine.start(back)
    assert await engine.run(back, params={"lock": 3}) == 3
    await engine.aclose()


class Holder(list[Any]):
    """A list of its own kind, which JSON does not know."""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: fetch(Holder([one()])),
            r"fetch: a Holder cannot be written.*lazy values stand in",
        ),
        (lambda: [one(), threading.Lock()], r"cannot be written as JSON; have a task make it"),
        (lambda: cs.Router(one(), {1: threading.Lock()}), r"cannot be written as JSON"),
        (lambda: cs.Router(one(), {threading.Lock(): 1}), r"cannot be written as JSON"),
        (lambda: fetch(itself()), r"nested too deeply, or holds itself"),
    ],
    ids=["lazy in opaque", "opaque target", "opaque route", "opaque key", "holds itself"],
)
def test_a_graph_that_has_no_json_says_why(make: Any, words: str) -> None:
    with pytest.raises(SerializationError, match=words):
        to_json(build_graph(make()))


def itself() -> list[Any]:
    rows: list[Any] = []
    rows.append(rows)
    return rows


def test_two_tasks_that_cannot_be_told_apart_are_refused() -> None:
    twins = [cs.task(local_lambda()) for _ in range(2)]
    with pytest.raises(SerializationError, match=r"two tasks are both written as .*lambda.*name="):
        to_json(build_graph([twin() for twin in twins]))


def test_a_task_that_cannot_be_imported_is_given_by_name_or_path() -> None:
    @cs.task
    def local(x: int) -> int:
        return x

    text = to_json(build_graph(local(one())))
    with pytest.raises(SerializationError, match=r"there is no .*<locals>\.local here.*tasks="):
        from_json(text)
    path = f"{__name__}.{local.__qualname__}"  # type: ignore[attr-defined]
    for tasks in ({"local": local}, {path: local}):
        assert from_json(text, tasks=tasks).nodes[-1].task is local


def test_another_task_of_the_same_function_keeps_its_name() -> None:
    again = cs.task(one.fn, name="again")
    back = there_and_back([one(), again()])
    assert [node.task_name for node in back.nodes] == ["one", "again"]


def test_a_plain_function_is_never_called() -> None:
    text = to_json(build_graph(one())).replace('"qualname": "one"', '"qualname": "itself"')
    with pytest.raises(SerializationError, match=r"itself is no task; mark it with @cs.task"):
        from_json(text)


def test_a_task_whose_signature_changed_is_refused() -> None:
    text = to_json(build_graph(fetch(1, key=2))).replace('"key"', '"gone"')
    with pytest.raises(SerializationError, match=r"node 0: fetch has changed"):
        from_json(text)


GOOD = json.loads(to_json(build_graph([fetch(one()).with_retry(2), cs.Param("p", 1, int)])))


def paths(data: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    yield before
    if isinstance(data, (dict, list)):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in items:
            yield from paths(value, (*before, key))


@given(
    st.sampled_from(list(paths(GOOD))[1:]),
    st.none()
    | st.integers(-3, 9)
    | st.text(max_size=3)
    | st.just([])
    | st.just({})
    | st.just({"$": "node", "node": 9})
    | st.just("<gone>"),
)
def test_whatever_is_changed_it_is_a_graph_or_refused(where: tuple[Any, ...], value: Any) -> None:
    data = json.loads(json.dumps(GOOD))
    place = data
    for key in where[:-1]:
        place = place[key]
    if value == "<gone>":
        del place[where[-1]]
    else:
        place[where[-1]] = value
    with contextlib.suppress(SerializationError):
        assert isinstance(from_json(json.dumps(data)), Graph)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"cascade_graph": 2}',
        '{"cascade_graph": 1}',
        '{"cascade_graph": 1, "tasks": [], "nodes": [], "target": 3}',
        '{"cascade_graph": 1, "tasks": [], "nodes": [], "target": NaN}',
        '{"cascade_graph": 1, "tasks": [], "nodes": [], "target": {"$": "node", "node": 0}}',
        '{"cascade_graph": 1, "tasks": [], "nodes": [], "target": {"$": "pickle", "x": ""}}',
        '{"cascade_graph": 1, "tasks": [], "nodes": [], "target": [], "more": 1}',
        "[" * 100_000,
        b"\xff",
        None,
    ],
)
def test_what_is_no_graph_is_refused_in_a_sentence(text: Any) -> None:
    with pytest.raises(SerializationError):
        from_json(text)


def test_a_node_cannot_read_one_that_comes_after_it() -> None:
    text = to_json(build_graph(fetch(one()))).replace('"node": 0', '"node": 1')
    with pytest.raises(SerializationError, match=r"no node 1 before this one"):
        from_json(text)


def test_a_long_chain_needs_no_deep_stack() -> None:
    lazy: Any = one()
    for _ in range(5_000):
        lazy = fetch(lazy)
    assert len(from_json(to_json(build_graph(lazy)))) == 5_001


@pytest.mark.parametrize(
    "kind",
    [
        list[int],
        dict[str, list[float]],
        tuple[int, ...],
        Sequence[str],
        int | None,
        Literal["fast", 1],
        list[Literal["a"] | None],
    ],
    ids=str,
)
def test_a_parameter_keeps_a_compound_type(kind: Any) -> None:
    text = to_json(build_graph(fetch(cs.Param("p", type=kind))))
    back = from_json(text)
    assert back.params()["p"].type == kind
    assert to_json(back) == text
