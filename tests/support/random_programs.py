"""Random workflows with every construct of control flow, and what a result of each node stands on.

A `Program` is made of numbers alone, so a failing one is told by its seed. With each node goes what
its result depends on, put together as text from how the program was written, without a look at the
library's fingerprints: two nodes of one text, in whatever programs, are one piece of work.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from random import Random
from typing import Any, Final

import cascade_nb as cs
from tests.support.worlds import reading

#: What was tried before. Of such a thing only its kind is part of a key.
TRIED: Final = threading.local()


@cs.task(executor="inline")
def leaf(n: int) -> int:
    return n


@cs.task(executor="inline")
def add(*xs: Any, start: int = 0) -> str:
    return f"{start}+{'+'.join(map(str, xs))}"


@cs.task(executor="inline")
def maybe(x: Any = "nothing", y: Any = "none") -> str:
    return f"<{x}|{y}>"


@cs.task(executor="inline")
def whether(x: Any) -> bool:
    return len(str(x)) % 3 > 0


@cs.task(executor="inline")
def choose(x: Any) -> int:
    return len(str(x)) % 4


@cs.task(executor="inline")
def several(n: Any) -> list[int]:
    return list(range(len(str(n)) % 4))


@cs.task(executor="inline")
def item(x: Any, k: Any = 1) -> str:
    return f"{x}*{k}"


@cs.task(executor="inline", retry=2)
def unsteady(n: int) -> int:
    if not hasattr(TRIED, f"n{n}"):
        setattr(TRIED, f"n{n}", True)
        raise ValueError("not at once")
    return n


@cs.task(executor="inline")
def broken(x: Any) -> int:
    raise ValueError(f"broken by {x}")


@cs.task(executor="inline", reuse=False)
def anew(x: Any) -> str:
    return f"!{x}"


@cs.task(executor="inline")
def steps(n: int, x: Any) -> Any:
    """Goes on with itself, and at last with a branch."""
    if n <= 0:
        end = leaf.lazy(len(str(x)) % 3)
        return cs.Router(end, {0: "zero", 1: leaf.lazy(7).run_if(True)}, default=leaf.lazy(8))
    return steps.lazy(n - 1, x)


def forget_tries() -> None:
    """Everything is tried for the first time again."""
    TRIED.__dict__.clear()


@dataclasses.dataclass(frozen=True)
class Piece:
    """A lazy value, and what its result stands on.

    Attributes:
        own: as text, what its kept result stands on; None where nothing can stand for it.
        read: the same for those that read it.
        label: its task's name.
        ordered: whether it, or what it is made of, comes after something.
    """

    lazy: Any
    own: str | None
    read: str | None
    label: str
    ordered: bool = False


class Program:
    """One workflow.

    Args:
        seed: what it is made from.
        variant: programs of one seed are alike: they differ in a few values, names, conditions.
        worldly: whether some of its tasks read what surrounds them.

    Attributes:
        target: what to run.
        params: the values that its parameters get.
        kept: by id of node, what the kept result of each named node and target stands on.
        own: by id of node, the same for every node.
        ordered: ids of nodes that come after something, or are made of such.
    """

    def __init__(self, seed: int, variant: int = 0, worldly: bool = False) -> None:
        self._rng = rng = Random(seed)
        self._worldly = worldly
        self._vary = Random(seed * 1000 + variant)
        self._varies = variant > 0
        self._pieces: list[Piece] = []
        self._counts: Counter[str] = Counter()
        self.params = {
            "flag": self._pick(False, True),
            "choice": self._pick(0, 1, 2, 3),
            "count": self._pick(0, 1, 2),
        }
        self.own: dict[str, str | None] = {}
        self.kept: dict[str, str] = {}
        self.ordered: set[str] = set()
        for name, kind in (("flag", bool), ("choice", int), ("count", int)):
            said = f"{name}={self.params[name]!r}"
            lazy = cs.Param(name, default=kind(), type=kind)
            self._pieces.append(Piece(lazy, said, said, name))
        for _ in range(rng.randint(2, 9)):
            self._pieces.append(self._decorated(self._made()))
        tasks = [piece for piece in self._pieces if not isinstance(piece.lazy, cs.Param)]
        chosen = rng.sample(tasks, min(len(tasks), rng.choice((1, 1, 2))))
        if rng.random() < 0.15:
            chosen = [self._sequence(tasks)]
        self.target: Any = [p.lazy for p in chosen] if len(chosen) > 1 else chosen[0].lazy
        self._enter({id(piece.lazy) for piece in chosen})

    def _enter(self, targets: set[int]) -> None:
        of_lazy = {id(piece.lazy): piece for piece in self._pieces}
        graph = cs.build_graph(self.target)
        self.params = {name: self.params[name] for name in graph.params()}
        for node in graph.nodes:
            piece = of_lazy.get(id(node.lazy))
            if piece is None:  # a step of a sequence
                continue
            self.own[node.id] = piece.own
            if piece.ordered:
                self.ordered.add(node.id)
            if piece.own is not None and (node.name is not None or id(node.lazy) in targets):
                self.kept[node.id] = piece.own

    def _pick(self, *choices: Any) -> Any:
        """One of `choices`, most often the same one in all variants."""
        usual, other = self._rng.choice(choices), self._vary.choice(choices)
        return other if self._varies and self._vary.random() < 0.15 else usual

    def _some(self) -> Piece:
        """Rather a late one: so programs are deep."""
        rng = self._rng
        return rng.choice(self._pieces[-4:] if rng.random() < 0.7 else self._pieces)

    def _call(self, task: Any, *parts: Any, **named: Any) -> Piece:
        pieces = [part for part in (*parts, *named.values()) if isinstance(part, Piece)]
        lazy = task(*map(_plain, parts), **{name: _plain(part) for name, part in named.items()})
        said = [*map(_said, parts), *(f"{name}={_said(part)}" for name, part in named.items())]
        keyed = all(piece.read is not None for piece in pieces)
        own = f"{task.name}({', '.join(map(str, said))})" if keyed else None
        return Piece(lazy, own, own, task.name, any(piece.ordered for piece in pieces))

    def _made(self) -> Piece:
        rng, some = self._rng, self._some
        if self._worldly and rng.random() < 0.4:
            task, given = reading(rng)
            # What it stands on is not known here.
            return dataclasses.replace(self._call(task, given), own=None, read=None)
        match rng.randrange(13):
            case 0 | 1:
                return self._call(leaf, self._pick(0, 1, 2, 3))
            case 2:
                return self._call(add, some(), some())
            case 3 | 4:
                return self._call(maybe, x=some(), y=some())
            case 5:
                return self._call(whether, some())
            case 6:
                return self._map()
            case 7 | 8:
                return self._router()
            case 9:
                return self._call(steps, rng.randrange(3), some())
            case 10:
                return self._call(unsteady, rng.randrange(3))
            case 11:
                return self._call(anew, some())
            case _:
                return self._call(broken, some()) if rng.random() < 0.2 else self._call(add, some())

    def _map(self) -> Piece:
        over, k = self._call(several, self._some()), self._some()
        lazy = item.partial(k=k.lazy).map(x=over.lazy)
        keyed = over.read is not None and k.read is not None
        own = f"map(item, {over.read}, {k.read})" if keyed else None
        self._pieces.append(over)
        return Piece(lazy, own, own, "item", over.ordered or k.ordered)

    def _router(self) -> Piece:
        rng = self._rng
        selector = self._call(choose, self._some()) if rng.random() < 0.7 else self._pieces[1]
        self._pieces.append(selector)
        branches: list[Any] = [self._some() for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.3:
            branches[0] = "plain"
        routes = {n: b.lazy if isinstance(b, Piece) else b for n, b in enumerate(branches)}
        other = self._some()
        default = other if self._pick(True, False) else None
        parts = [selector, *branches, *([] if default is None else [default])]
        said = list(map(_said, parts))
        extra = {} if default is None else {"default": default.lazy}
        lazy = cs.Router(selector.lazy, routes, **extra)
        words = f"Router({', '.join(map(str, said))}, {default is not None})"
        own = None if None in said else words
        ordered = any(isinstance(part, Piece) and part.ordered for part in parts)
        return Piece(lazy, own, own, "router", ordered)

    def _decorated(self, piece: Piece) -> Piece:
        other = self._some()
        if self._pick(True, False, False, False):
            lazy = piece.lazy.after(other.lazy)
            keyed = piece.own is not None and other.read is not None
            own = f"{piece.own} after {other.read}" if keyed else None
            piece = Piece(lazy, own, own, piece.label, True)
        if self._pick(True, False):
            name = f"n{len(self._pieces)}"
            piece = dataclasses.replace(piece, lazy=piece.lazy.named(name))
        conditional = self._conditional(piece)
        if self._pick(True, False, False):
            return conditional
        if piece.label == "anew":  # its own key is a key, but nothing is kept under it
            piece = dataclasses.replace(piece, own=None, read=None)
        return piece

    def _conditional(self, piece: Piece) -> Piece:
        computed, other = self._call(whether, self._some()), self._some()
        self._pieces.append(computed)
        condition: Any = self._pick(True, False, self._pieces[0], computed, computed)
        otherwise: Any = self._pick(NONE, NONE, "else", "another", other)
        extra = {}
        if otherwise is not NONE:
            extra = {"otherwise": otherwise.lazy if isinstance(otherwise, Piece) else otherwise}
        plain = condition.lazy if isinstance(condition, Piece) else condition
        lazy = piece.lazy.run_if(plain, **extra)
        own = None if piece.label == "anew" else piece.own
        parts = [p for p in (piece, condition, otherwise) if isinstance(p, Piece)]
        read = None
        if own is not None and None not in (_said(condition), _said(otherwise)):
            read = f"({own} if {_said(condition)} else {_said(otherwise)})"
        return Piece(lazy, own, read, piece.label, any(part.ordered for part in parts))

    def _sequence(self, tasks: list[Piece]) -> Piece:
        chosen = self._rng.sample(tasks, min(len(tasks), 3))
        last = cs.sequence(*(piece.lazy for piece in chosen))
        return Piece(last, None, None, chosen[-1].label, True)


NONE: Final = "NONE"


def _said(part: Any) -> Any:
    return part.read if isinstance(part, Piece) else repr(part)


def _plain(part: Any) -> Any:
    return part.lazy if isinstance(part, Piece) else part
