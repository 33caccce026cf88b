"""Runs that ask, treated at random: answered at several doors, refused, timed out, held, cancelled,
and gone on with by the next kernel; each step is judged by what a plain model knows.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from functools import partial
from typing import Any, Final, cast

import pytest

import cascade_nb as cs
from cascade_nb.control.remote.answer_messages import (
    ANSWER_FILTER,
    answer_payload,
    question_topic,
)
from cascade_nb.door.answers import Process, answer
from cascade_nb.engine import Engine, Run
from cascade_nb.errors import AnswerError, CascadeError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.testing import InProcessConnector, VirtualClock
from tests.engine.machine.dice import Dice, chance, one_of
from tests.engine.states import PaperState
from tests.engine.tools import until

MOVES: Final = (
    *("start", "answer", "answer", "answer", "answer", "refuse", "pause", "resume"),
    *("advance", "advance", "cancel", "die"),
)
DOORS: Final = ("run", "process", "door", "broker")
PATIENCE: Final = 50  # moves after which a run that is answered counts as one that never ends
_ENDED: Final = ("given", "failed", "doomed")


@dataclasses.dataclass
class Question:
    """One that a run asks.

    Attributes:
        name: of its node.
        timeout: seconds, or None.
        default: what it is then; None: it fails.
        reads: the question whose answer is in its text, or None.
        how: "waiting" for that or held, "asked", "given", "failed" or "doomed" by another.
        value: its answer.
        until: when nobody is waited for any more.
        by_hand: whether somebody has answered, and what it reads too.
    """

    name: str
    timeout: float | None
    default: int | None
    reads: Question | None
    how: str = "waiting"
    value: int = 0
    until: float = math.inf
    by_hand: bool = False

    def lazy(self, before: Lazy | None) -> Lazy:
        """As a node."""
        more = {} if self.default is None else {"default": self.default}
        read = () if before is None else (before,)
        made: Any = cs.ask(
            f"{self.name}: how many" + " after {}" * len(read), *read, type=int, **more
        )
        made = made if self.timeout is None else made.with_timeout(self.timeout)
        return cast("Lazy", made.named(self.name))


class Asker:
    """A run and what it has to ask."""

    def __init__(self, run: Run, questions: list[Question]) -> None:
        self.run, self.questions = run, questions
        self.cancelled = False

    @property
    def asked(self) -> list[Question]:
        """What it ought to ask."""
        return [one for one in self.questions if one.how == "asked" and not self.cancelled]

    @property
    def is_over(self) -> bool:
        """Whether it ought to be."""
        return self.cancelled or all(one.how in _ENDED for one in self.questions)


class Asking:
    """Engines with one state and one connector, of which each takes the runs of the one before."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.clock, self.state = VirtualClock(), PaperState()
        self.state.paper.now = self.clock.wall
        self.askers: list[Asker] = []
        self.paused: set[str] = set()
        self.said = 0
        self.outcomes: dict[str, dict[str, Any]] = {}

    async def _begin(self) -> None:
        """There is a kernel, with an engine and a connector."""

        async def hear(topic: str, payload: bytes) -> None:
            self.outcomes[topic.rpartition("/")[2]] = json.loads(payload)

        self.connector = InProcessConnector()
        await self.connector.connect()
        await self.connector.subscribe("cascade/answers/#", hear)
        parts: Any = {"executor": "inline", "clock": self.clock, "state_backend": self.state}
        self.engine = Engine(connector=self.connector, **parts)

    async def play(self, moves: int) -> None:
        """A whole program."""
        await self._begin()
        self.start()
        for _ in range(moves):
            await self._rest()
            done = getattr(self, one_of(self.dice, MOVES))()
            if done is not None:
                await done
        await self._finish()
        await self.engine.aclose()

    # ---- moves -----------------------------------------------------------------------------

    def start(self) -> None:
        """One more run; a few live at a time."""
        if len(self.askers) == 3:
            return
        questions: list[Question] = []
        lazies: list[Lazy] = []
        for number in range(1 + self.dice.pick(3)):
            before = self.dice.pick(number + 1)  # 0: it reads none
            reads = questions[before - 1] if before else None
            timeout = one_of(self.dice, (None, 2.0, 5.0))
            default = number if timeout is not None and chance(self.dice, 50) else None
            name = f"q{number}_{self.said}"
            questions.append(Question(name, timeout, default, reads))
            lazies.append(questions[-1].lazy(lazies[before - 1] if before else None))
        self.said += 1
        run = self.engine.start([_use(lazy) for lazy in lazies], on_error="continue")
        self.askers.append(Asker(run, questions))

    async def answer(self) -> None:
        """Somebody answers at some door; what is not asked is refused."""
        asker, question = self._some()
        value = self.dice.pick(5)
        taken = not asker.is_over and question.how == "asked"
        assert await self._answered(asker, question.name, value) == taken, question
        if taken:
            self._give(question, value, by_hand=True)

    async def refuse(self) -> None:
        """An answer that does not fit changes nothing."""
        asker, question = self._some()
        assert not await self._answered(asker, question.name, "many")
        if not asker.run.done():
            with pytest.raises(AnswerError):
                asker.run.answer(question.name, 1, by="agent:claude")

    def pause(self) -> None:
        """Questions that are not asked yet, or what reads their answers, are held."""
        scope = one_of(
            self.dice, ("global", "task:ask", "task:_use", f"node:{self._some()[1].name}")
        )
        self.paused.add(scope)
        self.engine.pause(scope)

    def resume(self) -> None:
        """One of these is lifted."""
        if self.paused:
            scope = one_of(self.dice, sorted(self.paused))
            self.paused.remove(scope)
            assert self.engine.resume(scope)

    async def advance(self) -> None:
        """Time passes; who has not answered by then does not any more."""
        for _ in range(1 + self.dice.pick(3)):
            self.clock.advance(1.0)
            for asker in self.askers:
                for one in asker.questions:
                    if one.how == "asked" and one.until <= self.clock.now() and not asker.cancelled:
                        self._time_is_up(one)
            await self._rest()

    def cancel(self) -> None:
        """A run is cancelled."""
        asker, _ = self._some()
        if not asker.is_over and chance(self.dice, 50):
            asker.cancelled = True
            asker.run.cancel()

    async def die(self) -> None:
        """The engine is gone as with its kernel, and the next one takes what it left."""
        left = [asker for asker in self.askers if not asker.run.done()]
        for asker in left:
            await until(partial(self._is_written, asker.run.id))  # or nobody could go on with it
            owner, fence, _ = self.state.paper.leases[asker.run.id]
            self.state.paper.leases[asker.run.id] = owner, fence + 1, 0.0
        old = [asker.run for asker in left]
        await self.engine.aclose()
        await self._begin()
        for asker in left:
            asker.run = await self.engine.attach(asker.run.id)
            for one in asker.questions:
                if not one.by_hand:  # what nobody has said is asked again
                    one.how, one.until = "waiting", math.inf
        # What had been lifted just before may not have been written down as that.
        self.paused = {str(one.scope) for one in self.engine.constraints.constraints()}
        self._resume_all()
        for run, asker in zip(old, left, strict=True):
            with pytest.raises(AnswerError):
                run.answer(asker.questions[0].name, 1)

    # ---- what holds after each move --------------------------------------------------------

    def _agrees(self, asker: Asker) -> bool:
        """Whether a run asks what it ought to, and nothing else, and is over if it ought to be."""
        status = asker.run.status
        until = {one.name: one.until for one in asker.asked}
        left = {one.name: math.inf if one.left is None else one.left for one in status.questions}
        return (
            left == {name: when - self.clock.now() for name, when in until.items()}
            and status.asking == len(until)
            and (asker.is_over if asker.run.done() else not asker.is_over or self._holds(asker))
        )

    def _holds(self, asker: Asker) -> bool:
        """Whether what reads an answer may be held."""
        return not asker.cancelled and bool(self.paused & {"global", "task:_use"})

    # ---- inside ----------------------------------------------------------------------------

    async def _answered(self, asker: Asker, name: str, value: object) -> bool:
        """Whether an answer is taken at one of the doors."""
        door, run = one_of(self.dice, DOORS), asker.run
        try:
            if door == "run":
                return bool(run.answer(name, value, by="ada") == value)
            if door == "process":
                return bool(cs.answer(name, value, by="program:nightly") == value)
        except AnswerError:
            return False
        if door == "door":
            asks = {"v": 1, "id": "1", "do": "answer", "node": name, "value": value}
            return bool(answer(asks, Process("script", "test"))["ok"])
        await until(lambda: not asker.asked or self._is_heard())
        self.said += 1
        payload = answer_payload(
            name, value, by="ada", issued_at=self.clock.wall(), run=run.id, sender="phone",
            sequence=self.said, answer=True,
        )  # fmt: skip
        await self.connector.publish(question_topic(name), payload)  # heard when this returns
        said = self.outcomes.pop(json.loads(payload)["id"], None)
        return said is not None and "refused" not in said

    def _is_written(self, run_id: str) -> bool:
        paper = self.state.paper
        return run_id in paper.leases and run_id in paper.records

    def _is_heard(self) -> bool:
        return any(topic == ANSWER_FILTER for topic, _ in self.connector._subscriptions)

    def _some(self) -> tuple[Asker, Question]:
        asker = one_of(self.dice, self.askers)
        return asker, one_of(self.dice, asker.questions)

    def _give(self, question: Question, value: int, by_hand: bool) -> None:
        before = question.reads
        question.how, question.value, question.until = "given", value, math.inf
        question.by_hand = by_hand and (before is None or before.by_hand)

    def _time_is_up(self, question: Question) -> None:
        if question.default is None:
            question.how, question.until = "failed", math.inf
        else:
            self._give(question, question.default, by_hand=False)

    async def _rest(self) -> None:
        """Until all has come about that follows from what was done."""
        for _ in range(5):
            await asyncio.sleep(0)
        for asker in self.askers:
            for one in asker.questions if not asker.cancelled else ():
                before = None if one.reads is None else one.reads.how
                if one.how == "waiting" and before in ("failed", "doomed"):
                    one.how = "doomed"
                held = self.paused & {"global", "task:ask", f"node:{one.name}"}
                if one.how == "waiting" and before in (None, "given") and not held:
                    one.how = "asked"
                    one.until = math.inf if one.timeout is None else self.clock.now() + one.timeout
        for asker in self.askers:
            await until(partial(self._agrees, asker), f"{asker.questions} of {asker.run!r}")

    def _resume_all(self) -> None:
        for scope in sorted(self.paused):
            assert self.engine.resume(scope)
        self.paused.clear()

    async def _finish(self) -> None:
        """Everything is answered, and everything comes to its end."""
        self._resume_all()
        for _ in range(PATIENCE):
            await self._rest()
            asked = [(asker, one) for asker in self.askers for one in asker.asked]
            if not asked:
                break
            asker, question = one_of(self.dice, asked)
            assert await self._answered(asker, question.name, 3)
            self._give(question, 3, by_hand=True)
        for asker in self.askers:
            assert asker.is_over
            if not asker.cancelled and all(one.how == "given" for one in asker.questions):
                assert asker.run.result() == [one.value for one in asker.questions]
            else:
                with pytest.raises(CascadeError):
                    asker.run.result()


@cs.task(executor="inline")
def _use(count: int) -> int:
    return count


async def play(dice: Dice, moves: int = 25) -> None:
    """A whole program."""
    await Asking(dice).play(moves)
