"""What surrounds a program and what it may read of it: files, the current folder, the environment,
globals; and random changes of all that.
"""

from __future__ import annotations

import glob
import os
import pathlib
from random import Random
from typing import Any, Final

import cascade_nb as cs

PREFIX: Final = "CASCADE_TEST_W"
NAMES: Final = ("a.txt", "b.txt")

NUMBER = 0
NUMBERS: list[int] = []
TABLE: dict[str, int] = {}


class Settings:
    """Somebody sets its attributes later."""

    level = 0


def scale() -> int:
    """Somebody sets another one in its place."""
    return 1


@cs.task(executor="inline")
def named_variable(n: int) -> str:
    return os.environ.get("CASCADE_TEST_W0", "none") + str(n)


@cs.task(executor="inline")
def variable(n: int) -> str:
    return os.environ.get(f"{PREFIX}{n % 3}", "none")


@cs.task(executor="inline")
def some_variables(n: int) -> str:
    return str(sorted(v for k, v in os.environ.items() if k.startswith(PREFIX)))


@cs.task(executor="inline")
def folder(n: int) -> str:
    return pathlib.Path.cwd().name


@cs.task
def there(name: str) -> bool:
    return pathlib.Path(name).exists()


@cs.task
def all_there(n: int) -> list[bool]:
    return [os.path.exists("data/a.txt"), os.path.isfile("data/b.txt")]  # noqa: PTH110, PTH113


@cs.task(executor="inline")
def content(name: str) -> str:
    try:
        with open(name) as file:  # noqa: PTH123 - one of the ways
            return file.read()
    except FileNotFoundError:
        return "none"


@cs.task
def size(name: str) -> int:
    return len(content(name)) if pathlib.Path(name).is_file() else -1


@cs.task(executor="inline")
def listed(n: int) -> list[str]:
    return sorted(os.listdir("data"))  # noqa: PTH208 - one of the ways


@cs.task(executor="inline")
def matching(n: int) -> list[str]:
    return sorted(glob.glob("data/*.txt"))  # noqa: PTH207 - likewise


@cs.task
def by_command(name: str) -> str:
    with os.popen(f"cat {name} 2> /dev/null") as pipe:
        return pipe.read()


@cs.task(executor="inline")
def a_global(n: int) -> str:
    return f"{NUMBER} {NUMBERS} {TABLE}"


@cs.task(executor="inline")
def an_attribute(n: int) -> int:
    return Settings.level * scale() + len(TABLE)


OF_NUMBERS: Final[tuple[Any, ...]] = (
    named_variable, variable, some_variables, folder, all_there, listed, matching, a_global,
    an_attribute,
)  # fmt: skip
OF_NAMES: Final[tuple[Any, ...]] = (there, content, size, by_command)


def reading(rng: Random) -> tuple[Any, Any]:
    """A task that reads something of the world, and what to give it."""
    if rng.random() < 0.6:
        return rng.choice(OF_NUMBERS), rng.randrange(3)
    # Another process for each is slow.
    task = rng.choice(OF_NAMES) if rng.random() < 0.3 else rng.choice(OF_NAMES[:3])
    return task, f"data/{rng.choice(NAMES)}"


class World:
    """A few folders to be in, with files, and all that else may change.

    Args:
        place: a folder of its own.
    """

    def __init__(self, place: pathlib.Path) -> None:
        self._before = pathlib.Path.cwd()
        self._folders = [place / name for name in ("one", "two")]
        for one in self._folders:
            (one / "data").mkdir(parents=True)
        os.chdir(self._folders[0])

    def change(self, rng: Random) -> None:
        """Change something, or nothing."""
        global NUMBER, scale  # noqa: PLW0603 - as a cell does
        file = pathlib.Path("data", rng.choice(NAMES))
        match rng.randrange(9):
            case 0 | 1 | 2:
                self._write(file, rng)
            case 3:
                file.unlink(missing_ok=True)
            case 4:
                os.environ[f"{PREFIX}{rng.randrange(3)}"] = str(rng.randrange(3))
            case 5:
                os.environ.pop(f"{PREFIX}{rng.randrange(3)}", None)
            case 6:
                os.chdir(rng.choice(self._folders))
            case 7:
                NUMBER = rng.randrange(3)
                NUMBERS[:] = range(rng.randrange(3))
            case _:
                TABLE[str(rng.randrange(3))] = rng.randrange(3)
                Settings.level = rng.randrange(3)
                if rng.random() < 0.5:
                    scale = _SCALES[rng.randrange(2)]

    @staticmethod
    def _write(file: pathlib.Path, rng: Random) -> None:
        before = file.stat() if file.exists() else None
        file.write_text(str(rng.randrange(20)))
        if before is not None and rng.random() < 0.5:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def leave(self) -> None:
        """Put all that is of the process back as it was."""
        global NUMBER, scale
        os.chdir(self._before)
        for n in range(3):
            os.environ.pop(f"{PREFIX}{n}", None)
        NUMBER, scale = 0, _SCALES[0]
        NUMBERS.clear()
        TABLE.clear()
        Settings.level = 0


def _twice() -> int:
    return 2


_SCALES: Final = (scale, _twice)
