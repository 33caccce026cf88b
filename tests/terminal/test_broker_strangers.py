"""Whoever is on a broker may say anything there: it hides no engine, and its reader goes on."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.connectors import MqttConnector
from cascade_nb.control.holders import A_PERSON
from cascade_nb.control.remote.envelope import KEY_VARIABLE, MOST_BYTES
from cascade_nb.control.remote.outcomes import ANSWERS
from cascade_nb.control.remote.request_messages import parse_remote_request, request_topic
from cascade_nb.door.broker import callers
from cascade_nb.door.broker.responding import BrokerResponder
from cascade_nb.door.broker.shapes import checked_reply
from cascade_nb.door.callers import NoAnswerError, new_request
from cascade_nb.door.discovery import Neighbours
from cascade_nb.door.protocol import Request
from cascade_nb.engine import Engine, Run
from cascade_nb.errors import RefusedMessageError
from cascade_nb.terminal.live_view import picture
from cascade_nb.terminal.remote import place
from cascade_nb.terminal.watching import Lines, Watch
from tests.engine.tools import until_blocking
from tests.support.mosquitto import Mosquitto
from tests.terminal.conftest import Said, Terminal

pytestmark = pytest.mark.may_block("a terminal waits for its answers")


EMPTY: dict[str, Any] = {"live": 1, "runs": [], "lines": []}


class Stranger:
    """Is on a broker, and answers what is asked and sent there as it was told.

    Args:
        url: of the broker.

    Attributes:
        greeting: what it says to `hello`, in the place of what an engine would.
        reply: what it says to all else that is asked, likewise.
        outcome: what it says came of what holds and lets go.
    """

    def __init__(self, url: str) -> None:
        self._connector, self._thread = MqttConnector(url), LoopThread("stranger")
        self.greeting: dict[str, Any] = {}
        self.reply: dict[str, Any] = {}
        self.outcome: Any = None
        self._thread.submit(self._open()).result()

    async def _open(self) -> None:
        await self._connector.connect()
        await self._connector.subscribe("cascade/requests/+", self._hear)
        await self._connector.subscribe("cascade/constraints/#", self._hear_constraint)

    async def _hear(self, topic: str, payload: bytes) -> None:
        request = parse_remote_request(topic, payload, 0.0)
        said = self.greeting if request.content["do"] == "hello" else self.reply
        process = {"kind": "script", "title": "evil", "source": "evil:1", "engine": "evil"}
        process["client"] = self._connector.client_id
        if topic in (request_topic(), request_topic("evil")):
            whole = {"v": 1, "ok": True, "process": process, **said}
            await self._connector.publish(request.reply_topic, json.dumps(whole))

    async def _hear_constraint(self, _topic: str, payload: bytes) -> None:
        if payload and self.outcome is not None:
            message = json.loads(payload)
            message = json.loads(message.get("message", payload))
            said = {"id": message["id"], **self.outcome}
            topic = f"{ANSWERS}/{message['sender']}/{message['id']}"
            await self._connector.publish(topic, json.dumps(said))

    def close(self) -> None:
        self._thread.submit(self._connector.disconnect()).result()
        self._thread.stop()


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto.start() as started:
        yield started


@pytest.fixture(scope="module")
def run(broker: Mosquitto) -> Iterator[Run]:
    """Of an engine on the broker, in which a question and constraints stand, and a task failed."""
    engine = Engine(connector=MqttConnector(broker.url))
    engine.limit("task:x", 1, reason="look")
    engine.pause("task:y", ttl=3600.0)
    asks = cs.ask("Go on?", type=int).with_timeout(3600.0).named("more")
    failing = cs.task(lambda: 1 / 0, name="failing")().with_retry(max_attempts=9, delay=3600.0)
    going = engine.start([asks, failing])
    until_blocking(lambda: going.questions and going.status.retries)
    yield going
    going.cancel()
    until_blocking(going.done)
    engine.close()


@pytest.fixture
def stranger(broker: Mosquitto) -> Iterator[Stranger]:
    made = Stranger(broker.url)
    yield made
    made.close()


def both_heard(terminal: Terminal, run: Run, words: list[str], why: str) -> Said:
    """What a command says when it has heard both an engine and the stranger, of whom it says why it
    takes nothing; on a busy machine one of them may be late.
    """
    source = str(run._engine.supervisor._source)

    def said() -> Said | None:
        told = terminal.type(*words)
        return told if source in told.out and why in told.err else None

    found: Said = until_blocking(said, f"{source} and {why}")
    return found


def test_a_malformed_reply_is_told_of_whose_it_is_and_hides_no_other_engine(
    broker: Mosquitto,
    run: Run,
    stranger: Stranger,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = ["--broker", broker.url]
    for reply, why in (
        ({}, "its answer to status has no live that can be read"),
        ({"live": 1, "runs": "all", "lines": [7]}, "has no runs that can be read"),
        ({"live": 1, "runs": [{"run_id": "abc"}], "lines": []}, "has no runs that can be read"),
        ({**EMPTY, "live": 10**400}, "has no live that can be read"),
        ({**EMPTY, "constraints": [7]}, "has no constraints that can be read"),
        ({**EMPTY, "constraints": [], "in_force": "all"}, "has no in_force that can be read"),
        ({"ok": False, "error": ["x"]}, "has no error that can be read"),
        ({"v": 2}, "speaks version 2 and not 1"),
    ):
        stranger.reply = reply
        told = both_heard(terminal, run, ["status", *over], why)
        assert "skipped: evil:1 (evil): " in told.err, told
    assert run.id in terminal.type("runs", *over).out
    monkeypatch.setattr(callers, "WAIT", 0.5)  # it does not say that it has answered
    for process in (
        {"engine": "evil", "client": ["x"], "source": "evil:1", "kind": "script", "title": ""},
        {"engine": "a/#", "source": "evil:1", "kind": "script", "title": ""},
        {"engine": "evil", "source": "evil:1"},
    ):
        stranger.greeting = {"process": process}
        why = "skipped: evil:1 does not say in a way that can be read which engine"
        both_heard(terminal, run, ["status", *over], why)


def test_with_a_key_what_is_not_signed_is_nobodys_word_and_is_told(
    broker: Mosquitto,
    run: Run,
    stranger: Stranger,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over, source = ["--broker", broker.url], str(run._engine.supervisor._source)
    stranger.reply = {"live": 1, "runs": [], "lines": ["evil lines"]}
    stranger.outcome = {"scope": "task:z", "type": "pause", "lift": False, "holder": "person"}
    stranger.outcome |= {"source": "evil:1", "lifted": []}
    in_force = "the pause of z tasks is in force"
    until_blocking(
        lambda: (
            {f"{source}: {in_force}", f"evil:1: {in_force}"}
            <= set(terminal.type("pause", "z", *over).out.splitlines())
        )
    )
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    monkeypatch.setattr(callers, "WAIT", 0.5)  # nobody's word is waited for in vain
    unsigned = "what evil:1 says cannot be taken: it is not signed, and CASCADE_CONTROL_KEY is set"
    for words in (["resume", "z"], ["pause", "z"], ["resume", "z"]):
        said = both_heard(terminal, run, [*words, *over], f"skipped: {unsigned}")
        assert (said.code, "evil" in said.out) == (0, False), said
    told = both_heard(terminal, run, ["status", *over], f"skipped: {unsigned}")
    assert "evil" not in told.out


def test_a_malformed_outcome_is_told_of_whose_it_is_and_hides_no_other(
    broker: Mosquitto, run: Run, stranger: Stranger, terminal: Terminal
) -> None:
    over, source = ["--broker", broker.url], str(run._engine.supervisor._source)
    good = {"scope": "task:z", "type": "pause", "lift": True, "holder": "person"}
    good |= {"source": "evil:1"}
    for outcome, why in (
        ({}, "it has no source"),
        ({"source": "evil:1"}, "what evil:1 says cannot be taken: it has no name"),
        ({**good, "type": "tusk"}, "its type is none"),
        (good, "its lifted is no list"),
        ({**good, "lifted": [{}]}, "its lifted is no list"),
        ({**good, "lifted": [7] * 10_000}, "its lifted is no list"),
        ({**good, "lifted": [], "refused": 7}, "its refused is no text"),
        ({**good, "id": "other"}, "its id is not that of its topic"),
    ):
        stranger.outcome = outcome
        said = both_heard(terminal, run, ["resume", "z", *over], why)
        assert said.out == f"{source}: there was no pause of z tasks to lift\n", said


GONE = object()
#: What a field may hold in the place of what it has to.
ODD: tuple[Any, ...] = (
    GONE,
    None,
    True,
    -1,
    1e308,
    10**400,
    "\x1b[2J\u202e",
    "",
    [],
    {},
    [None],
    {"scope": 3},
)


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every field and item inside of a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, inner in items:
        yield (name,)
        for more in paths(inner):
            yield (name, *more)


def changed(reply: dict[str, Any], path: tuple[Any, ...], odd: object) -> dict[str, Any]:
    made = copy.deepcopy(reply)
    inner: Any = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = odd
    if odd is GONE:
        del inner[path[-1]]
    return made


class Replies:
    """An engine that says what it is told to; see `Caller`."""

    place = "evil:1"

    def __init__(self) -> None:
        self.by_question: dict[str, dict[str, Any]] = {}

    def ask(self, request: Request, patience: float = 0.0) -> dict[str, Any]:
        try:
            return checked_reply(request, self.by_question[request.do])
        except RefusedMessageError as error:
            raise NoAnswerError(str(error)) from None


def test_whatever_a_reply_has_in_any_of_its_fields_is_read_or_skipped(
    run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, replies = BrokerResponder(), Replies()
    about = {"engine": "e", "source": "s:1", "client": "c"}

    def genuine(do: str, **given: Any) -> dict[str, Any]:
        asks = {"v": 1, "id": "1", "do": do, **given}
        answer = said.reply(run._engine.constraints, asks, A_PERSON, about, MOST_BYTES)
        assert answer is not None
        made: dict[str, Any] = json.loads(answer)
        assert made["ok"], made
        return made

    @contextlib.contextmanager
    def broker_at(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(neighbours=lambda: Neighbours([replies], []))

    monkeypatch.setattr(place, "broker_at", broker_at)
    known = {do: genuine(do) for do in ("status", "runs")} | {"why": genuine("why", node="more")}
    assert known["status"]["constraints"]
    assert known["status"]["runs"][0]["questions"]
    commands = {"runs": ["runs"], "why": ["why", "more"]}
    read = skipped = 0
    for do, reply in known.items():
        for path in paths(reply):
            for odd in ODD:
                replies.by_question = {**known, do: changed(reply, path, odd)}
                try:
                    replies.ask(new_request(do, {"node": "more"} if do == "why" else {}))
                except NoAnswerError:
                    skipped += 1
                    continue
                read += 1
                if do == "status":
                    seen = Watch(None, lambda: Neighbours([replies], [])).look()
                    Lines().show(seen)
                    picture(seen, 100)
                    one_of = (["status"], ["answer"], ["limit"])
                    words = one_of[read % 3]
                else:
                    words = commands[do]
                told = terminal.type(*words, "--broker", "mqtt://localhost")
                assert told.code in (0, 1, 2, 3), (path, odd, told)
                assert "Traceback" not in told.err, (path, odd, told)
                assert "\x1b" not in told.out + told.err, (path, odd)
    assert read > 100
    assert skipped > 100
