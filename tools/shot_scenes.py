"""The states of the panel that pictures are made of: which cells lead to each, and what is clicked.

Work in them goes on only when it is let: `stage.let(5)` lets five calls of a task end, so that a
picture shows the same on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A module beside the notebook, that tasks of it call.
STAGE: Final = '''"""Stands for work that takes as long as a picture needs."""

import threading

_ends = threading.Semaphore(0)


def work():
    """Until it is let."""
    _ends.acquire()


def let(calls):
    """Let so many calls end."""
    _ends.release(calls)
'''

_LOAD = "%load_ext cascade_nb\nimport cascade_nb as cs\nimport stage"

_PIPELINE = """%%cascade --quiet
def read(table):
    return [f"{table} {n}" for n in range(1000)]

def join(orders, customers):
    return list(zip(orders, customers))

def check(joined):
    return len(joined)

def train(rows, depth):
    stage.work()
    return depth, 1 - 0.9**depth

def choose(scores):
    return max(scores, key=lambda score: score[1])

def write(best, checked):
    return f"depth {best[0]}: {best[1]:.1%} of {checked:,} rows"

orders, customers = read("orders"), read("customers")
joined = join(orders, customers)
checked = check(joined)
scores = train.partial(rows=joined).map(depth=list(range(1, 13)))
best = choose(scores)
report = write(best, checked)
"""

_QUICK = _PIPELINE.replace("    stage.work()\n", "")

_FAULT = _PIPELINE.replace(
    "    stage.work()\n",
    "    stage.work()\n    if depth in (4, 9):\n        raise ValueError('no convergence')\n",
)

_ASK = """%%cascade --quiet
approved = cs.ask("Publish {}?", report)
published = write(best, checked).run_if(approved, otherwise="kept back")
"""

_RETRY = _PIPELINE.replace(
    "def train(rows, depth):\n    stage.work()\n",
    "@cs.task(retry=cs.Retry(max_attempts=3, delay=3600))\n"
    "def train(rows, depth):\n    stage.work()\n    if depth in (2, 3):\n"
    "        raise ConnectionError('the cluster is away')\n",
)

_RUN = "run = %cascade run report"
_UNTIL = "import asyncio\nwhile not ({}):\n    await asyncio.sleep(0.02)"


def _until(condition: str) -> str:
    return _UNTIL.format(condition)


def _let(calls: int, condition: str) -> str:
    return f"stage.let({calls})\n{_until(condition)}"


@dataclass(frozen=True)
class Scene:
    """One state of the panel.

    Attributes:
        name: of its pictures.
        before: cells that come before that of the panel.
        run: the cell of the panel.
        after: cells that lead to the state.
        clicks: selectors in the panel, clicked one after another.
        phase: of the run, in the state.
        width: of the page, in CSS pixels.
    """

    name: str
    before: tuple[str, ...]
    run: str
    after: tuple[str, ...]
    phase: str
    clicks: tuple[str, ...] = ()
    width: int = 1200

    @property
    def cells(self) -> list[str]:
        """All of them, in order."""
        return [_LOAD, *self.before, self.run, *self.after]

    @property
    def panel(self) -> int:
        """Which cell has the panel."""
        return 1 + len(self.before)


_LIMITED = (_PIPELINE, "%cascade limit train 3")
_FIVE_DONE = _let(5, "run.status.done == 9 and run.status.running == 3")
_HELD = (_FIVE_DONE, '%cascade pause train --reason "the GPU is busy"', _until("run.status.held"))
_SEVERAL = (
    *_HELD,
    "%cascade pause --before write --for 2h",
    "%cascade rate train 10/m",
    "run.limit('task:train', 4, by='agent:claude')",
)
_PAUSED = (_FIVE_DONE, "run.pause(reason='a meeting')", _let(3, "run.status.phase == 'paused'"))
_OVER = _let(12, "run.done()")

SCENES: Final = (
    Scene("running", _LIMITED, _RUN, (_FIVE_DONE,), "running"),
    Scene("narrow", _LIMITED, _RUN, (_FIVE_DONE,), "running", width=700),
    Scene("held", _LIMITED, _RUN, _HELD, "running"),
    Scene("in_force", _LIMITED, _RUN, _SEVERAL, "running", ("[id='node-scores']",)),
    Scene("in_force_narrow", _LIMITED, _RUN, _SEVERAL, "running", ("[id='node-best']",), width=700),
    Scene("pausing", _LIMITED, _RUN, (_FIVE_DONE, "run.pause()"), "pausing"),
    Scene("paused", _LIMITED, _RUN, _PAUSED, "paused"),
    Scene("cancelled", _LIMITED, _RUN, (_FIVE_DONE, f"run.cancel()\n{_OVER}"), "cancelled"),
    Scene("done", (_PIPELINE,), _RUN, (_OVER,), "succeeded"),
    Scene("reused", (_QUICK, "cs.run(report)"), _RUN, (), "succeeded"),
    Scene("failed", (_FAULT,), f"{_RUN} --on-error continue", (_OVER,), "failed"),
    Scene(
        "retrying",
        (_RETRY,),
        _RUN,
        (_let(12, "len(run.status.retries) == 2 and run.status.done == 14"),),
        "running",
    ),
    Scene(
        "asking",
        (_PIPELINE, _ASK),
        "run = %cascade run published",
        (_let(12, "run.questions"),),
        "running",
    ),
    Scene("drawer", _LIMITED, _RUN, (_FIVE_DONE,), "running", ("[id='node-joined']",)),
    Scene(
        "timeline", (_PIPELINE,), _RUN, (_OVER,), "succeeded", (".cs-section-timeline > summary",)
    ),
    Scene("items", _LIMITED, _RUN, (_FIVE_DONE,), "running", ("[id='node-scores']",)),
)

#: What the README begins with.
FIRST_PICTURE: Final = "held"


def scene(name: str) -> Scene:
    """The scene of this name."""
    return next(one for one in SCENES if one.name == name)
