"""The cells and commands that the README shows work as they stand there."""

from __future__ import annotations

import random
import re
from pathlib import Path
from statistics import stdev

import pytest

from cascade_nb.notebook.magics.commands import COMMANDS
from tests.notebook.conftest import Notebook

TEXT = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
UNNAMED = [block for kind, block in BLOCKS if not kind and not block.startswith("cascade-nb")]
CELLS = [block for block in UNNAMED if "%" in block or "run." in block]


@pytest.mark.may_block("IPython reads sources for a traceback")
def test_the_cells_run_from_first_to_last(plain_notebook: Notebook) -> None:
    assert len(CELLS) == 4
    for cell in CELLS:
        done = plain_notebook.ok(cell.rstrip())
    ends = [sum(random.Random(seed).choices([-1, 1], k=100_000)) for seed in range(24)]
    assert done.result == round(stdev(ends))
    plain_notebook.ok("import cascade_nb as cs")
    assert plain_notebook.ok("answer.value == cs.run(answer) == run.result()").result


def test_every_command_is_told_of_and_no_other() -> None:
    assert set(re.findall(r"`%cascade (\w+)", TEXT)) == set(COMMANDS)
