"""Runs Graphviz in a process of its own, by the `pygraphviz` wheel.

    python graphviz_child.py ENGINE FORMAT < in.dot > out

It stands where the system's `dot` would, and is started as a file, not as a module, so that the
child does not import the package. `pygraphviz` holds the interpreter for as long as a layout takes,
which is why no process that does anything else may call it.
"""

from __future__ import annotations

import sys


def main(engine: str, form: str) -> None:
    """Draw what stands on standard input."""
    if not getattr(sys.flags, "safe_path", False):
        # The folder of a file that is run comes first, and the modules there are not those that
        # others mean by these names.
        del sys.path[0]

    import pygraphviz  # noqa: PLC0415 - only from the path as it is now

    graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
    sys.stdout.buffer.write(graph.draw(format=form, prog=engine))


if __name__ == "__main__":
    main(*sys.argv[1:])
