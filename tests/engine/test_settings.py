"""Settings of libraries: results follow them, and they hold in the threads of tasks."""

from __future__ import annotations

import decimal
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.preprocessing import StandardScaler

import cascade_nb as cs
from cascade_nb.engine import Engine


def divided() -> Decimal:
    return Decimal(1) / Decimal(3)


def scaled(frame: Any) -> Any:
    return StandardScaler().fit_transform(frame)


@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_results_follow_what_is_set_and_why_names_it(engine: Engine, executor: str) -> None:
    third = cs.task(divided, executor=executor)().named("third")
    usual = await engine.run(third)
    with localcontext() as context:
        context.prec = 5
        assert await engine.run(third) == Decimal("0.33333")
    assert await engine.run(third) == usual == decimal.Context(prec=28).divide(1, 3)
    with localcontext() as context:
        context.prec = 6
        (step,) = (await engine.plan(third)).steps
    assert "decimal's context" in step.reason


async def test_what_a_thread_has_set_for_itself_holds_in_the_threads_of_tasks(
    engine: Engine,
) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    node = cs.task(scaled)(frame).named("scaled")
    assert isinstance(await engine.run(node), np.ndarray)
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(await engine.run(node), pd.DataFrame)
        assert (await engine.plan(node)).step("scaled").action == "reuse"
    assert isinstance(await engine.run(node), np.ndarray)
