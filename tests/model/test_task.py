"""A task is a function whose call runs nothing and gives a lazy value."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import PolicyError, TaskCallError, TaskDefinitionError, UsageError
from cascade_nb.model import Retry, Task
from cascade_nb.model.tasks.task_names import known_task_names

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@cs.task
def add(a: int, b: int = 2) -> int:
    """Adds."""
    ran.append("add")
    return a + b


def test_the_decorator_works_without_parentheses() -> None:
    assert isinstance(add, Task)
    assert add.executor == "thread"


def test_the_decorator_works_with_parentheses() -> None:
    @cs.task()
    def other() -> None: ...

    assert isinstance(other, Task)
    assert other.name == "other"


def test_an_async_function_runs_on_the_loop() -> None:
    @cs.task
    async def fetch() -> None: ...

    assert fetch.executor == "async"


def test_a_call_runs_nothing_and_gives_a_lazy_result() -> None:
    lazy = add(1)
    assert isinstance(lazy, cs.LazyResult)
    assert lazy.task is add
    assert lazy.args == (1,)
    assert ran == []


def test_a_task_has_what_its_function_has_beside_itself() -> None:
    kept = cs.task(functools.lru_cache(lambda x: x))
    kept.fn(1)
    getattr(kept, "cache_clear")()  # noqa: B009  # a type checker knows of none
    assert kept.fn.cache_info().currsize == 0  # type: ignore[attr-defined]
    assert not hasattr(kept, "cache_clean")
    assert not hasattr(cs.task(lambda: 1), "cache_clear")
    with pytest.raises(AttributeError, match="'Task' object has no attribute 'cache_clean'"):
        getattr(kept, "cache_clean")  # noqa: B009
    with pytest.raises(AttributeError, match=r"its calls have: x = add\(…\), then x.value$"):
        getattr(add, "value")  # noqa: B009
    assert copy.copy(kept).fn is kept.fn


def test_a_task_looks_like_its_function() -> None:
    assert add.__name__ == "add"  # type: ignore[attr-defined]
    assert add.__doc__ == "Adds."
    assert str(inspect.signature(add.fn)) == str(add.signature)
    assert add.fn(1) == 3


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"c": 1}), ((1,), {"a": 1})],
    ids=["too few", "too many", "an unknown name", "one of them twice"],
)
def test_wrong_arguments_fail_at_the_call_like_a_functions(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        add.fn(*args, **kwargs)
    with pytest.raises(TaskCallError, match=r"add\(a: .*\).* cannot be called so: ") as caught:
        add(*args, **kwargs)
    assert isinstance(caught.value, TypeError)


def test_what_a_signature_takes_is_taken() -> None:
    @cs.task
    def wide(a: int, /, b: int, *rest: int, c: int, **more: int) -> None: ...

    assert wide(1, 2, 3, c=4, d=5).kwargs == {"c": 4, "d": 5}
    with pytest.raises(TaskCallError, match=r"missing a required"):
        wide(1, 2)


@pytest.mark.parametrize("wrong", [3, "name", None, [len]], ids=["number", "text", "None", "list"])
def test_only_functions_can_be_tasks(wrong: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"made of a function, and .* is none"):
        cs.task()(wrong)


def test_a_task_of_a_task_is_refused() -> None:
    with pytest.raises(TaskDefinitionError, match=r"add is a task already"):
        cs.task(add)


def test_a_generator_is_refused_with_the_way_out() -> None:
    def rows() -> Any:
        yield 1

    async def arows() -> Any:
        yield 1

    for generator in (rows, arows):
        with pytest.raises(TaskDefinitionError, match=r"generator.*return a list"):
            cs.task(generator)


def test_a_method_is_refused_where_it_is_looked_up() -> None:
    class Model:
        @cs.task
        def fit(self) -> None: ...

    with pytest.raises(TaskDefinitionError, match=r"fit is a method.*move it out of the class"):
        Model().fit  # noqa: B018 - the look-up is what is refused


@pytest.mark.parametrize("executor", ["process", "", "THREAD"])
def test_an_unknown_executor_is_refused_with_the_known_ones(executor: str) -> None:
    with pytest.raises(TaskDefinitionError, match=r"there is thread, processes, dask, async"):
        cs.task(executor=executor)(lambda: 1)


def test_an_executor_must_fit_the_function() -> None:
    async def fetch() -> None: ...

    with pytest.raises(TaskDefinitionError, match=r"an async def runs on the loop"):
        cs.task(executor="thread")(fetch)
    with pytest.raises(TaskDefinitionError, match=r"only an async def"):
        cs.task(executor="async")(lambda: 1)


def test_a_lambda_and_a_partial_are_functions_too() -> None:
    assert cs.task(lambda x: x).name == "lambda"
    assert cs.task(functools.partial(add.fn, b=5), name="add_five")(1).label == "add_five"


def test_options_of_the_decorator_are_those_of_every_call() -> None:
    @cs.task(name="train", tags=["gpu"], retry=2, timeout=5, resources={"gpu": 1}, version="2")
    def fit() -> None: ...

    lazy = fit()
    assert lazy.label == "train"
    assert lazy.options.tags == {"gpu"}
    assert lazy.options.retry == Retry(2)
    assert lazy.options.timeout == 5.0
    assert lazy.options.needs == {"gpu": 1}
    assert fit.version == "2"
    assert fit.options is lazy.options


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"retry": 0}, PolicyError),
        ({"retry": "3"}, PolicyError),
        ({"retry": True}, PolicyError),
        ({"timeout": 0}, PolicyError),
        ({"timeout": float("nan")}, PolicyError),
        ({"resources": {"gpu": -1}}, PolicyError),
        ({"tags": ["a/b"]}, UsageError),
        ({"name": ""}, UsageError),
        ({"name": "a+b"}, UsageError),
    ],
)
def test_options_that_make_no_sense_fail_at_the_decorator(
    option: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        cs.task(**option)(lambda: 1)


def test_a_default_that_is_lazy_becomes_an_input() -> None:
    base = add(1)

    @cs.task
    def double(x: Any = base) -> None: ...

    assert double().inputs == (base,)
    assert double(5).inputs == ()
    assert double(x=5).inputs == ()


def test_a_partial_gives_some_parameters() -> None:
    add_ten = add.partial(b=10)
    assert add_ten(1).kwargs == {"b": 10}
    assert add_ten(1, b=3).kwargs == {"b": 3}
    assert add_ten.partial(a=1)().kwargs == {"b": 10, "a": 1}
    with pytest.raises(TaskCallError, match=r"no parameter 'c'"):
        add.partial(c=1)
    with pytest.raises(TaskCallError):
        add_ten.partial(z=1)


def test_tasks_and_partials_say_what_they_are() -> None:
    assert repr(add).startswith("<task add(a: ")
    assert repr(add.partial(b=1)) == "<task add with b=…>"


def test_a_misspelt_parameter_is_told_before_the_one_it_leaves_out() -> None:
    with pytest.raises(TaskCallError, match=r"there is no parameter 'aa'; did you mean 'a'"):
        add(aa=1)
    with pytest.raises(TaskCallError, match=r"there is no parameter 'cc'"):
        add.partial(cc=1)


def test_a_call_is_looked_at_anew_though_another_of_its_task_fitted() -> None:
    @cs.task
    def model(x: int, *, depth: int = 1) -> int:
        return x * depth

    assert cs.run([model(1, depth=2), model(2, depth=3), model(x=3)]) == [2, 6, 3]
    for wrong in ({"dept": 2}, {"depth": 2, "x": 1}, {"depth": 1, "more": 1}):
        with pytest.raises(TaskCallError):
            model(1, **wrong)
    with pytest.raises(TaskCallError, match=r"missing a required argument: 'x'"):
        model(depth=2)


def test_a_name_is_known_as_long_as_a_task_has_it() -> None:
    # Another one of the same name had come and gone, and `cs.pause("fetch")` knew no `fetch` then.
    kept = cs.task(name="of_two")(lambda: 1)
    passing: Any = cs.task(name="of_two")(lambda: 2)
    del passing
    gc.collect()
    assert "of_two" in known_task_names()
    del kept
    gc.collect()
    assert "of_two" not in known_task_names()


def test_none_is_no_function_to_make_a_task_of() -> None:
    with pytest.raises(TaskDefinitionError, match="a task is made of a function, and None is none"):
        cs.task(None)  # type: ignore[call-overload]
