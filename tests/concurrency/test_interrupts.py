"""An interrupt that comes while something must not be left half done does its work right after."""

from __future__ import annotations

import signal
import threading

import pytest

from cascade_nb.concurrency.interrupts import interrupts_wait


def test_an_interrupt_waits_until_all_is_done_and_then_comes() -> None:
    before = signal.getsignal(signal.SIGINT)
    done: list[str] = []

    def work() -> None:
        with interrupts_wait(lambda: done.append("told")):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("inside")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inside", "told"]
    assert signal.getsignal(signal.SIGINT) is before


def test_where_none_comes_nothing_is_told_and_another_error_passes() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(LookupError), interrupts_wait(pytest.fail):
        raise LookupError
    assert signal.getsignal(signal.SIGINT) is before


def test_elsewhere_than_in_the_main_thread_it_does_nothing() -> None:
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            with interrupts_wait(pytest.fail):
                pass
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not wrong
