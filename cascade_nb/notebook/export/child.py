"""A Python of its own imports a module and tells the keys of its nodes: neither a notebook nor what
that has imported is there.

It is run with a file that says what is asked, and writes what it finds to another.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.model.lazy.lazy import Lazy


def keys_of(values: Mapping[str, Any], bindings: Any = None) -> dict[str, list[str | None]]:
    """By name, the keys of what is lazy in a value, in order.

    Args:
        values: by name, lazy values and containers of some.
        bindings: what names mean to one another.
    """
    if not values:
        return {}
    graph = build_graph(list(values.values()), bindings)
    keys = fingerprints(graph)

    def key(lazy: Lazy) -> str | None:
        now = lazy if bindings is None else bindings.current(lazy)
        found: str | None = keys[graph.place[now.identity]]
        return found

    return {name: [key(one) for one in _lazies(value)] for name, value in values.items()}


def _lazies(value: Any) -> list[Lazy]:
    """What is lazy in containers of Python's own, in order."""
    if isinstance(value, Lazy):
        return [value]
    inside = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (list, tuple, dict)):
        return []
    return [lazy for one in inside for lazy in _lazies(one)]


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """The keys of the nodes of a module, or what it raised and at which line of it."""
    file = Path(asked["file"])
    spec = importlib.util.spec_from_file_location(asked["name"], file)
    assert spec is not None, "it is a file of Python"
    assert spec.loader is not None, "it is a file of Python"
    module = importlib.util.module_from_spec(spec)
    sys.modules[asked["name"]] = module
    try:
        spec.loader.exec_module(module)
        return {"keys": keys_of({name: getattr(module, name) for name in asked["names"]})}
    except Exception as error:
        steps = traceback.extract_tb(error.__traceback__)
        lines = [step.lineno for step in steps if step.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else next(iter(lines), None)
        return {"error": f"{type(error).__name__}: {error}", "line": line}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # As where Python runs the file: it finds what is in its folder, not in the one of the notebook.
    sys.path[:] = [asked["folder"], *sys.path[sys.path[0] in ("", str(Path.cwd())) :]]
    said = look(asked)
    Path(sys.argv[2]).write_text(json.dumps(said), encoding="utf-8")
