"""Runs Graphviz in a process of its own, by the `pygraphviz` wheel: DOT comes in, a drawing goes
out.

    python graphviz_child.py ENGINE FORMAT < in.dot > out

It stands where the system's `dot` would and is started as a file, not as a module, so that the
child does not import the package. `pygraphviz` holds the interpreter for as long as a layout takes,
which is why no process that does anything else may call it.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(engine: str, form: str) -> None:
    """Draw what stands on standard input."""
    # This folder comes first when a file is run, and its modules are not those that others mean.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]

    import pygraphviz  # noqa: PLC0415 - only from the path as it is now

    graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
    sys.stdout.buffer.write(graph.draw(format=form, prog=engine))


if __name__ == "__main__":
    main(*sys.argv[1:])
