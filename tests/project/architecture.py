"""Draws which room of the package imports which, for ARCHITECTURE.md.

    python -m tests.project.architecture

writes the drawing anew. An arrow says "uses"; one that follows from others by way of a third room
is left out, or there would be too many to see any.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from tests.project.sources import PACKAGE, modules
from tools.environments import ROOT

PAGE: Final = ROOT / "ARCHITECTURE.md"
BEGIN: Final = "<!-- imports: begin -->"
END: Final = "<!-- imports: end -->"


def uses() -> dict[str, set[str]]:
    """By room, the rooms that it imports from; a room is a folder of the package or a module."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules():
        for imported in module.imports:
            if imported.top == "cascade_nb":
                other = [*imported.module.split("."), "__init__"][1]
                if other != module.room and "__init__" not in (other, module.room):
                    found[module.room].add(other)
    return dict(found)


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same without what follows from the rest."""

    def behind(room: str) -> set[str]:
        seen: set[str] = set()
        todo = list(edges.get(room, ()))
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo.extend(edges.get(one, ()))
        return seen

    return {
        room: {o for o in others if not any(o in behind(p) for p in others - {o})}
        for room, others in edges.items()
    }


def drawing() -> str:
    """All of it as a Mermaid diagram."""
    lines = ["```mermaid", "flowchart TD"]
    rooms = sorted({room for room, others in uses().items() for room in (room, *others)})
    for room in rooms:
        shape = f'{room}["{room}/"]' if (PACKAGE / room).is_dir() else f"{room}({room})"
        lines.append(f"    {shape}")
    for room, others in sorted(reduced(uses()).items()):
        lines += [f"    {room} --> {other}" for other in sorted(others)]
    return "\n".join([*lines, "```"])


def page_with(drawn: str) -> str:
    """The text of the page, with this drawing in its place."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with(drawing()), encoding="utf-8")
