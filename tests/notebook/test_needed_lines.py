"""Of a notebook's plain cells only what its definitions need is run without anybody at it."""

from __future__ import annotations

import pytest

from cascade_nb.notebook.cells.needed_lines import SourceCell, needed_cells


def kept(plain: str, cascade: str, wanted: str = "") -> str:
    cells = [SourceCell(1, plain, plain, False), SourceCell(2, "%%cascade", cascade, True)]
    found = needed_cells(cells, [wanted])
    assert found[-1].number == 2
    return "\n".join(line for line in "".join(c.text for c in found[:-1]).splitlines() if line)


@pytest.mark.parametrize(
    ("plain", "cascade", "needed"),
    [
        ("import os\nimport sys", "def f(): return os.name", "import os"),
        ("import numpy as np, pandas", "x = f(np.pi)", "import numpy as np, pandas"),
        ("from a import b\nfrom a import c", "def f(): return c", "from a import c"),
        ("k = 1\nm = k + 1\nn = m", "x = f(m)", "k = 1\nm = k + 1"),
        ("def g():\n    return h()\ndef h():\n    return 1\ng()", "x = f(g)",
         "def g():\n    return h()\ndef h():\n    return 1"),
        ("k = 1", "def f():\n    k = 2\n    return k", ""),
        ("k = 1", "def f(k): return k", ""),
        ("k = 1", "k = 2\nx = f(k)", ""),
        ("k = 1", "x = [k for k in range(3)]", ""),
        ("d = {}\nd['a'] = 1\nd.clear()\nprint(d)", "x = f(d)", "d = {}\nd['a'] = 1"),
        ("import os\nos.kill(1, 9)", "x = f(os.name)", "import os"),
        ("a, b = 1, 2", "x = f(b)", "a, b = 1, 2"),
        ("if True:\n    k = 1", "x = f(k)", "if True:\n    k = 1"),
        ("@deco\ndef g():\n    return 1", "x = f(g)", "@deco\ndef g():\n    return 1"),
        ("deco = 1\n@deco\ndef g():\n    return 1", "x = f(g)",
         "deco = 1\n@deco\ndef g():\n    return 1"),
        ("a = 1; boom()", "x = f(a)", "a = 1"),
        ("r = get_ipython().run_line_magic('cascade', 'run x')", "x = f(r)", ""),
        ("k = [n := 1]", "x = f(n)", "k = [n := 1]"),
        ("k = 1\nsquares = [k for k in range(3)]", "x = f(k)", "k = 1"),
        ("k = {m: n for m, n in []}\nn = 2", "x = f(n)", "n = 2"),
        ("match [1, 2]:\n    case [a, *b]:\n        pass", "x = f(a)",
         "match [1, 2]:\n    case [a, *b]:\n        pass"),
        ("match [1, 2]:\n    case [a, *b]:\n        pass", "x = f(b)",
         "match [1, 2]:\n    case [a, *b]:\n        pass"),
        ("match {}:\n    case {**rest}:\n        pass", "x = f(rest)",
         "match {}:\n    case {**rest}:\n        pass"),
        ("this is not Python", "x = f(this)", ""),
    ],
)  # fmt: skip
def test_lines_are_kept_that_bind_what_is_needed(plain: str, cascade: str, needed: str) -> None:
    assert kept(plain, cascade) == needed


def test_what_is_wanted_is_needed() -> None:
    assert kept("a = 1\nb = 2", "x = 1", wanted="b") == "b = 2"


def test_a_cell_keeps_its_line_numbers() -> None:
    (plain, _) = needed_cells(
        [SourceCell(1, "", "boom()\n\nk = 1\n", False), SourceCell(2, "", "x = k", True)], []
    )
    assert plain.text == "\n\nk = 1"
