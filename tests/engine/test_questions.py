"""A question waits for its answer and holds nothing; the first answer that fits counts."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, Literal

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase, Run
from cascade_nb.errors import (
    AnswerError,
    ParamError,
    RunCancelledError,
    TaskCallError,
    TaskFailedError,
    TaskTimeoutError,
    UsageError,
)
from cascade_nb.events import (
    QuestionAnswered,
    QuestionAsked,
    TaskBlocked,
    TaskExecutionFinished,
    event_from_json,
)
from cascade_nb.executors import LocalExecutor
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.states import PaperState
from tests.engine.test_edits import Names
from tests.engine.tools import Hold, pass_time, until


class Made(list[Any]):
    """What ran; it counts as the same in a key however much that is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Made, ()


made = Made()


@cs.task
def give(x: Any) -> Any:
    return x


@cs.task
def use(answer: Any, more: Any = 0) -> str:
    made.append(answer)
    return f"used {answer}"


@pytest.fixture(autouse=True)
def fresh() -> None:
    made.clear()


@pytest.fixture
async def state() -> PaperState:
    return PaperState()


async def asked(run: Run, count: int = 1) -> list[str]:
    """The names of what a run asks, once it is so much."""
    await until(lambda: len(run.questions) == count, f"{count} questions")
    return [one.name for one in run.questions]


@pytest.mark.parametrize(
    ("type_", "wrong", "answer", "value"),
    [
        (bool, "perhaps", "yes", True),
        (bool, 2.5, "n", False),
        (int, "2.5", "12", 12),
        (str, 3, "as it is", "as it is"),
        (Literal["fast", "exact"], "slow", "exact", "exact"),
        (int | None, "x", "none", None),
        ({"rows": int, "mode": Literal["a", "b"]}, '{"rows": 1}', '{"rows": 1, "mode": "b"}',
         {"rows": 1, "mode": "b"}),
        ({"rows": int}, {"rows": 1, "row": 2}, {"rows": "3"}, {"rows": 3}),
        ({"rows": int}, "[1]", '{"rows": 7}', {"rows": 7}),
    ],
)  # fmt: skip
async def test_a_wrong_answer_is_refused_in_a_sentence_and_the_question_stays(
    engine: Engine, spy: SpySubscriber, type_: Any, wrong: Any, answer: Any, value: Any
) -> None:
    run = engine.start(cs.ask("What is it?", type=type_).named("q"))
    await asked(run)
    with pytest.raises(AnswerError, match=r"takes|no field|no 'mode'"):
        run.answer("q", wrong)
    assert run.states() == {"q": NodeState.ASKING}
    assert run.answer("q", answer, by="ada") == value
    assert await run == value
    assert [(one.by, one.task_id) for one in spy.events_of_type(QuestionAnswered)] == [("ada", "q")]


async def test_a_question_takes_lazy_values_and_says_all_in_status_why_and_events(
    engine: Engine, spy: SpySubscriber
) -> None:
    question = cs.ask("Approve {:,} rows of {what}?", give(1204), what=give("sales")).named("ok")
    run = engine.start(use(question))
    assert await asked(run) == ["ok"]
    text = "Approve 1,204 rows of sales?"
    status = run.status
    assert status.questions[0].text == text
    assert (status.asking, status.running, status.phase) == (1, 0, Phase.RUNNING)
    assert f"ok asks: {text} (yes or no)" in status.headline
    assert f"ok asks: {text} (yes or no)" in run.why("ok")[0]
    assert "waits for ok" in run.why("use#1")[0]
    told = spy.events_of_type(QuestionAsked)[0]
    assert (told.question, told.takes, told.task_id) == (text, "yes or no", "ok")
    run.answer("ok", True, by="ada")
    assert await run == "used True"
    assert run.why("ok")[0].startswith("ok was answered by ada just now: yes")


async def test_what_waits_for_an_answer_takes_no_thread_and_no_slot(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(executor=LocalExecutor(1), system_resources={"gpu": 1})
    engine.limit("global", 1)
    questions = [cs.ask("{}?", n).with_constraints(gpu=1).named(f"q{n}") for n in range(3)]
    run = engine.start([*questions, give("other").with_constraints(gpu=1).named("other")])
    await until(lambda: run.states()["other"] is NodeState.DONE)
    await asked(run, 3)
    for name in ("q2", "q0", "q1"):
        run.answer(name, "yes")
    assert await run == [True, True, True, "other"]


async def test_a_held_question_is_not_asked_and_one_that_was_asked_may_be_answered(
    engine: Engine, spy: SpySubscriber
) -> None:
    run = engine.start(use(cs.ask("Now?").named("q")))
    run.pause()
    await asked_or_held(run)
    if not run.questions:
        with pytest.raises(AnswerError, match=r"asks nothing|nothing asks"):
            run.answer("q", True)
        run.resume()
        await asked(run)
        run.pause()
    assert run.status.phase is Phase.PAUSED  # what asks is not under way
    run.answer("q", True)
    assert run.states()["use#1"] is not NodeState.DONE
    assert run.status.phase is Phase.PAUSED
    run.resume()
    assert await run == "used True"


async def asked_or_held(run: Run) -> None:
    await until(lambda: run.questions or run.states()["q"] is NodeState.HELD)


async def test_a_pause_of_its_task_keeps_a_question_from_being_asked(
    engine: Engine, spy: SpySubscriber
) -> None:
    engine.pause("task:ask")
    run = engine.start(cs.ask("Now?").named("q"))
    await until(lambda: spy.events_of_type(TaskBlocked))
    assert not run.questions
    assert not spy.events_of_type(QuestionAsked)
    engine.resume("task:ask")
    await asked(run)
    run.answer("q", False)
    assert await run is False


async def test_of_two_answers_the_first_counts_and_the_second_is_told(engine: Engine) -> None:
    run = engine.start([cs.ask("Which?").named("q"), cs.ask("More?").named("other")])
    await asked(run, 2)
    told: list[Any] = []
    ready = threading.Barrier(8)

    class Late(str):
        """An answer that is read when all have found the question open."""

        __slots__ = ()

        def strip(self, *_: Any) -> str:
            ready.wait(60)
            return str(self)

    def answer(n: int) -> None:
        try:
            told.append((n, run.answer("q", Late("ny"[n % 2]), by=f"number {n}")))
        except AnswerError as error:
            told.append(error)

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    await until(lambda: len(told) == 8)
    for thread in threads:
        thread.join()
    [(first, value)] = [one for one in told if isinstance(one, tuple)]
    refused = [str(one) for one in told if isinstance(one, AnswerError)]
    assert len(refused) == 7
    assert all(f"answered by number {first} " in text for text in refused)
    run.answer("other", True)
    assert await run == [value, True]
    assert value is bool(first % 2)


async def test_a_default_does_not_stand_beside_an_answer_that_another_run_was_given(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    question = cs.ask("Go on?", default=True).with_timeout(600).named("q")
    target = use(question).named("target")
    late = engine.start(target)
    await asked(late)
    await pass_time(clock, 10)
    answered = engine.start(target)
    await asked(answered)
    answered.answer("q", "no")
    assert await answered == "used False"
    await pass_time(clock, 595)
    assert await late == "used True"
    assert await engine.start(target) == "used False"
    assert made == [False, True]


async def test_a_program_may_answer_and_an_agent_may_not(
    engine: Engine, spy: SpySubscriber
) -> None:
    run = engine.start(cs.ask("Now?").named("q"))
    await asked(run)
    with pytest.raises(AnswerError, match="asked of people, and the agent claude is none"):
        run.answer("q", True, by="agent:claude")
    run.answer("q", True, by="program:nightly")
    assert await run is True
    assert [one.by for one in spy.events_of_type(QuestionAnswered)] == ["the program nightly"]


@pytest.mark.parametrize("name", ["r", "ask", "", 3, "q[0]"])
async def test_a_name_that_asks_nothing_is_refused_and_says_what_does(
    engine: Engine, name: Any
) -> None:
    run = engine.start([cs.ask("One?").named("q"), cs.ask("Two?").named("p")])
    await asked(run, 2)
    with pytest.raises(AnswerError, match="question"):
        run.answer(name, True)
    run.answer("q", True)
    run.answer("p", True)
    assert await run == [True, True]


async def test_a_time_out_gives_the_default_which_stands_for_this_run_only(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    question = cs.ask("Go on?", default=True).with_timeout(600).named("q")
    target = use(question).named("target")
    run = engine.start(target)
    await asked(run)
    assert run.questions[0].left == 600
    await pass_time(clock, 601, step=200)
    assert await run == "used True"
    assert "not answered in time" in run.why("q")[0]
    # Nobody has answered: neither that nor what was made of it stands for a later run.
    again = engine.start(target)
    await asked(again)
    again.answer("q", "no")
    assert await again == "used False"
    assert await engine.start(target) == "used False"
    assert made == [True, False]


async def test_a_time_out_without_a_default_fails_the_node_and_is_tried_again(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    run = engine.start(cs.ask("Go on?").with_timeout(60).with_retry(2).named("q"))
    await asked(run)
    await pass_time(clock, 61)
    await until(lambda: len(spy.events_of_type(QuestionAsked)) == 2)
    await pass_time(clock, 61)
    with pytest.raises(TaskTimeoutError, match="q was not answered within 1 min"):
        await run


async def test_an_answer_is_kept_with_who_gave_it_until_the_question_is_asked_anew(
    make_engine: MakeEngine, clock: VirtualClock, state: PaperState
) -> None:
    engine = make_engine(clock=clock, state_backend=state)
    question = cs.ask("Approve {} rows?", give(3)).named("ok")
    target = use(question).named("target")
    beside = use(question, 1).named("beside")
    run = engine.start([target, beside])
    await asked(run)
    run.answer("ok", True, by="ada")
    await run
    clock.advance(3 * 86400)
    # Another kernel finds it too, and says whose answer it is.
    other = make_engine(clock=clock, state_backend=state)
    plan = await other.plan(question)
    assert plan.step("ok").action == "reuse"
    assert "answered by ada 3 d ago" in plan.step("ok").reason
    second = other.start(use(question, 2))
    assert await second == "used True"
    assert any("answered by ada 3 d ago" in line for line in second.why("ok"))
    # Another question, about other rows, is asked.
    plan = await other.plan(cs.ask("Approve {} rows?", give(4)).named("ok"))
    assert plan.step("ok").action == "run"
    assert await other.ask_again(question)
    assert not await other.ask_again(question)
    third = other.start(target)
    await asked(third)
    third.answer("ok", False, by="bob")
    assert await third == "used False"
    # What was made of the first answer, and not again since, does not stand either.
    assert await other.start([target, beside]) == ["used False", "used False"]
    assert made == [True, True, True, False, False]


async def test_an_answer_in_the_memory_of_the_process_stands_whatever_its_node_is_called(
    engine: Engine,
) -> None:
    question = cs.ask("Without a name?")
    run = engine.start(use(question))
    [name] = await asked(run)
    run.answer(name, True)
    await run
    assert await engine.start(use(question, 1)) == "used True"


async def test_a_question_survives_its_kernel_and_attach_asks_it_again(
    make_engine: MakeEngine, state: PaperState
) -> None:
    first = make_engine(state_backend=state, lease=0.3)
    target = [use(cs.ask("One?").named("one")), use(cs.ask("Two?", type=int).named("two"))]
    run = first.start(target)
    await asked(run, 2)
    run.answer("two", 2, by="ada")
    await until(lambda: run.states()["two"] is NodeState.DONE)
    await until(lambda: len(made) == 1)
    await until(lambda: "QuestionAnswered" in "".join(state.paper.lines.get(run.id, ())))
    owner, fence, _ = state.paper.leases[run.id]
    state.paper.leases[run.id] = (owner, fence + 1, 0.0)  # as if that kernel were dead
    again = await make_engine(state_backend=state).attach()
    assert await asked(again) == ["one"]
    told = [event_from_json(line) for line in again.history]
    [answered] = [one for one in told if isinstance(one, QuestionAnswered)]
    assert (answered.task_id, answered.answer, answered.by) == ("two", "2", "ada")
    again.answer("one", True)
    assert await again == ["used True", "used 2"]


async def test_the_items_of_a_map_ask_for_themselves(engine: Engine) -> None:
    texts = give(["Is a right?", "Is b right?", "Is c right?"])
    run = engine.start(use(cs.ask.map(question=texts).named("each")))
    assert sorted(await asked(run, 3)) == ["each[0]", "each[1]", "each[2]"]
    assert run.states()["each"] is NodeState.ASKING
    assert "each[1] asks: Is b right?" in run.why("each[1]")[0]
    for name, answer in (("each[1]", False), ("each[2]", True), ("each[0]", True)):
        run.answer(name, answer)
    assert await run == "used [True, False, True]"


async def test_a_question_that_a_body_returns_is_asked_and_one_that_it_calls_is_refused(
    engine: Engine,
) -> None:
    @cs.task
    def returns() -> Any:
        return [cs.ask.lazy("In a body?"), 3]

    @cs.task
    def calls() -> Any:
        return cs.ask("In a body?") or 3

    run = engine.start(returns())
    [name] = await asked(run)
    run.answer(name, True)
    assert await run == [True, 3]
    with pytest.raises(TaskFailedError, match="a body cannot"):
        await engine.start(calls())


async def test_a_run_inside_of_a_task_asks(engine: Engine) -> None:
    @cs.task
    def outer() -> Any:
        return cs.run(cs.ask.lazy("Inside?").named("inner"))

    target = outer()
    outside = cs.start(target)
    await until(
        lambda: [one for nested in outside.status.nested for one in nested.status.questions]
    )
    assert "inner asks" in outside.status.headline
    assert cs.answer("inner", "yes") is True
    assert await outside is True


async def test_a_condition_an_order_and_a_skip_are_as_for_any_node(engine: Engine) -> None:
    before = Hold()

    @cs.task
    def slow() -> int:
        before.wait()
        return 1

    skipped = cs.ask("Never?").run_if(give(False), otherwise="unasked").named("skipped")
    late = cs.ask("Late?").after(slow()).named("late")
    run = engine.start([skipped, late])
    await until(lambda: before.came)
    assert not run.questions
    before.let_go()
    assert await asked(run) == ["late"]
    run.answer("late", True)
    assert await run == ["unasked", True]


async def test_a_cancelled_run_asks_no_more(engine: Engine, spy: SpySubscriber) -> None:
    run = engine.start(use(cs.ask("Now?").with_timeout(3600).named("q")))
    await asked(run)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert not run.questions
    with pytest.raises(AnswerError):
        run.answer("q", True)
    ends = [one.status for one in spy.events_of_type(TaskExecutionFinished) if one.task_id == "q"]
    assert ends == ["cancelled"]


async def test_a_failure_ends_a_run_that_asks_and_its_next_try_asks_again(engine: Engine) -> None:
    broken = [True]

    @cs.task
    def fails() -> int:
        if broken:
            raise ValueError("no")
        return 1

    failing = fails().after(give(1).named("given"))
    run = engine.start([use(cs.ask("Now?").named("q")), failing])
    with pytest.raises(TaskFailedError):
        await run
    assert not run.questions
    broken.clear()
    again = run.retry_failed()
    await asked(again)
    again.answer("q", True)
    assert await again == ["used True", 1]


async def test_an_edit_while_a_question_waits_asks_it_as_it_is_now(
    make_engine: MakeEngine,
) -> None:
    names = Names()
    engine = make_engine()
    engine.bindings = names
    question = cs.ask("Before?").named("q")
    kept = cs.ask("Kept?").named("kept")
    run = engine.start(use([question, kept]))
    await asked(run, 2)
    run.answer("kept", True)
    run.pause()
    names.lazies[question.identity] = cs.ask("After?").named("q")
    engine.edited()
    run.resume()
    await until(lambda: [one.text for one in run.questions] == ["After?"])
    run.answer("q", True)
    assert await run == "used [True, True]"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.ask("", type=bool), "1 to 2000 characters"),
        (lambda: cs.ask("x" * 2001), "1 to 2000 characters"),
        (lambda: cs.ask(3), "a question is a text"),
        (lambda: cs.ask("{} and {}?", 1), "cannot be put together"),
        (lambda: cs.ask("{0.nothing}?", 1), "cannot be put together"),
        (lambda: cs.ask("Is it?", default="perhaps"), "default does not answer"),
        (lambda: cs.recv("a/#"), "no topic to receive on"),
        (lambda: cs.recv("cascade/constraints/global"), "no topic to receive on"),
        (lambda: cs.recv("a\nb"), "a topic is a text"),
        (lambda: cs.recv("plant/ready"), "no connector"),
    ],
)
async def test_a_question_that_cannot_be_asked_fails_its_node_in_a_sentence(
    engine: Engine, make: Any, words: str
) -> None:
    with pytest.raises(TaskFailedError, match=words):
        await engine.start(make())


def test_a_type_that_no_answer_can_be_checked_against_is_refused_at_once() -> None:
    for type_ in (3, {}, {"": int}, {"a": 3}):
        with pytest.raises(ParamError):
            cs.ask("What?", type=type_)
    with pytest.raises(TaskCallError):
        cs.ask()
    with pytest.raises(TaskCallError, match=r"say cs\.ask\(…\)\.with_timeout\(seconds\)"):
        cs.ask("Go?", timeout=3)
    cs.ask("Go on for {timeout} s?", timeout=3)
    with pytest.raises(UsageError):
        cs.ask_again("q")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no question"):
        cs.ask_again(give(1))


async def test_a_question_with_no_end_ends_with_its_engine(make_engine: MakeEngine) -> None:
    engine = make_engine()
    run = engine.start(cs.ask("Now?").named("q"))
    await asked(run)
    await engine.aclose()
    assert run.done()


async def test_texts_in_braces_without_values_stay_what_they_are(engine: Engine) -> None:
    run = engine.start(cs.ask("Is {this} {0} right?").named("q"))
    await asked(run)
    assert run.questions[0].text == "Is {this} {0} right?"
    run.answer("q", True)
    assert await run is True


def test_a_script_that_waits_says_so_with_the_command_that_answers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    question = cs.ask("Go\x1b[31m on?\nReally?", default=1, type=int).named("my q")
    run = cs.start(question.with_timeout(1.5))
    assert run.result() == 1
    told = capfd.readouterr().err
    assert "my q asks: Go on? Really? (a whole number)" in told
    assert "cascade-nb answer 'my q' VALUE" in told
    assert "\x1b" not in told


async def test_no_text_of_others_looks_like_a_line_of_ours(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "all is well\n12:00:00 q · forged \x1b[2J\u2028x"
    run = engine.start(cs.ask(evil, type=str).named("q"), log="human")
    await asked(run)
    run.answer("q", evil, by=evil)
    assert await run == evil
    run.finish_log()
    told = capfd.readouterr().err.splitlines()
    assert all(line[2] == ":" and line[8:13] == " q · " for line in told), told
    assert "\x1b" not in "".join(told)
    assert [line for line in run.why("q") if "\n" in line] == []


def test_questions_are_pickled_with_what_a_run_is_made_of(tmp_path: Path) -> None:
    engine = Engine(state_backend=f"sqlite:///{tmp_path / 'state.db'}")

    async def go() -> None:
        run = engine.start(use(cs.ask("Now?", type=int).named("q")).named("target"))
        await asked(run)
        run.answer("q", 4, by="ada")
        assert await run == "used 4"
        assert await engine.start(cs.ask("Now?", type=int).named("q")) == 4
        await engine.aclose()

    asyncio.run(go())
