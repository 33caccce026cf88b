"""What pickle itself would give back with less than there was."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cascade_nb.errors import CodecError
from tests.state.values import blob_of, there_and_back


class Holder:
    def __init__(self, value: Any) -> None:
        self.value = value


@pytest.mark.parametrize("nan", [np.nan, math.nan], ids=["numpy", "math"])
@pytest.mark.parametrize(
    "whole",
    [
        lambda nan: [1.0, nan],
        lambda nan: [1.0] * 20 + [nan],
        lambda nan: [1.0, "a", {"k": (nan,)}],
        Holder,
        lambda nan: np.array(["a", nan], dtype=object),
        lambda nan: pd.Series(["a", nan], dtype=object),
        lambda nan: [{"a": nan} for _ in range(2000)],
    ],
)
def test_the_nan_that_everybody_knows_comes_back_as_itself(whole: Any, nan: float) -> None:
    def last(value: Any) -> Any:
        if isinstance(value, Holder):
            return value.value
        if isinstance(value, pd.Series):
            return value.iloc[-1]
        found = value[-1]
        return found["k"][0] if isinstance(found, dict) and "k" in found else found

    back = last(there_and_back(whole(nan)))
    assert (back["a"] if isinstance(back, dict) else back) is nan


def test_keys_and_members_that_are_nan_are_found_again() -> None:
    assert there_and_back({np.nan: 5})[np.nan] == 5
    other = float("nan")
    assert len(there_and_back({np.nan, other, 1.0})) == 3
    back = there_and_back([np.inf, -np.inf, 1.0] * 5)
    assert back == [np.inf, -np.inf, 1.0] * 5
    assert math.copysign(1, there_and_back([-float("nan")])[0]) == -1


def test_a_kernel_without_numpy_reads_its_nan() -> None:
    code = (
        "import math, sys; sys.modules['numpy'] = None\n"
        "from cascade_nb.state.codec.nans import OF_NUMPY, known_nan\n"
        "assert known_nan(OF_NUMPY) is math.nan"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exceptions_come_back_with_what_they_came_of() -> None:
    def failed(error: BaseException, cause: Any = ...) -> BaseException:
        try:
            try:
                raise KeyError("k")
            except KeyError:
                if cause is ...:
                    raise error  # noqa: B904 - what it shows
                raise error from cause
        except BaseException as found:
            return found
        raise AssertionError

    kept = failed(ValueError("a"))
    kept.code = 5  # type: ignore[attr-defined]
    back = there_and_back([kept, 1])[0]
    assert repr(back) == "ValueError('a')"
    assert back.code == 5
    assert repr(back.__context__) == "KeyError('k')"
    assert (back.__cause__, back.__suppress_context__) == (None, False)
    back = there_and_back(failed(OSError(2, "no", "file"), failed(ValueError("b"))))
    assert (repr(back.__cause__), back.filename) == ("ValueError('b')", "file")
    assert repr(back.__cause__.__context__) == "KeyError('k')"
    assert there_and_back(failed(ValueError("c"), None)).__suppress_context__
    back = there_and_back({"in a container": failed(ValueError("d"))})
    assert repr(back["in a container"].__context__) == "KeyError('k')"
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    back = there_and_back(one)
    assert back.__cause__.__cause__ is back


@pytest.mark.parametrize(
    "view",
    [
        memoryview(b"abc"),
        memoryview(bytearray(b"abc")),
        memoryview(bytes(range(16))).cast("i", (2, 2)),
        memoryview(b""),
        memoryview(b"abcd")[::2],
    ],
)
def test_a_view_comes_back_as_one(view: memoryview) -> None:
    back = there_and_back([view])[0]
    assert type(back) is memoryview
    assert (back.tolist(), back.format, back.readonly) == (
        view.tolist(),
        view.format,
        view.readonly,
    )


def test_a_view_that_could_not_be_made_again_is_refused() -> None:
    with pytest.raises(CodecError, match="memoryview"):
        blob_of(memoryview(np.zeros(3, dtype=">i4").data))
