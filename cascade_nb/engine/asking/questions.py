"""Asks the questions of one run, and takes their answers: the first that fits counts.

A question holds nothing while it waits, neither thread nor place in a limit, and a pause changes
nothing about it: what is held is not asked, and what was asked may be answered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from cascade_nb.control.holders import Holder, holder_of
from cascade_nb.control.words import ago, seconds_text
from cascade_nb.engine.asking.signals import signals_of
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.core.run_state import OpenQuestion
from cascade_nb.engine.reuse.answers_kept import Unheard, record_of
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.errors import AnswerError, TaskTimeoutError, UsageError, nearest
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.params.param import REQUIRED
from cascade_nb.model.params.question import Question
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.text import quoted

_SHORT: Final = 80  # characters of an answer in words
_LIVES: Final = 10_000  # answers of which is remembered who gave them


class Given(NamedTuple):
    """An answer that was taken.

    Attributes:
        words: the answer in a few words.
        by: who gave it; empty where it is the default.
        at: when, in seconds since the epoch.
    """

    words: str
    by: str
    at: float

    def told(self, now: float) -> str:
        """After the name of the node: "was answered by ada 3 s ago: yes"."""
        when = ago(max(0.0, now - self.at))
        if not self.by:
            return f"was not answered in time, and got its default {when}: {self.words}"
        return f"was answered by {self.by} {when}: {self.words}"


class Questions:
    """What one run asks.

    Args:
        driver: the run.
        code: what knows which of its results stand for it alone.

    Attributes:
        given: by index, the answers that were taken.
    """

    def __init__(self, driver: DrivenRun, code: CodeWatch | None) -> None:
        self._driver = driver
        self._code = code
        self._signals = signals_of(driver.services.manager)
        self._delivered: dict[int, tuple[str, Callable[..., object]]] = {}
        self._begun = False
        self.given: dict[int, Given] = {}

    def ask(self, index: int, number: int, took: float, question: Question) -> None:
        """Attempt `number` at a node, after `took` seconds, came to a question; a move."""
        driver = self._driver
        if question.topic and self._signals.listen is None:
            error = UsageError(
                f"nothing brings {question.text}: the engine has no connector; give it one with "
                "cs.Engine(connector=…), or name a broker in CASCADE_BROKER"
            )
            driver.outcome(index, number, took, None, error)
            return
        if not self._begun:
            self._begun = True
            self._signals.begin(self)
        asked = OpenQuestion(question, number, took, driver.services.clock.now())
        driver.core.asked(index, asked)
        timeout = driver.core.options_of(index).timeout
        driver.tell.asked(index, question, timeout)
        if timeout is not None:
            driver.services.timer(timeout, partial(self._time_is_up, index, asked), asked)
        if question.topic:
            # Not under the lock: a connector in this process may hand in a message at once.
            driver.services.portal.call(partial(self._listen, index, asked))

    def answer(self, name: str, value: Any, by: str | Holder) -> Any:
        """Answer the question of a node or an item, from any thread, without the lock. Gives what
        the run gets.

        Raises:
            AnswerError: the question takes another answer, has one, or is not asked; or an agent
                answers, which is for people and for programs.
            ConstraintError: `by` names nobody.
        """
        holder = holder_of(by)
        if holder.kind == "agent":
            raise AnswerError(f"{quoted(name)} is asked of people, and {holder.words} is none")
        with self._driver.lock:
            index = self.index_of(name)
            asked = self._driver.core.questions[index]
        words = (holder.name if holder.kind == "person" else "") or holder.words
        return self._take(index, asked, value, " ".join(words[:_SHORT].split()))

    @property
    def run_id(self) -> str:
        """The run."""
        return self._driver.run_id

    def asks(self, name: str) -> bool:
        """Whether a question of this name waits for its answer; from any thread."""
        core = self._driver.core
        with self._driver.lock:
            return any(name in (core.id_of(i), *_names_of(core, i)) for i in core.questions)

    def knows(self, name: str) -> bool:
        """Whether one of this name does, or has got its answer; from any thread."""
        core = self._driver.core
        with self._driver.lock:
            some = (*core.questions, *self.given)
            return any(name in (core.id_of(i), *_names_of(core, i)) for i in some)

    def names(self) -> list[str]:
        """By what its questions can be answered; under the lock."""
        return [self._driver.core.id_of(index) for index in self._driver.core.questions]

    def index_of(self, name: str) -> int:
        """The index of the node or item that asks under this name; under the lock.

        Raises:
            AnswerError: none does, or several.
        """
        core = self._driver.core
        if not isinstance(name, str):
            raise AnswerError(f"a question is named by a text, not by {quoted(name)}")
        found = [index for index in core.questions if core.id_of(index) == name]
        found = found or [i for i in core.questions if name in _names_of(core, i)]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(core.id_of(index) for index in found[:5])
            raise AnswerError(f"{len(found)} questions are called {quoted(name)}: {some}")
        raise AnswerError(self._why_not(name))

    def close(self) -> None:
        """The run is over: nothing is asked any more; under the lock."""
        for asked in self._driver.core.questions.values():
            if asked.timer is not None:
                asked.timer()
        for topic, deliver in self._delivered.values():
            self._signals.drop(topic, deliver)
        self._delivered.clear()
        self._signals.end(self)

    def _listen(self, index: int, asked: OpenQuestion) -> None:
        """Have messages answer a question; on the loop, without the lock."""
        topic, deliver = asked.question.topic, partial(self._take, index, asked)
        with self._driver.lock:
            if self._driver.core.questions.get(index) is not asked:
                return
            self._delivered[index] = topic, deliver
            self._signals.want(topic, deliver)

    def _why_not(self, name: str) -> str:
        """Why there is no question of this name."""
        core, now = self._driver.core, self._driver.services.clock.wall()
        for index, given in self.given.items():
            if name in (core.id_of(index), *_names_of(core, index)):
                return f"{name} {given.told(now)}; the first answer counts"
        there = self.names()
        known = {node.id for node in core.graph.nodes}
        waits = f"; what asks is {', '.join(there[:5])}" if there else "; nothing asks just now"
        if name in known:
            return f"{name} asks nothing just now{waits if there else ''}"
        return f"there is no question {quoted(name)}{nearest(name, there) if there else waits}"

    def _take(self, index: int, asked: OpenQuestion, value: Any, by: str) -> Any:
        """Take an answer, from any thread, without the lock.

        Raises:
            AnswerError: the question takes another, or has one.
        """
        taken = asked.question.taken(value)  # it may ask classes of the user's: not under the lock
        driver = self._driver
        refused = ""
        with driver.moving():
            if driver.core.questions.get(index) is not asked or driver.is_over:
                given, name = self.given.get(index), driver.core.id_of(index)
                now = driver.services.clock.wall()
                refused = f"{name} is not asked any more"
                if given is not None:
                    refused = f"{name} {given.told(now)}; the first answer counts"
            else:
                self._give(index, taken, by or "somebody")
        if refused:  # not inside, where an error would break the run off
            raise AnswerError(refused)
        return taken

    def _give(self, index: int, value: Any, by: str) -> None:
        """A node has its answer; a move."""
        driver = self._driver
        asked, waited = self._close_one(index)
        words = answer_words(value)
        self.given[index] = given = Given(words, by, driver.services.clock.wall())
        if len(self.given) > _LIVES:
            del self.given[next(iter(self.given))]
        driver.tell.answered(index, words, by, waited)
        driver.core.succeeded(index, asked.took)
        key = driver.keys.of.get(index)
        if key is None or not by:
            if self._code is not None and not by:
                # It is nobody's answer: what is made of it is not to stand for one.
                self._code.taint(index)
            if driver.files.of:
                driver.files.collect(index)
            driver.completed(index, asked.number, waited, value, True)
            return
        driver.saver.keep(index, asked.number, waited, value)
        cache = driver.core.options_of(index).cache
        expires = None if cache is None or cache.ttl is None else given.at + cache.ttl
        name = driver.core.kinds.of[index].name
        entry = Entry(key, value, 0.0, driver.lease, None, given.at, task=name, expires=expires)
        driver.state.put(record_of(entry, by), Unheard())

    def _time_is_up(self, index: int, asked: OpenQuestion) -> None:
        """On the loop, without the lock: nobody has answered in time."""
        driver = self._driver
        with driver.moving():
            if driver.core.questions.get(index) is not asked or driver.is_over:
                return
            if asked.question.default is not REQUIRED:
                self._give(index, asked.question.default, "")
                return
            asked, waited = self._close_one(index)
            label = driver.core.label(index)
            limit = seconds_text(driver.core.options_of(index).timeout or waited)
            text = f"{label} was not answered within {limit}"
            error = TaskTimeoutError(text, task=label, target=label)
            driver.outcome(index, asked.number, waited, None, error)

    def _close_one(self, index: int) -> tuple[OpenQuestion, float]:
        """A question waits no longer; gives it, and for how many seconds it did."""
        driver = self._driver
        asked = driver.core.answered(index)
        if asked.timer is not None:
            asked.timer()
        if index in self._delivered:
            self._signals.drop(*self._delivered.pop(index))
        return asked, max(0.0, driver.services.clock.now() - asked.since)


def _names_of(core: Any, index: int) -> tuple[str, ...]:
    """What else a node that asks may be called."""
    return *core.names_of(index), core.graph.nodes[core.root_of(index)].id


def answer_words(value: Any) -> str:
    """An answer in a few words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = value if isinstance(value, str) else short_repr(value, _SHORT)
    return " ".join(shown[:_SHORT].split())  # in a line: it stands in logs
