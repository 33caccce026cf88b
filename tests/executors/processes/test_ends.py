"""A process that ends takes its own call with it, with the reason, and nothing else."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psutil
import pytest

from cascade_nb.concurrency.process_protocols import ProcessHandle
from cascade_nb.errors import ProcessDiedError, ProcessStartError, TransferError, UsageError
from cascade_nb.executors.processes import process
from cascade_nb.executors.processes.executor import ProcessExecutor
from cascade_nb.executors.processes.heads import PackedCall
from cascade_nb.executors.processes.pickles import packed
from tests.support.leaks import is_running
from tests.support.patience import PATIENCE, tries, until, wait_for_file


@pytest.fixture
def executor() -> Iterator[ProcessExecutor]:
    made = ProcessExecutor(2)
    yield made
    made.close()


class Ear:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.process: ProcessHandle | None = None
        self.text: dict[str, str] = {"stdout": "", "stderr": ""}
        self.messages: list[Any] = []
        self.cpu = self.memory = 0.0
        self.heard = threading.Event()

    def began(self, process: ProcessHandle) -> None:
        self.process = process

    def wrote(self, stream: str, text: str) -> None:
        self.text[stream] += text
        self.heard.set()

    def told(self, message: Any) -> None:
        self.messages.append(message)
        self.heard.set()

    def used(self, cpu: float, memory: int) -> None:
        self.cpu, self.memory = cpu, memory


def is_gone(pid: int) -> bool:
    return not is_running(pid)


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    ends: list[Any] = []

    def body() -> None:
        try:
            ends.append(call())
        except BaseException as error:
            ends.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    return thread, ends


def killed_by(number: int) -> Callable[[], None]:
    def body() -> None:
        os.kill(os.getpid(), number)

    return body


def crash() -> None:
    import ctypes

    ctypes.string_at(0)


DEATHS = {
    "SIGKILL": (killed_by(signal.SIGKILL), "SIGKILL", r"somebody killed it, or .* out of memory"),
    "SIGTERM": (killed_by(signal.SIGTERM), "SIGTERM", "SIGTERM"),
    "segfault": (crash, "SIGSEGV", "a crash in compiled code.*string_at.*in crash$"),
    "abort": (os.abort, "SIGABRT", "compiled code gave up"),
    "exit": (lambda: os._exit(3), None, "exit code 3"),
}


@pytest.mark.parametrize("way", DEATHS)
def test_a_death_is_told_with_its_reason_and_the_next_call_goes_well(
    executor: ProcessExecutor, way: str
) -> None:
    body, name, words = DEATHS[way]
    with pytest.raises(ProcessDiedError, match=f"(?s){words}") as caught:
        executor.call(body)
    assert caught.value.signal == name
    assert caught.value.exit_code == (3 if name is None else -getattr(signal, name))
    assert executor.call(abs, -4) == 4


def test_the_last_words_of_a_process_are_told(executor: ProcessExecutor) -> None:
    def body() -> None:
        print("reading file 17")  # noqa: T201 - what is read
        os._exit(1)

    with pytest.raises(ProcessDiedError, match="the last that it wrote: reading file 17"):
        executor.call(body)


def test_what_was_written_by_an_earlier_call_is_nobodys_last_words(
    executor: ProcessExecutor,
) -> None:
    executor.call(print, "of the first")
    with pytest.raises(ProcessDiedError) as caught:
        executor.call(os._exit, 1)
    assert "of the first" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(4), MemoryError()]
)
def test_what_would_end_a_program_ends_the_call_alone(
    executor: ProcessExecutor, error: BaseException
) -> None:
    def body() -> None:
        raise error

    pid = executor.call(os.getpid)
    with pytest.raises(type(error)) as caught:
        executor.call(body)
    assert caught.value.args == error.args
    assert executor.call(os.getpid) == pid


def test_another_call_does_not_notice_a_death(
    executor: ProcessExecutor, tmp_path: pathlib.Path
) -> None:
    ear = Ear()

    def slow(channel: Any, go: str) -> int:
        channel.tell("here")
        wait_for_file(go)
        return 5

    thread, ends = in_thread(lambda: executor.run(slow, (str(tmp_path / "go"),), ear))
    until(ear.heard.is_set)
    with pytest.raises(ProcessDiedError):
        executor.call(os._exit, 1)
    (tmp_path / "go").touch()
    thread.join()
    assert ends == [5]


def test_a_process_that_died_idle_is_replaced_unnoticed(executor: ProcessExecutor) -> None:
    for _ in range(3):
        pid = executor.call(os.getpid)
        os.kill(pid, signal.SIGKILL)
        until(partial(is_gone, pid))
        assert executor.call(abs, -1) == 1


def test_killing_ends_the_call_and_all_that_it_started(executor: ProcessExecutor) -> None:
    ear = Ear()

    def body(channel: Any) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        forked = os.fork()
        if not forked:
            time.sleep(600)
        channel.tell((child.pid, forked))
        time.sleep(600)

    thread, ends = in_thread(lambda: executor.run(body, (), ear))
    until(ear.heard.is_set)
    assert ear.process is not None
    pid = ear.process.pid
    ear.process.kill()
    thread.join(PATIENCE)
    assert isinstance(ends[0], ProcessDiedError)
    assert ends[0].signal == "SIGKILL"
    until(lambda: not any(map(is_running, (pid, *ear.messages[0]))))


def test_what_a_dead_process_had_started_is_ended_too(executor: ProcessExecutor) -> None:
    ear = Ear()

    def body(channel: Any) -> None:
        forked = os.fork()
        if not forked:
            time.sleep(600)
        channel.tell(forked)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ProcessDiedError):
        executor.run(body, (), ear)
    until(lambda: not is_running(ear.messages[0]))


def test_a_suspended_call_does_nothing_until_it_is_resumed(
    executor: ProcessExecutor, tmp_path: pathlib.Path
) -> None:
    ear = Ear()

    def ticking(channel: Any, enough: str) -> str:
        while not os.path.exists(enough):  # noqa: PTH110 - a text, for another process
            channel.tell("tick")
            time.sleep(0.005)
        return "done"

    enough = tmp_path / "enough"
    thread, ends = in_thread(lambda: executor.run(ticking, (str(enough),), ear))
    until(lambda: len(ear.messages) > 5)
    assert ear.process is not None
    pid = ear.process.pid
    assert ear.process.suspend()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)

    def stands_still() -> bool:  # when all that was told before is heard
        stood = len(ear.messages)
        time.sleep(0.3)
        return len(ear.messages) == stood

    until(stands_still)
    stood = len(ear.messages)
    ear.process.resume()
    until(lambda: len(ear.messages) > stood + 3)
    enough.touch()
    thread.join(PATIENCE)
    assert ends == ["done"]
    assert not ear.process.suspend()


def test_a_suspended_call_can_be_killed(executor: ProcessExecutor) -> None:
    ear = Ear()

    def body(channel: Any) -> None:
        channel.tell(1)
        time.sleep(600)

    thread, ends = in_thread(lambda: executor.run(body, (), ear))
    until(ear.heard.is_set)
    assert ear.process is not None
    assert ear.process.suspend()
    ear.process.kill()
    thread.join(PATIENCE)
    assert isinstance(ends[0], ProcessDiedError)


def test_a_handle_has_no_effect_on_the_next_call_of_its_process(executor: ProcessExecutor) -> None:
    ear = Ear()

    def body(channel: Any) -> int:
        return os.getpid()

    pid = executor.run(body, (), ear)
    assert ear.process is not None
    ear.process.suspend()
    ear.process.kill()
    assert executor.call(os.getpid) == pid


def test_what_a_listener_raises_ends_the_process(executor: ProcessExecutor) -> None:
    class Refuses(Ear):
        def began(self, process: ProcessHandle) -> None:
            raise LookupError("not now")

    pid = executor.call(os.getpid)
    with pytest.raises(LookupError, match="not now"):
        executor.run(lambda channel: None, (), Refuses())
    assert executor.call(os.getpid) != pid
    until(lambda: not is_running(pid))


def test_a_process_is_replaced_after_so_many_calls() -> None:
    executor = ProcessExecutor(1, max_tasks_per_child=3)
    pids = [executor.call(os.getpid) for _ in range(9)]
    assert [len(set(pids[n : n + 3])) for n in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3
    until(lambda: not any(map(is_running, pids)))
    executor.close()


def test_each_process_is_initialised_once_before_anything_else() -> None:
    def prepare(value: str) -> None:
        os.environ["PREPARED"] = os.environ.get("PREPARED", "") + value

    executor = ProcessExecutor(1, max_tasks_per_child=2, initializer=prepare, initargs=("x",))
    assert [executor.call(os.getenv, "PREPARED") for _ in range(5)] == ["x"] * 5
    executor.close()


def test_an_initializer_that_raises_is_said() -> None:
    def prepare() -> None:
        raise ValueError("no licence")

    executor = ProcessExecutor(1, initializer=prepare)
    with pytest.raises(ProcessStartError, match="initializer raised ValueError: no licence"):
        executor.call(abs, 1)
    executor.close()
    with pytest.raises(UsageError, match=r"initializer cannot go to a process: .*lock"):
        ProcessExecutor(1, initializer=print, initargs=(threading.Lock(),))


def test_a_broken_interpreter_is_said(
    executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ProcessStartError, match=r"started with '/nowhere/python': .*No such file"):
        executor.call(abs, 1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ProcessStartError, match="did not start: it ended by itself, with exit"):
        executor.call(abs, 1)


def test_a_process_that_hangs_at_its_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('here', flush=True)\nimport time\ntime.sleep(999)"
    monkeypatch.setattr(process, "_START", code)

    for attempt in tries(0.5):
        with attempt as limit:
            executor = ProcessExecutor(1, start_timeout=limit)
            with pytest.raises(ProcessStartError) as caught:
                executor.call(abs, 1)
            assert f"within {limit:g} s; the last that it wrote: here" in str(caught.value)
            executor.close()


def test_no_room_for_a_value_is_said_and_the_process_stays(
    executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    pid = executor.call(os.getpid)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Exception, match=r"1 MB of arguments cannot go to a process: .*No space"):
        executor.call(len, b"x" * 1_000_000)
    monkeypatch.undo()
    assert executor.call(abs, -1) == 1
    until(lambda: not is_running(pid))


def test_no_room_for_a_result_is_said_and_the_process_stays(executor: ProcessExecutor) -> None:
    def large() -> bytes:
        # The memory that both processes have is a file, of which this one may make no large one.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
        return b"x" * 2_000_000

    pid = executor.call(os.getpid)
    with pytest.raises(TransferError, match=r"2 MB of its result cannot come back: .*too large"):
        executor.call(large)
    assert executor.call(os.getpid) == pid


def test_an_unused_process_ends_by_itself_and_another_takes_its_place() -> None:
    executor = ProcessExecutor(1, linger=0.1)
    pid = executor.call(os.getpid)
    until(lambda: not is_running(pid))
    assert executor.call(abs, -1) == 1
    executor.close()


def test_no_call_is_lost_to_a_process_that_is_just_leaving() -> None:
    executor = ProcessExecutor(1, linger=0.003)
    for n in range(12):
        assert executor.call(abs, -n) == n
        time.sleep(0.001 * (n % 6))
    executor.close()


def test_a_process_waits_for_the_call_that_it_was_started_for() -> None:
    made = process.WorkerProcess(linger=0.01, patience=PATIENCE)
    time.sleep(0.2)  # as on a machine that has no time for who would call it
    made.begin_with(PackedCall(None, packed((lambda channel: None, ()))))
    made.leave()
    made.end(PATIENCE)


def test_closing_ends_idle_processes_and_lets_a_busy_one_finish(
    executor: ProcessExecutor, tmp_path: pathlib.Path
) -> None:
    idle = executor.call(os.getpid)
    ear = Ear()

    def body(channel: Any, go: str) -> int:
        channel.tell(1)
        wait_for_file(go)
        return os.getpid()

    thread, ends = in_thread(lambda: executor.run(body, (str(tmp_path / "go"),), ear))
    until(ear.heard.is_set)
    executor.close()
    executor.close()
    (tmp_path / "go").touch()
    thread.join()
    assert ends == [idle]
    until(lambda: not executor.pids and not is_running(idle))
    assert executor.call(os.getpid) != idle


ORPHANS = """\
import os, sys, threading, time
from cascade_nb.executors.processes.executor import ProcessExecutor
from cascade_nb.executors.processes.heads import PackedCall
from cascade_nb.executors.processes.pickles import packed
executor = ProcessExecutor(2)
executor.call(abs, 1)
class Ear:
    def began(self, process): self.process = process
    def told(self, message):
        sys.stdout.write(f"{message}\\n")  # in one piece: two threads do so
        sys.stdout.flush()
    def wrote(self, stream, text): pass
    def used(self, cpu, memory): pass
def body(channel):
    import os, time
    channel.tell(os.getpid())
    time.sleep(600)
ears = [Ear(), Ear()]
for ear in ears:
    threading.Thread(target=executor.run, args=(body, (), ear), daemon=True).start()
while sys.stdin.readline():
    for ear in ears:
        ear.process.suspend()
    print("suspended", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def orphans(**options: Any) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A script, and the two processes that it keeps busy; it is killed at the end."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, **options) as script:
        try:
            assert script.stdout is not None
            yield script, [int(script.stdout.readline()) for _ in range(2)]
        finally:
            script.kill()


def suspend(script: subprocess.Popen[str]) -> None:
    """Have it suspend its processes."""
    assert script.stdin is not None
    assert script.stdout is not None
    script.stdin.write("now\n")
    script.stdin.flush()
    assert script.stdout.readline() == "suspended\n"


def test_suspended_processes_end_with_the_one_that_started_them_too() -> None:
    with orphans(start_new_session=True) as (script, pids):  # as a kernel's is
        suspend(script)
        until(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids))
    until(lambda: not any(map(is_running, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere SIGHUP alone lets them go")
def test_suspended_processes_end_where_nothing_lets_them_go_on() -> None:
    # The system sends SIGHUP and SIGCONT to what stands still and has nobody outside any more; not
    # while one of a group has a parent elsewhere, nor where the end comes before the standstill.
    keepers: list[subprocess.Popen[bytes]] = []
    try:
        with orphans() as (script, pids):
            for pid in pids:
                join = partial(os.setpgid, 0, pid)
                keeper = subprocess.Popen(["sleep", "600"], preexec_fn=join)  # noqa: PLW1509 - 3.10 has no other way
                keepers.append(keeper)
            suspend(script)
        until(lambda: not any(map(is_running, pids)))
    finally:
        for keeper in keepers:
            keeper.kill()
            keeper.wait()


def test_processes_end_with_the_one_that_started_them_however_that_ends() -> None:
    with orphans() as (_, pids):
        pass
    until(lambda: not any(map(is_running, pids)))


def test_a_forked_child_leaves_the_processes_to_its_parent(executor: ProcessExecutor) -> None:
    pid = executor.call(os.getpid)
    read, write = os.pipe()
    forked = os.fork()
    if not forked:
        os.write(write, f"{executor.call(os.getpid)}\n".encode())
        executor.close()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        other = int(told.readline())
    os.waitpid(forked, 0)
    assert other != pid
    assert executor.call(os.getpid) == pid
    until(lambda: not is_running(other))


@pytest.mark.parametrize(
    "wrong",
    [{"max_workers": 0}, {"max_tasks_per_child": 0}, {"linger": 0}, {"start_timeout": -1}],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        ProcessExecutor(**wrong)
