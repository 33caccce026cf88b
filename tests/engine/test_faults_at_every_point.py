"""A fault at every point of a run's beginning, middle and end: wherever the outside is asked, and
wherever a coroutine of the engine waits.

Whatever it is, the run ends, once, with its value or an error that names what failed; nothing is
left behind, and the engine runs the next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

import pytest

from cascade_nb.engine.runs import connector_supervisor as link
from cascade_nb.engine.runs import ending
from cascade_nb.engine.runs import lifecycle as execution
from tests.support import leaks
from tests.support.examples import PROFILE
from tests.support.faults import FAULTS, Points, one_case

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.soak,
    pytest.mark.timeout(1200),
]

TIMES: Final = {"default": 1, "soak": 4}[PROFILE]
AT_ONCE: Final = 8
SCENARIOS: Final = ("plain", "nested", "attached")
CASES: Final = [
    (fault, scenario)
    for fault in FAULTS
    for scenario in SCENARIOS
    if PROFILE == "soak" or scenario == "plain" or fault in ("exit", "hang", "sweep")
]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PATIENCE", 0.1)
    monkeypatch.setattr(link, "FLUSH", 0.1)
    monkeypatch.setattr(link, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(execution, "CLOSING", 0.1)
    monkeypatch.setattr(execution, "LEAST", 0.1)
    monkeypatch.setattr(ending, "_MOMENT", 0.02)


@pytest.mark.parametrize(("fault", "scenario"), CASES)
def test_a_fault_where_the_outside_is_asked_ends_nothing_but_what_it_hit(
    fault: str, scenario: str
) -> None:
    names = asyncio.run(_points(scenario, driven=False))
    must = {"connector.connect", "journal.renew", "journal.finish", "state.open", "own closes"}
    assert must <= {*names}
    if fault == "unreachable":
        names = [name for name in names if name.startswith(("state.", "journal."))]
    if (
        fault == "hang"
    ):  # who puts holds the engine's lock: a backend has promised to be back at once
        names = [name for name in names if name != "state.put"]
    at_once = 1 if fault == "sweep" else AT_ONCE
    assert asyncio.run(_tried(names, fault, scenario, at_once, driven=False)) == []


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("fault", ["cancelled", "cancel"] if PROFILE == "soak" else ["cancelled"])
def test_a_fault_where_a_coroutine_of_the_engine_waits_ends_nothing_but_the_run(
    fault: str, scenario: str
) -> None:
    names = asyncio.run(_points(scenario, driven=True))
    assert any("Execution._come_to_rest" in name for name in names)
    assert asyncio.run(_tried(names, fault, scenario, 1, driven=True)) == []


async def _points(scenario: str, driven: bool) -> list[str]:
    """Every point that a run without a fault comes to."""
    points = Points()
    assert await one_case(points, "error", scenario, driven) == []
    return points.names


async def _tried(
    names: Iterable[str], fault: str, scenario: str, at_once: int, driven: bool
) -> list[str]:
    places = [
        (name, nth)
        for name, times in Counter(names).items()
        for nth in range(1, min(times, TIMES) + 1)
    ]
    gate = asyncio.Semaphore(at_once)
    complaints: list[str] = []

    async def one(at: tuple[str, int]) -> None:
        async with gate:
            complaints.extend(await one_case(Points(at), fault, scenario, driven))

    if at_once == 1:
        for at in places:
            await one(at)
    else:
        await asyncio.gather(*map(one, places))
    return complaints + await leaks.tasks_left(())
