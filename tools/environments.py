"""Makes the virtual environments that the Makefile's commands run in.

Each lives below `.venvs/`, named for the Python that made it and for what it is for. A stamp beside
its Python says what it was made from; while that stays the same the environment is used as it is,
and when it changes the environment is made anew. Only the standard library is used here, since this
runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.system import debian_root, install_debian

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venvs"
PYTHON_TAG = f"py{sys.version_info.major}.{sys.version_info.minor}"

#: The parts of pyproject.toml that decide what an environment holds; the rest is tools' settings.
INSTALLED_PARTS = ("[build-system", "[project", "[tool.hatch")

#: ipykernel versions that the tests run real kernels of, newest first: label -> requirement.
KERNELS = {
    "7.4.0": "ipykernel==7.4.0",
    "7.3": "ipykernel==7.3.*",
    "6.31": "ipykernel==6.31.*",
}
if sys.version_info < (3, 11):
    del KERNELS["7.4.0"]  # ipykernel 7.4 needs Python 3.11


class EnvironmentNotMadeError(Exception):
    """An environment could not be made; the message says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment.

    Args:
        name: what it is for; with the Python's version the name of its folder.
        installs: argument lists of `pip install`, run one after another from the project's root.
        reads: files besides pyproject.toml whose content decides what is installed.
    """

    name: str
    installs: tuple[tuple[str, ...], ...]
    reads: tuple[str, ...] = ()
    home: Path = HOME

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return self.home / f"{PYTHON_TAG}-{self.name}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """The file that says what it was made from."""
        return self.folder / "made-from"

    def made_from(self) -> str:
        """The content key of everything that decides what the environment holds."""
        parts = [sys.version, sys.base_prefix, str(self.folder), repr(self.installs)]
        parts += [_installed_parts((ROOT / "pyproject.toml").read_text(encoding="utf-8"))]
        parts += [(ROOT / name).read_text(encoding="utf-8") for name in self.reads]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def is_current(self) -> bool:
        """Whether it stands and was made from what the project says now."""
        try:
            stands = self.stamp.read_text(encoding="utf-8") == self.made_from()
        except FileNotFoundError:
            return False
        return stands and self.python.exists()

    def make(self) -> Path:
        """Make it, unless it is current; returns its Python.

        Two processes may ask at once: the second waits for the first and uses what it made.

        Raises:
            EnvironmentNotMadeError: this Python cannot do it, or an install failed twice.
        """
        if self.is_current():
            return self.python
        self.home.mkdir(parents=True, exist_ok=True)
        with _locked(self.home / f"{self.folder.name}.lock"):
            if not self.is_current():
                self._make_anew()
        return self.python

    def _make_anew(self) -> None:
        began = time.monotonic()
        say(f"making the environment {self.folder.name} (this takes a minute or two)")
        shutil.rmtree(self.folder, ignore_errors=True)
        _require_venv()
        _run([sys.executable, "-m", "venv", str(self.folder)], attempts=1)
        self._pip("--upgrade", "pip")
        for arguments in self.installs:
            self._pip(*arguments)
        self.stamp.write_text(self.made_from(), encoding="utf-8")
        say(f"made {self.folder.name} in {time.monotonic() - began:.0f} s")

    def _pip(self, *arguments: str) -> None:
        quiet = ("--disable-pip-version-check", "--no-input", "--quiet")
        # A package index that fails once usually answers the second time.
        _run([str(self.python), "-m", "pip", "install", *quiet, *arguments], attempts=2)


#: What tests, lint, benchmarks and development need, the package itself from the tree.
TEST = Environment("test", (("--editable", ".[all,test]"),))

#: What a user of the quickstart needs: exactly what Binder gets, then the package from the tree.
NOTEBOOK = Environment(
    "notebook",
    (("--requirement", "binder/requirements.txt"), ("--no-deps", "--editable", ".")),
    reads=("binder/requirements.txt",),
)


def kernel_environment(label: str) -> Environment:
    """The environment of the kernel that the tests know as `label`, a key of `KERNELS`."""
    return Environment(f"ipykernel-{label}", (("--editable", ".[all]", KERNELS[label]),))


def make_all(environments: Sequence[Environment]) -> None:
    """Make several environments, two at a time: pip is busy with one core and the network."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        for made in [pool.submit(environment.make) for environment in environments]:
            made.result()


def say(words: str) -> None:
    """Tell whoever started the command; on stderr, so that a command's own output stays its own."""
    print(f"[cascade_nb] {words}", file=sys.stderr, flush=True)


def _installed_parts(pyproject: str) -> str:
    kept, keep = [], False
    for line in pyproject.splitlines():
        if line.startswith("["):
            keep = line.startswith(INSTALLED_PARTS)
        if keep:
            kept.append(line)
    return "\n".join(kept)


def _require_venv() -> None:
    """Debian ships its Python without ensurepip, so that `python3 -m venv` fails half-way."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if debian_root():
        say(f"{sys.executable} cannot make environments; installing {package}")
        install_debian([package])
        importlib.invalidate_caches()
    if not importlib.util.find_spec("ensurepip"):
        raise EnvironmentNotMadeError(
            f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu:\n"
            f"    sudo apt-get install {package}\n"
            "Elsewhere install a complete Python 3.10 to 3.13 and name it: make test PYTHON=..."
        )


def _run(command: list[str], attempts: int) -> None:
    """Run a command quietly; show its output only when the last attempt failed too."""
    for _ in range(attempts):
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env=_clean(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            return
    raise EnvironmentNotMadeError(
        f"this failed ({done.returncode}):\n    {' '.join(command)}\n{done.stdout}{done.stderr}"
    )


def _clean() -> dict[str, str]:
    """The caller's environment less what would make one Python look into another's folders."""
    drop = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in os.environ.items() if name not in drop}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
