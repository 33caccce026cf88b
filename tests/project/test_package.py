"""What a user gets by installing the package, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.project.sources import PACKAGE
from tools.environments import ROOT

SHOW_IMPORTED = """
import sys
import asyncio
before = set(sys.modules)
import cascade_nb
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""

#: What `import cascade_nb` may load from outside the standard library.
MAY_BE_LOADED = {"cascade_nb", "exceptiongroup", "typing_extensions"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and with the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> frozenset[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_has_every_file_of_the_package(wheel: frozenset[str]) -> None:
    # the panel is a .js and a .css file, which a build that only looks for Python leaves out
    files = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    expected = {name for name in files if "__pycache__" not in name}
    assert expected <= wheel


def test_the_wheel_has_nothing_else(wheel: frozenset[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top.split("-")[0] for top in tops} == {"cascade_nb"}


def test_the_wheel_has_the_command(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("entry_points.txt")]
        text = archive.read(name).decode()
    assert "cascade-nb = cascade_nb.terminal.main:main" in text


def test_the_wheel_says_that_it_is_typed_and_licensed(wheel: frozenset[str]) -> None:
    assert "cascade_nb/py.typed" in wheel
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_the_source_archive_has_no_tests_and_no_environment(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert inside <= {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "cascade_nb",
        "pyproject.toml",
    }


def test_importing_loads_nothing_from_outside_the_standard_library() -> None:
    # Counted, not clocked: IPython, pandas or a client library at import is what makes it slow,
    # and a script without a notebook has no use for them.
    command = [sys.executable, "-c", SHOW_IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded - set(sys.stdlib_module_names) <= MAY_BE_LOADED


def test_importing_loads_neither_pictures_nor_package_metadata() -> None:
    # Each costs a tenth of the whole import, and most scripts ask for neither.
    command = [sys.executable, "-c", SHOW_IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"cascade_nb.view", "importlib.metadata"} & set(json.loads(done.stdout))


def test_importing_does_not_load_the_command_nor_the_command_what_one_of_them_needs() -> None:
    command = [sys.executable, "-c", SHOW_IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(json.loads(done.stdout))
    assert not {"argparse", "cascade_nb.terminal", "cascade_nb.grammar"} & loaded
    terminal = SHOW_IMPORTED.replace("import cascade_nb\n", "import cascade_nb.terminal.main\n")
    command = [sys.executable, "-c", terminal]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    more = {name.split(".")[0] for name in json.loads(done.stdout)} - loaded
    assert more <= set(sys.stdlib_module_names)  # neither pyzmq nor rich
