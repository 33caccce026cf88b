"""What has no plain form comes back by pickle, also what a notebook itself defines."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib
import pathlib
import subprocess
import sys
import textwrap
import types
from typing import Any

import numpy as np
import pytest

from cascade_nb.errors import RefusedBlobError
from cascade_nb.state.codec.codec import Codec
from tests.state.values import KEY, PLACE, blob_of, there_and_back


@dataclasses.dataclass
class Report:
    title: str
    rows: list[Any]


@pytest.mark.parametrize(
    "value",
    [
        Report("all", [1, 2.0, None]),
        {"when": dt.date(2020, 1, 1), "where": pathlib.PurePosixPath("a/b")},
        functools.partial(int, base=2),
        ValueError("no", 3),
        [Report("a", [Report("b", [])])],
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_come_back(value: Any) -> None:
    assert repr(there_and_back(value)) == repr(value)


def test_functions_of_the_moment_come_back() -> None:
    factor = 3

    class Scales:
        def __call__(self, number: int) -> int:
            return number * factor

    assert there_and_back(lambda number: number * factor)(4) == 12
    assert there_and_back(Scales())(4) == 12


def test_arrays_inside_come_back_as_they_were() -> None:
    fixed = np.arange(10_000)
    fixed.flags.writeable = False
    loose = np.asfortranarray(np.ones((100, 200)))
    back = there_and_back(Report("arrays", [fixed, loose]))
    assert not back.rows[0].flags.writeable
    assert back.rows[1].flags.writeable
    assert back.rows[1].flags.f_contiguous
    assert back.rows[0].tolist() == fixed.tolist()


def notebook(script: str, given: bytes = b"") -> bytes:
    """What a program prints in whose `__main__` the script runs."""
    head = f"""
        import sys
        from cascade_nb.state.codec.codec import Codec
        codec, PLACE = Codec({KEY!r}), {PLACE!r}
        """
    source = textwrap.dedent(head) + textwrap.dedent(script)
    command = [sys.executable, "-c", source]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


DEFINES = """
class Base:
    def area(self):
        return self.width ** 2

class Square(Base):
    class Corner:
        pass

    def __init__(self, width):
        self.width = width
        self.corner = Square.Corner()
"""
WRITES = 'sys.stdout.buffer.write(b"".join(codec.encode([Square(3), Square(4)], PLACE)))'
READS = "one, two = codec.decode(sys.stdin.buffer.read(), PLACE)\n"


def test_an_object_of_the_notebook_is_read_by_a_kernel_that_has_not_defined_its_class() -> None:
    blob = notebook(DEFINES + WRITES)
    seen = notebook(READS + "print(one.area(), two.area(), type(one) is type(two))", blob)
    assert seen.split() == [b"9", b"16", b"True"]


def test_an_object_of_the_notebook_is_of_the_class_that_a_new_kernel_defined() -> None:
    # else it would fail the first isinstance() after an attach
    blob = notebook(DEFINES + WRITES)
    looks = "print(type(one) is type(two) is Square, type(one.corner) is Square.Corner)"
    assert notebook(DEFINES + READS + looks, blob).split() == [b"True", b"True"]


def test_an_object_is_of_the_class_as_it_was_last_defined() -> None:
    changed = DEFINES.replace("** 2", "* 100")
    script = f"""
blob = b"".join(codec.encode(Square(3), PLACE))
old = Square
{changed}
back = codec.decode(blob, PLACE)
print(type(back) is Square, type(back) is old, back.area())
"""
    assert notebook(DEFINES + script).split() == [b"True", b"False", b"300"]


def test_a_class_whose_name_means_something_else_now_comes_with_its_object() -> None:
    blob = notebook(DEFINES + WRITES)
    assert notebook("Square = 'a name'\n" + READS + "print(one.area())", blob).split() == [b"9"]


def test_an_object_of_an_old_definition_comes_back_as_one_of_the_last() -> None:
    # Whether it stands is for its key to say; of the old class it would be an instance of nothing.
    script = f"""
shape = Square(3)
{DEFINES.replace("** 2", "* 100")}
back = codec.decode(b"".join(codec.encode(shape, PLACE)), PLACE)
print(back.area(), type(back) is Square)
"""
    assert notebook(DEFINES + script).split() == [b"300", b"True"]


def test_an_enumeration_of_the_notebook_is_the_one_that_a_new_kernel_defined() -> None:
    defines = "import enum\nclass Colour(enum.Enum):\n    RED = 1\n"
    writes = 'sys.stdout.buffer.write(b"".join(codec.encode({Colour.RED: 1}, PLACE)))\n'
    reads = "back = codec.decode(sys.stdin.buffer.read(), PLACE)\n"
    blob = notebook(defines + writes)
    assert notebook(defines + reads + "print(back[Colour.RED])", blob).strip() == b"1"
    assert notebook(reads + "print(next(iter(back)).name)", blob).strip() == b"RED"


class BreaksOnReading:
    error: BaseException = ValueError("not today")

    def __reduce__(self) -> Any:
        return _raise, (type(self).error,)


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [ValueError("not today"), SystemExit(3), MemoryError()])
def test_what_breaks_while_it_is_read_is_refused_with_its_cause(error: BaseException) -> None:
    BreaksOnReading.error = error
    with pytest.raises(RefusedBlobError, match=r"signed as it should be.*cannot be read") as caught:
        there_and_back(BreaksOnReading())
    assert type(error).__name__ in str(caught.value)
    assert PLACE in str(caught.value)
    assert type(caught.value.__cause__) is type(error)


def test_a_module_that_is_missing_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("surely_not_installed")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.Thing = type("Thing", (), {"__module__": module.__name__})  # type: ignore[attr-defined]
    blob = blob_of(module.Thing())
    monkeypatch.delitem(sys.modules, module.__name__)
    with pytest.raises(RefusedBlobError, match="No module named 'surely_not_installed'"):
        Codec(KEY).decode(blob, PLACE)


@pytest.mark.parametrize("name", ["numpy", "pandas", "pyarrow", "polars"])
def test_a_library_that_is_missing_here_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library: Any = importlib.import_module(name)
    values = {
        "numpy": lambda: library.arange(3),
        "pandas": lambda: library.Series([1, 2]),
        "pyarrow": lambda: library.table({"a": [1]}),
        "polars": lambda: library.Series([1]),
    }
    blob = blob_of(values[name]())
    monkeypatch.setitem(sys.modules, name, None)  # importing it fails from now on
    with pytest.raises(RefusedBlobError, match=f"needs {name}, which cannot be imported here"):
        Codec(KEY).decode(blob, PLACE)
