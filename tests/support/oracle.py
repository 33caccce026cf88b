"""What ought to be: who may start, and which node stands where, worked out from scratch each time.

Nothing here is fast and nothing is shared with the engine: it knows the words of the constraints
and the rules of a dataflow graph, keeps what was said, and answers every question by looking at all
of it. Rates are reckoned in fractions, so that a token is there or is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Mapping
from fractions import Fraction

OVER = frozenset({"done", "failed", "skipped", "cancelled"})
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Facts:
    """What scopes and pools ask of a node.

    Attributes:
        names: what `node:` knows it by.
        downstream_of: the names of the nodes that it comes after, its own among them.
        needs: amounts of the engine's resources.
        rank: the lower is served first where order counts.
    """

    run: str
    task: str
    tags: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    downstream_of: frozenset[str] = frozenset()
    needs: Mapping[str, float] = dataclasses.field(default_factory=dict)
    rank: int = 0


def covers(scope: str, facts: Facts) -> bool:
    """Whether a scope is about a node. Patterns have a star at their end only."""
    kind, _, value = scope.partition(":")
    if kind == "global":
        return True
    if kind == "task":
        return _matches(value, facts.task)
    if kind == "tag":
        return any(_matches(value, tag) for tag in facts.tags)
    if kind == "node":
        return value in facts.names
    if kind == "from":
        return value in facts.downstream_of
    assert kind == "run", scope
    return value == facts.run


def _matches(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


@dataclasses.dataclass(eq=False)
class Rule:
    """A constraint in force; a rate limit has its bucket, a breakpoint which starts may pass it:
    those that somebody let go, and those of which its condition is not true.
    """

    scope: str
    type: str
    limit: int = 0
    rate: Fraction = Fraction(0)
    capacity: Fraction = Fraction(1)
    expires: float | None = None
    level: Fraction = Fraction(0)
    filled: Fraction = Fraction(0)
    condition: int = 0
    let_go: set[Hashable] = dataclasses.field(default_factory=set)
    judged: set[Hashable] = dataclasses.field(default_factory=set)

    def fill(self, now: float) -> None:
        """What has dripped into the bucket since it was looked at last."""
        time = Fraction(now)
        self.level = min(self.capacity, self.level + (time - self.filled) * self.rate)
        self.filled = time


class ControlOracle:
    """Which constraints are in force, who is inside, and what follows from that.

    Args:
        totals: how much there is of each resource.
    """

    def __init__(self, totals: Mapping[str, float] | None = None) -> None:
        self.totals = dict(totals or {})
        self.rules: dict[tuple[str, str, str], Rule] = {}  # by scope, type and holder
        self.inside: dict[Hashable, Facts] = {}
        self._paid: dict[Hashable, list[Rule]] = {}

    def apply(
        self,
        scope: str,
        type_: str,
        now: float,
        params: Mapping[str, float],
        ttl: float | None,
        holder: str = "person:",
    ) -> None:
        """A constraint comes into force, or another one takes its place."""
        rule = self.rules.get((scope, type_, holder))
        expires = None if ttl is None else now + ttl
        if rule is None:
            rule = self.rules[scope, type_, holder] = Rule(scope, type_, filled=Fraction(now))
            rule.level = Fraction(params.get("capacity", 1))
        elif type_ == "rate_limit":
            rule.fill(now)
        if rule.condition != params.get("condition", 0):
            rule.judged.clear()
        rule.condition = int(params.get("condition", 0))
        rule.expires = expires
        rule.limit = int(params.get("limit", 0))
        rule.rate = Fraction(params.get("rate", 0))
        rule.capacity = Fraction(params.get("capacity", 1))
        rule.level = min(rule.level, rule.capacity)

    def lift(
        self, scope: str, type_: str | None, by: str = "person:", *, alone: bool = False
    ) -> list[tuple[str, str, str]]:
        """One type, or everything, of a scope is in force no longer. Gives what was.

        Args:
            scope, type_: of which.
            by: who lifts it; a person what all have there, others what is their own.
            alone: whether only what is of `by` is meant, whoever that is.
        """
        anybodys = by.startswith("person:") and not alone
        gone = [
            key
            for key in self.rules
            if key[0] == scope and type_ in (None, key[1]) and (anybodys or key[2] == by)
        ]
        for key in gone:
            del self.rules[key]
        return gone

    def expire(self, now: float) -> list[tuple[str, str, str]]:
        """Time has passed. Gives what is in force no longer."""
        ends = {key: rule.expires for key, rule in self.rules.items()}
        gone = [key for key, end in ends.items() if end is not None and end <= now]
        for key in gone:
            del self.rules[key]
        return gone

    def against(
        self,
        facts: Facts,
        now: float,
        key: Hashable = None,
        tolerance: float = 0.0,
        start: Hashable = None,
    ) -> list[str]:
        """Why a node may not start now, in words; nothing when it may.

        Args:
            key: of one that is inside already: it does not stand in its own way, and has paid.
            tolerance: how much of a token may be missing.
            start: which attempt at which node, as breakpoints know it.
        """
        why = []
        own = 1 if key in self.inside else 0
        for rule in self.rules.values():
            if not covers(rule.scope, facts):
                continue
            if rule.type == "pause":
                why.append(f"{rule.scope} is paused")
            elif rule.type == "breakpoint":
                if start not in rule.let_go | rule.judged:
                    why.append(f"a breakpoint before {rule.scope}")
            elif rule.type == "concurrency":
                count = self._count(rule.scope) - own
                if count >= rule.limit:
                    why.append(f"{count} of at most {rule.limit} of {rule.scope} are inside")
            elif rule not in self._paid.get(key, ()):
                rule.fill(now)
                if rule.level < 1 - tolerance:
                    why.append(f"{rule.scope} has {float(rule.level)} of a token")
        for name, amount in facts.needs.items():
            free = self.free(name) + (amount if own else 0)
            if amount > free:
                why.append(f"{amount} {name} of {free}")
        return why

    def behind(self, facts: Facts, waiting: Iterable[Facts]) -> bool:
        """Whether it may have to wait for others, not of higher rank, that need more than there is:
        so that one that needs much is not overtaken for ever.
        """
        return any(
            other.rank <= facts.rank and other.needs.get(name, 0) > self.free(name)
            for other in waiting
            for name, amount in facts.needs.items()
            if amount
        )

    def enter(self, key: Hashable, facts: Facts, now: float) -> None:
        """A node is admitted, or begins: it takes its place, and pays where it has not yet."""
        self.inside[key] = facts
        paid = self._paid.setdefault(key, [])
        for rule in self.rules.values():
            if rule.type == "rate_limit" and covers(rule.scope, facts) and rule not in paid:
                rule.fill(now)
                rule.level -= 1
                paid.append(rule)

    def undo(self, key: Hashable, now: float) -> None:
        """An admitted node did not begin after all, and gets back what it paid."""
        del self.inside[key]
        for rule in self._paid.pop(key):
            rule.fill(now)
            rule.level = min(rule.capacity, rule.level + 1)

    def leave(self, key: Hashable, start: Hashable = None) -> None:
        """A node is over."""
        del self.inside[key]
        del self._paid[key]
        for rule in self.rules.values():
            rule.let_go.discard(start)
            rule.judged.discard(start)

    def go_on(self, facts: Facts, start: Hashable, by: str) -> None:
        """A start is let go at all breakpoints of those whom this one may overrule."""
        for (scope, type_, holder), rule in self.rules.items():
            obeyed = by.startswith("person:") or holder == by
            if type_ == "breakpoint" and obeyed and covers(scope, facts):
                rule.let_go.add(start)

    def free(self, name: str) -> float:
        """What is left of a resource."""
        return self.totals[name] - sum(f.needs.get(name, 0) for f in self.inside.values())

    def _count(self, scope: str) -> int:
        return sum(covers(scope, facts) for facts in self.inside.values())


class DependencyOracle:
    """Where each node of a graph stands.

    Args:
        needs: by node, what it needs at first.
        done: those that are over from the start.
    """

    def __init__(self, needs: Iterable[Iterable[int]], done: Collection[int] = ()) -> None:
        self.needs = [set(some) for some in needs]
        self.state = ["done" if n in done else "idle" for n in range(len(self.needs))]

    def demand(self, roots: Iterable[int]) -> None:
        """These are wanted, and with them whatever they need."""
        for node in roots:
            if self.state[node] == "idle":
                self.state[node] = "wanted"
                self.demand(self.needs[node])

    def add(self, needs: Iterable[int], spare: int | None = None) -> int:
        """There is one more node, perhaps in the place of an old one."""
        if spare is None:
            self.needs.append(set())
            self.state.append("idle")
            spare = len(self.state) - 1
        self.needs[spare] = set(needs)
        self.state[spare] = "idle"
        return spare

    def need(self, node: int, more: Iterable[int]) -> None:
        """A node waits for more."""
        self.needs[node] = set(more)
        self.state[node] = "wanted"
        self.demand(self.needs[node])

    def is_ready(self, node: int) -> bool:
        """Whether it is wanted, and nothing that it needs is still to come."""
        return self.state[node] == "wanted" and all(
            self.state[source] in OVER for source in self.needs[node]
        )

    def ready(self) -> set[int]:
        """Every node that is ready."""
        return {node for node in range(len(self.state)) if self.is_ready(node)}

    def waiting_on(self, node: int) -> set[int]:
        """Which nodes still wait for this one."""
        return {
            other
            for other, needs in enumerate(self.needs)
            if node in needs and self.state[other] == "wanted"
        }

    @property
    def unfinished(self) -> int:
        """How many wanted nodes are not over."""
        return sum(state in ("wanted", "running") for state in self.state)

    def words(self) -> list[str]:
        """Where each node stands, in the scheduler's words."""
        said = {"wanted": "waiting"}
        return [
            "ready" if self.is_ready(node) else said.get(state, state)
            for node, state in enumerate(self.state)
        ]
