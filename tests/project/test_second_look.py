"""A test that fails beside others is run again alone, and what fails alone too fails the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.second_look import AT_MOST

Run = Callable[..., pytest.RunResult]
SPREAD = ("-p", "xdist", "-n2")

CONFTEST = """
from tests.support import second_look

def pytest_configure(config):
    second_look.register(config)
"""

BUSY = """
import pytest

@pytest.fixture
def alone(request):
    return not hasattr(request.config, "workerinput")

def test_that_needs_the_machine(alone):
    assert alone, "there were others"

@pytest.fixture
def open_until_the_end(alone):
    yield
    assert alone

def test_that_ends_badly(open_until_the_end): pass
def test_that_holds(): pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a project of files of tests, by their names, in two processes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # begins in half the time
    pytester.makeconftest(CONFTEST)

    def run(*args: str, **files: str) -> pytest.RunResult:
        pytester.makepyfile(**files)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)

    return run


def test_what_passes_alone_is_named_and_fails_nothing(run: Run) -> None:
    done = run(*SPREAD, test_it=BUSY)
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(
        [
            "*there were others*",
            "failed beside others, passed alone:",
            "  *::test_that_ends_badly",
            "  *::test_that_needs_the_machine",
        ]
    )


def test_what_fails_alone_too_fails_the_run_and_says_how(run: Run) -> None:
    done = run(*SPREAD, test_it=BUSY + "\ndef test_that_is_broken(): assert 'here' == 'there'\n")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*second look*", "*'here' == 'there'*", "*not all passed alone:"])


@pytest.mark.parametrize("failing", [AT_MOST, AT_MOST + 1])
def test_more_than_a_busy_machine_explains_is_not_looked_at_again(run: Run, failing: int) -> None:
    done = run(
        *SPREAD,
        test_it="import pytest\n"
        f"@pytest.mark.parametrize('i', range({failing}))\n"
        "def test(i, request): assert not hasattr(request.config, 'workerinput')\n",
    )
    assert done.ret == (failing > AT_MOST)


def test_in_one_process_there_is_no_second_look(run: Run) -> None:
    done = run(test_it="def test(): assert False")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.no_fnmatch_line("*second look*")


def test_a_run_with_a_file_that_cannot_be_read_is_not_looked_at_again(run: Run) -> None:
    done = run(*SPREAD, test_whole=BUSY, test_torn="def test_a(")
    assert done.ret != pytest.ExitCode.OK
    done.stdout.no_fnmatch_line("*second look*")
