"""How the tests are spread over processes: what is named is there, what stays together stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kernels import LABELS, RealKernel
from tests.support.spread import APART, FIRST, LAST, OUTSIDE, mark_outside, unit
from tools.environments import ROOT

HERE = "tests/project/test_spread.py"


@pytest.mark.parametrize("start", [*APART, *FIRST, *LAST])
def test_what_is_named_is_there(start: str) -> None:
    assert (ROOT / start).exists()


@pytest.mark.parametrize("module", sorted(OUTSIDE))
def test_what_starts_something_outside_is_there(module: str) -> None:
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()


def test_a_file_stays_together_and_a_kernels_version_apart_from_another() -> None:
    assert unit("tests/a.py::test_b") == unit("tests/a.py::test_c[x]") == "tests/a.py"
    kinds = {unit(f"tests/a.py::test_b[{label}]") for label in LABELS}
    assert len(kinds) == len(LABELS)
    label = LABELS[-1]
    assert unit(f"tests/a.py::test_b[{label}]") == unit(f"tests/a.py::test_c[x-{label}]")


def test_who_starts_kernels_is_marked(request: pytest.FixtureRequest) -> None:
    assert RealKernel.__module__ in OUTSIDE
    item = request.node
    assert Path(item.path).name == Path(HERE).name
    mark_outside([item])
    assert item.get_closest_marker("outside") is not None


def test_several_processes_run_what_one_would_and_share_what_pytest_makes_of_a_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        test_one="def test_a(): pass\ndef test_b(): pass",
        test_two="import gc, sys\ndef test(): assert sys.dont_write_bytecode and gc.isenabled()",
    )
    pytester.makeconftest(
        "from tests.support import collecting, spread\n"
        "def pytest_configure(config):\n"
        "    if hasattr(config, 'workerinput'): collecting.begin(config)\n"
        "def pytest_collection_finish(session):\n"
        "    if hasattr(session.config, 'workerinput'): collecting.end()\n"
        "def pytest_collection_modifyitems(items): items[:] = spread.in_order(items)\n"
        "def pytest_xdist_make_scheduler(config, log): return spread.Spread(config, log)\n"
    )
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    done = pytester.runpytest_subprocess("-n2", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=3)
    assert "units" not in done.stdout.str()
    kept = {file.name.partition(".")[0] for file in pytester.path.rglob("*-pytest-*.pyc")}
    assert kept >= {"test_one", "test_two"}
