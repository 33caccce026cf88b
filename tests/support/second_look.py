"""A test that failed beside others is looked at once more, alone, before the whole run is judged.

Some hundred tests of this suite drive kernels, browsers and servers in real time, on machines whose
cores are shared by several processes of tests. Few failures that do not come back when the test has
the machine to itself say that the machine was busy; they are named at the end of the run, with
their first failure in full above, and are to be mended all the same. A failure that comes back
fails the run, and so do more failures than a busy machine explains.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

#: How many tests of a run are looked at again; where more fail, something is broken.
AT_MOST: Final = 5

_PATIENCE = 1800.0  # seconds, for all of them


def register(config: pytest.Config) -> None:
    """Give a run that is spread over several processes its second look at what fails in it."""
    if not hasattr(config, "workerinput") and getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(_SecondLook(), "second look")


class _SecondLook:
    def __init__(self) -> None:
        self._failed: set[str] = set()  # node ids: one may fail twice, in its end too
        self._unread = False  # whether a file of tests could not be read
        self._words = ""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._unread = self._unread or report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    @pytest.hookimpl(trylast=True)  # when the processes of the first look have ended
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus != pytest.ExitCode.TESTS_FAILED:
            return
        if self._unread or session.shouldfail or not 0 < len(self._failed) <= AT_MOST:
            return
        again = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *sorted(self._failed)]
        try:
            done = subprocess.run(
                again,
                cwd=session.config.invocation_params.dir,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            self._words = f"not done within {_PATIENCE:.0f} s\n"
            return
        if done.returncode == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.OK
            self._words = "failed beside others, passed alone:\n"
        else:
            self._words = f"{done.stdout}\nfailed beside others, and not all passed alone:\n"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._words:
            terminalreporter.section("second look")
            terminalreporter.write(self._words)
            for nodeid in sorted(self._failed):
                terminalreporter.write_line(f"  {nodeid}")
