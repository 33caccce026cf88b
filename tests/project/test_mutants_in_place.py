"""Each planted fault finds the line that it changes, so that a move of code is noticed at once."""

from __future__ import annotations

import pytest

from tests.engine.machine.test_mutants import MUTANTS, STOPPING
from tests.support.mutants import Mutant


@pytest.mark.parametrize("mutant", [*MUTANTS, *STOPPING], ids=str)
def test_a_mutant_finds_the_line_that_it_changes(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant.plant(monkeypatch)  # which says what is not there any more
