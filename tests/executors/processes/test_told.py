"""What a body in a process writes, tells, raises and uses is known where it was asked for."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import traceback
from typing import Any

import numpy as np
import pytest

from cascade_nb.errors import TransferError
from cascade_nb.executors.processes.executor import ProcessExecutor
from tests.executors.processes.test_ends import Ear
from tests.support.patience import wait_for_file


def test_what_it_prints_arrives_in_order_and_whole(warm: ProcessExecutor) -> None:
    def body(channel: Any) -> None:
        for n in range(2_000):
            print(n)  # noqa: T201 - what is read
        print("naïve ☂", end="")  # noqa: T201 - what is read
        print("problem", file=sys.stderr)  # noqa: T201 - what is read

    ear = Ear()
    warm.run(body, (), ear)
    assert ear.text["stdout"] == "".join(f"{n}\n" for n in range(2_000)) + "naïve ☂"
    assert ear.text["stderr"] == "problem\n"


def test_what_compiled_code_and_other_processes_write_arrives_too(warm: ProcessExecutor) -> None:
    def body(channel: Any) -> None:
        os.write(1, b"from below\n")
        subprocess.run([sys.executable, "-c", "print('from beside')"], check=True)

    ear = Ear()
    warm.run(body, (), ear)
    assert ear.text["stdout"] == "from below\nfrom beside\n"


def test_it_is_heard_while_the_body_runs(warm: ProcessExecutor, tmp_path: pathlib.Path) -> None:
    class Answers(Ear):
        def wrote(self, stream: str, text: str) -> None:
            (tmp_path / "heard").touch()

    def body(channel: Any, heard: str) -> bool:
        print("x")  # noqa: T201 - what is read
        wait_for_file(heard)
        return os.path.exists(heard)  # noqa: PTH110 - a text, for another process

    assert warm.run(body, (str(tmp_path / "heard"),), Answers())


def test_there_is_nothing_to_read_from_standard_input(warm: ProcessExecutor) -> None:
    with pytest.raises(EOFError):
        warm.call(lambda: input())  # noqa: PLW0108 - whose `input` is replaced here


def test_messages_arrive_in_order_and_none_after_the_end(
    warm: ProcessExecutor, tmp_path: pathlib.Path
) -> None:
    def body(channel: Any, over: str, told: str) -> None:
        import threading

        for n in range(300):
            channel.tell(n)

        def late() -> None:
            wait_for_file(over)
            channel.tell("late")
            pathlib.Path(told).touch()

        threading.Thread(target=late).start()

    def next_body(channel: Any, over: str, told: str) -> None:
        pathlib.Path(over).touch()
        wait_for_file(told)

    ear, after = Ear(), Ear()
    files = str(tmp_path / "over"), str(tmp_path / "told")
    warm.run(body, files, ear)
    warm.run(next_body, files, after)
    assert (tmp_path / "told").exists()
    assert ear.messages == list(range(300))
    assert after.messages == []


def test_a_body_that_closes_its_streams_harms_only_itself(warm: ProcessExecutor) -> None:
    def body() -> int:
        sys.stdout.close()
        return 1

    assert warm.call(body) == 1
    ear = Ear()
    warm.run(lambda channel: print("after"), (), ear)  # noqa: T201 - what is read
    assert ear.text["stdout"] == "after\n"


def test_a_body_that_puts_another_stream_in_place_harms_only_itself(warm: ProcessExecutor) -> None:
    def body() -> None:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115

    warm.call(body)
    ear = Ear()
    warm.run(lambda channel: print("after"), (), ear)  # noqa: T201 - what is read
    assert ear.text["stdout"] == "after\n"


class Odd(Exception):  # noqa: N818 - a user's
    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code


def raising(error: BaseException) -> Any:
    def body() -> None:
        raise error

    return body


def test_an_exception_keeps_class_words_attributes_and_notes(warm: ProcessExecutor) -> None:
    def body() -> None:
        error = Odd(4, "no")
        error.__dict__["__notes__"] = ["while reading"]
        raise error

    with pytest.raises(Odd, match="4: no") as caught:
        warm.call(body)
    assert caught.value.code == 4
    assert vars(caught.value)["__notes__"] == ["while reading"]


def test_causes_and_contexts_travel(warm: ProcessExecutor) -> None:
    def body() -> None:
        try:
            try:
                raise KeyError("a")
            except KeyError:
                raise ValueError("b")  # noqa: B904 - the context is the point
        except ValueError as error:
            raise RuntimeError("c") from error

    with pytest.raises(RuntimeError) as caught:
        warm.call(body)
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError)
    assert isinstance(cause.__context__, KeyError)


def test_a_traceback_leads_to_the_line_that_raised(warm: ProcessExecutor) -> None:
    def inner() -> None:
        raise ValueError("here")

    def body() -> None:
        inner()

    with pytest.raises(ValueError, match="here") as caught:
        warm.call(body)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name) == (__file__, "inner")
    assert last.line == 'raise ValueError("here")'
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.index("in body") < shown.index("in inner")
    assert "child.py" not in shown


def test_an_exception_without_a_pickle_is_told_in_words(warm: ProcessExecutor) -> None:
    def body() -> None:
        error = ValueError("broken")
        error.stream = sys.stdout.buffer  # type: ignore[attr-defined]
        raise error

    with pytest.raises(TransferError, match=r"ValueError: broken \(the exception itself cannot"):
        warm.call(body)


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file", "x.csv"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        ImportError("no", name="pandas", path="/x"),
        ValueError(np.arange(100_000)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_of_python_keep_what_they_know(
    warm: ProcessExecutor, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        warm.call(raising(error))
    assert str(caught.value) == str(error)
    for name in ("errno", "filename", "reason", "start", "name"):
        assert getattr(caught.value, name, None) == getattr(error, name, None)


def test_what_a_call_used_is_known(warm: ProcessExecutor) -> None:
    def burn(channel: Any, seconds: float) -> None:
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass

    def fill(channel: Any, size: int) -> int:
        return len(bytearray(b"x") * size)

    small, large, after = Ear(), Ear(), Ear()
    warm.run(burn, (0.2,), small)
    warm.run(fill, (200_000_000,), large)
    warm.run(burn, (0.0,), after)
    assert 0.19 < small.cpu < 2.0
    assert large.memory - small.memory > 150_000_000
    if sys.platform == "linux":
        assert large.memory - after.memory > 150_000_000
