"""Which nodes a skip takes along, where more than one rule could be meant."""

from __future__ import annotations

from typing import Any

import pytest

from cascade_nb import task
from cascade_nb.engine import Engine
from cascade_nb.errors import DependencyMissingError


@task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


async def test_a_skipped_condition_skips_also_what_is_to_come_after_it(engine: Engine) -> None:
    # For an order a skipped one counts as done; for a condition it never came true.
    never = give().run_if(False)
    with pytest.raises(DependencyMissingError, match="its condition is false"):
        await engine.run(give(2).run_if(never).after(never))
    assert await engine.run(give(2).after(never)) == 2
