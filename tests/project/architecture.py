"""Draws which room imports which, in the package and in the engine, for ARCHITECTURE.md.

    python -m tests.project.architecture

writes the drawings anew. An arrow says "uses"; one that follows from others by way of a third room
is left out, or there would be too many to see any.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from tests.project.sources import PACKAGE, modules
from tools.environments import ROOT

PAGE: Final = ROOT / "ARCHITECTURE.md"
#: What is drawn: the package, and a room that has rooms inside.
DRAWN: Final = ("", "engine")


def uses(inside: str = "") -> dict[str, set[str]]:
    """By room, the rooms that it imports from; a room is a folder of the package or a module.

    Args:
        inside: of which room the folders and modules are meant; empty for the package.
    """
    found: dict[str, set[str]] = defaultdict(set)
    begin = f"cascade_nb.{inside}." if inside else "cascade_nb."
    for module in modules():
        if inside and module.room != inside:
            continue
        own = module.part if inside else module.room
        for imported in module.imports:
            if imported.module.startswith(begin):
                other = imported.module.removeprefix(begin).partition(".")[0]
                if other != own and "__init__" not in (other, own):
                    found[own].add(other)
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


def drawing(inside: str = "") -> str:
    """All of it as a Mermaid diagram."""
    lines, edges = ["```mermaid", "flowchart TD"], uses(inside)
    rooms = sorted({room for room, others in edges.items() for room in (room, *others)})
    for room in rooms:
        is_folder = (PACKAGE / inside / room).is_dir()
        shape = f'{room}["{room}/"]' if is_folder else f"{room}({room})"
        lines.append(f"    {shape}")
    for room, others in sorted(reduced(edges).items()):
        lines += [f"    {room} --> {other}" for other in sorted(others)]
    return "\n".join([*lines, "```"])


def drawn_page() -> str:
    """The text of the page, with the drawings of today in their places."""
    text = PAGE.read_text(encoding="utf-8")
    for inside in DRAWN:
        what = f"imports of {inside}" if inside else "imports"
        begin, end = f"<!-- {what}: begin -->", f"<!-- {what}: end -->"
        before, _, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        assert closed, f"the page has no place for the {what}"
        text = f"{before}{begin}\n{drawing(inside)}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn_page(), encoding="utf-8")
