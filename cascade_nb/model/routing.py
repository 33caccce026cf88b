"""Routers, which choose among branches while a run goes on; sequences and pipelines of calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cascade_nb.errors import RouteError, UsageError
from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.text import quoted


class _Default:
    """The key of the branch that is taken where no other has the key that was chosen."""

    def __reduce__(self) -> str:
        return "DEFAULT"  # there is one, and it is known by its identity

    def __repr__(self) -> str:
        return "default"


DEFAULT: Final = _Default()


class Router(Lazy):
    """The result of one of several branches, chosen while the run goes on.

    Only the chosen branch runs, with what it needs; what it shares with other branches runs once.

    Args:
        selector: a lazy value; its result is the key of the branch. A plain key chooses at once.
        routes: branch by key: lazy values, or plain ones that need no work.
        default: the branch for every other key, lazy or plain; without one such a key is a
            `RouteError`.

    Raises:
        UsageError: there are no routes, or one is a container around lazy values.

    Example:
        >>> size = total(fetch(3))
        >>> cs.run(cs.Router(size, {3: fetch(1), 4: fetch(2)}, default="another"))
        [0]
    """

    __slots__ = ("_places", "_plain", "routes", "selector")

    def __init__(
        self,
        selector: Any,
        routes: Mapping[Any, Any],
        *,
        default: Any = DEFAULT,
        options: Options = PLAIN,
    ) -> None:
        if not isinstance(routes, Mapping) or not routes:
            raise UsageError(
                f"a Router takes its routes as a dict of key and branch, not {quoted(routes)}"
            )
        routes = dict(routes) if default is DEFAULT else {**routes, DEFAULT: default}
        for key, route in routes.items():
            if not isinstance(route, Lazy) and scan((route,))[0]:
                raise UsageError(
                    f"the branch {quoted(key)} of a Router is a {type(route).__name__} with lazy "
                    "values in it; have a task put it together, and give its call"
                )
        if not isinstance(selector, Lazy):
            _check_key(selector, routes)
        self.identity = object()
        self.selector = selector
        self.routes = routes
        self._plain = all(type(key) in FROZEN for key in routes if key is not DEFAULT)
        self._places = {key: place for place, key in enumerate(routes)}
        self.inputs = (selector,) if isinstance(selector, Lazy) else ()
        self.options = options

    @property
    def label(self) -> str:
        """Its name, or what it asks."""
        if self.options.name:
            return self.options.name
        selector = self.selector
        if isinstance(selector, Lazy):
            asked = selector.label
        else:  # whoever asks may hold a lock: no `repr` of the user's runs
            asked = quoted(selector, 1_000) if type(selector) in FROZEN else type(selector).__name__
        return f"route({asked})"

    def _with(self, options: Options) -> Router:
        return Router(self.selector, self.routes, options=options)


def is_plain_choice(router: Router, key: object) -> bool:
    """Whether no code of the user's runs to tell which branch `key` chooses."""
    return router._plain and type(key) in FROZEN


def route_name(key: object) -> str:
    """What the branch of a key is called where a router's branches are told apart."""
    return f"route {quoted(key, 40)}"


def place_chosen(router: Router, key: Any, label: str) -> int:
    """Which branch a key chooses, counted as they were written; a dict's comparison decides.

    Args:
        router: whose branches they are.
        key: what its selector gave.
        label: what a person calls the router.

    Raises:
        RouteError: there is no such branch, and no default.
    """
    places = router._places
    try:
        place = places.get(key)
    except TypeError:  # a list, say, which can be no key
        place = None
    if place is None:
        place = places.get(DEFAULT)
    if place is None:
        known_ones = ", ".join(map(quoted, list(places)[:20]))
        raise RouteError(f"{label} has no route {quoted(key)}; it has {known_ones}")
    return place


def _check_key(key: object, routes: Mapping[Any, Any]) -> None:
    """Refuse a plain selector that was not called, or can be the key of nothing.

    Raises:
        UsageError: it is such.
    """
    try:
        if key in routes or not callable(key):
            return
    except TypeError:
        raise UsageError(f"a Router's selector is a key, which {quoted(key)} cannot be") from None
    raise UsageError(
        f"a Router's selector is the call of a task, or a key, and {quoted(key)} was not called"
    )


def sequence(*steps: Lazy) -> Lazy:
    """The last of `steps`, each of which starts only when the one before it is done.

    A step that is skipped takes along what follows it, and never what precedes it. When a step runs
    in a run, so do those that follow.

    Args:
        steps: what calls of tasks gave, in the order in which they are to run.

    Returns:
        The last step; its value is the value of the sequence.

    Raises:
        UsageError: there is no step, or one is no lazy value.

    Example:
        >>> cs.run(cs.sequence(fetch(1), fetch(2), total([1, 2])))
        3
    """
    for step in steps:
        if not isinstance(step, Lazy):
            raise UsageError(f"a step of a sequence is a lazy value, not {quoted(step)}")
    if not steps:
        raise UsageError("a sequence needs at least one step")
    last = steps[0]
    for step in steps[1:]:
        last = step._with(step.options.but(follows=(*step.options.follows, last)))
    return last


def pipeline(value: Any, *tasks: Callable[[Any], Any]) -> Any:
    """`value` handed through `tasks`, each of which takes the result of the one before it.

    Args:
        value: what the first is called with: a lazy value or any other.
        tasks: tasks, or functions of one argument that call some.

    Returns:
        What the last gives: ``pipeline(x, f, g)`` is ``g(f(x))``.

    Raises:
        UsageError: one of `tasks` cannot be called.
        TaskCallError: one does not take exactly one argument.

    Example:
        >>> cs.run(cs.pipeline(4, fetch, total))
        6
    """
    for step in tasks:
        if not callable(step) or isinstance(step, Lazy):
            raise UsageError(f"a pipeline goes through tasks, not {quoted(step)}")
        value = step(value)
    return value
