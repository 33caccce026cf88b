"""Answers what the page asks about a node of a run, and does there what is asked.

The page may ask while a cell runs, and an answer may take long: a `repr` is the user's. So each is
worked out in a thread of its own, and sent from there. What the page has asked since makes an
older question void. When the run is over it is asked still, as long as somebody has it; the desk
holds no run itself, since widgets are kept for ever.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from IPython import get_ipython

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.holders import the_user
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.engine.inspection.node_facts import NodeFacts, node_facts
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.graph.graph import Node
from cascade_nb.model.copying.isolation import reader_copy
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.drawer.code_tab import code_tab
from cascade_nb.notebook.drawer.groups import group_of, matching
from cascade_nb.notebook.drawer.head import (
    head_of,
    limit_of,
    put_limit,
    task_called,
    what_holds_do,
)
from cascade_nb.notebook.drawer.items_tab import items_tab
from cascade_nb.notebook.drawer.references import Named, References
from cascade_nb.notebook.drawer.reruns import run_again, run_to
from cascade_nb.notebook.drawer.results import Results
from cascade_nb.notebook.drawer.tabs import (
    call_at,
    error_tab,
    identifier,
    inputs_tab,
    inputs_variable,
    log_tab,
    reproduce_tab,
    why_tab,
)
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain
from cascade_nb.notebook.drawer.timeline_told import TimelineTold
from cascade_nb.notebook.kernel.shims import LaunchingCell
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.view.picture.picture import Picture

Send = Callable[[Mapping[str, Any]], object]

_GONE: Final = (
    "This run is over and nobody has it any more, so its nodes cannot be looked at. The last run, "
    "and one that a variable holds, as in `run = %cascade run …`, can be."
)

#: Clicked one after the other, they are done in that order; none of them takes long.
_IN_ORDER: Final = frozenset(
    {"limit", "hold", "hold_after", "resume", "break", "no_break", "hold_all", "resume_all"}
)


class Desk:
    """What can be asked about the nodes of one run.

    Args:
        run: it goes on.
        output: what its tasks write.
        cell: the one that has its panel.
        show: shows the panel of another run; called on the kernel's loop.

    Attributes:
        send: tells the page.
    """

    def __init__(
        self, run: Run, output: TaskOutput, cell: LaunchingCell, show: Callable[[Run], object]
    ) -> None:
        self._run = weakref.ref(run)
        self._output: TaskOutput | None = output
        self._cell, self._show = cell, show
        self.send: Send = lambda _: None
        loop = asyncio.get_running_loop()
        self._portal = LoopPortal(loop)
        self._results = Results(loop, cell.context, _formatter)
        self._references: References | None = References(run.graph)
        self._members: Mapping[str, Sequence[int]] = {}
        self._homes: Sequence[str] = ()
        self._timeline = TimelineTold()
        self._latest: dict[str, int] = {}
        self._bound: dict[str, str] = {}
        self._answers: Mapping[str, Callable[[Json], Json]] = {
            "node": self._answer,
            "timeline": self._when,
            "output": self._all_written,
            "find": self._found,
        }
        self._last_deed: threading.Thread | None = None
        self._lock = threading.Lock()
        weakref.finalize(run, self._forget).atexit = False

    def drawn(self, picture: Picture) -> None:
        """This picture of the run's graph is shown."""
        members: dict[str, list[int]] = {}
        for index, home in enumerate(picture.homes):
            members.setdefault(picture.boxes[home].id, []).append(index)
        self._members, self._homes = members, [picture.boxes[home].id for home in picture.homes]

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Take a message of the page, in any thread; False where it is none of these."""
        match message:
            case {
                "type": "node" | "timeline" | "output" | "find",
                "page": str(page),
                "ask": int(ask),
            }:
                if _is_question(message):
                    self._latest[page] = max(ask, self._latest.get(page, 0))
                after = self._last_deed if message.get("do") in _IN_ORDER else None
                context = self._cell.context.copy()
                work = threading.Thread(
                    target=lambda: context.run(self._work, page, ask, dict(message), after),
                    name="cascade-drawer",
                    daemon=True,
                )
                work.start()
                if message.get("do") in _IN_ORDER:
                    self._last_deed = work
                return True
        return False

    def _forget(self) -> None:
        self._output = self._references = None
        self._members, self._homes = {}, []

    def _work(self, page: str, ask: int, message: Json, after: threading.Thread | None) -> None:
        """In a thread of its own, when another is through."""
        if after is not None:
            after.join()
        if _is_question(message) and ask < self._latest.get(page, 0):
            return
        try:
            answer = self._answers[message["type"]](message)
        except CascadeError as error:
            answer = {"problem": plain(str(error), SHORT)}
        except Exception as error:  # whatever it is, it is told where it was asked
            answer = {"problem": f"This cannot be shown: {plain(error_text(error), SHORT)}"}
        self.send({"type": message["type"], "page": page, "ask": ask, **answer})

    def _answer(self, message: Json) -> Json:
        run, references = self._run(), self._references
        if run is None or references is None:
            return {"problem": _GONE}
        with self._lock:
            references.take(run.graph)
        if "do" in message:
            return {"said": line(self._do(run, references, message), SHORT)}
        match message:
            case {"box": str(box)}:
                indexes: Sequence[int] = self._members.get(box, ())
            case {"kind": str(kind)}:
                nodes = run.graph.nodes
                indexes = [node.index for node in nodes if line(node.task_name) == kind]
            case {"failure": int(number)} if 0 <= number < len(run.failures):
                return self._of_node(
                    run, references, references.of_id(run.failures[number].task_id), message
                )
            case {"node": str(reference)}:
                return self._of_node(run, references, references.read(reference), message)
            case _:
                indexes = ()
        if not indexes or indexes[-1] >= len(run.graph):
            raise UsageError("there is no such node")
        if len(indexes) > 1:
            return {"group": group_of(run, references, indexes)}
        named = Named(run.graph.nodes[indexes[0]], None)
        return self._of_node(run, references, named, message)

    def _when(self, message: Json) -> Json:
        """When attempts were under way."""
        run, references = self._run(), self._references
        if run is not None and references is not None:
            with self._lock:
                references.take(run.graph)
        return self._timeline.answer(run, references, message)

    def _all_written(self, message: Json) -> Json:
        """A piece of all the output, where the next one begins, and how much is lost of it."""
        output, start = self._output, message.get("start")
        if output is None or not isinstance(start, int) or start < 0:
            return {"problem": _GONE}
        text, more = output.piece(start)
        return {"text": text, "more": more, "dropped": output.dropped}

    def _found(self, message: Json) -> Json:
        """How many nodes in each box of several match a query."""
        query, run = str(message.get("query", ""))[:SHORT], self._run()
        inside = {} if run is None else matching(query, run.graph, self._members)
        return {"query": query, "inside": inside}

    def keep_timeline(self) -> list[int]:
        """Remember when attempts were under way; gives the nodes that the run's end waited for."""
        run, references = self._run(), self._references
        if run is not None and references is not None:
            with self._lock:
                references.take(run.graph)
            return self._timeline.keep(run, references)
        return []

    def _of_node(self, run: Run, references: References, named: Named, message: Json) -> Json:
        facts = node_facts(run, run.graph, named.node, named.item)
        head = head_of(facts, named, references, run.outcome is not None)
        head["does"] = what_holds_do(run, named.node, head["can"])
        head["limit"] = limit_of(run, named.node.task_name)
        head["box"] = self._homes[named.node.index] if named.node.index < len(self._homes) else ""
        if message.get("only") == "head":
            return {"head": head}
        asked, tabs = message.get("tab"), head["tabs"]
        tab = str(asked if asked in tabs else tabs[0])
        if tab == "Items":
            body = items_tab(run, named, references, message.get("rows"))
        else:
            body = self._tab(run, references, named, facts, tab)
        return {"head": head, "tab": tab, "body": body}

    def _tab(
        self, run: Run, references: References, named: Named, facts: NodeFacts | None, tab: str
    ) -> Json:
        if tab == "Why" or facts is None:
            return why_tab(run, named, references)
        if tab == "Result":
            return self._results.tab(run, facts, named)
        if tab == "Log":
            return log_tab(self._output, named)
        if tab == "Error":
            return error_tab(facts)
        if tab == "Code":
            return code_tab(run, named.node)
        if tab == "Inputs":
            return inputs_tab(run, facts, references)
        return reproduce_tab(run, named, lambda name: _spelled(named.node, name))

    # ---- what is done ----------------------------------------------------------------------------

    def _do(self, run: Run, references: References, message: Json) -> str:
        """Do what was asked for; gives what to say of it."""
        if message["do"] == "resume" and isinstance(message.get("scope"), str):
            run.resume(message["scope"], by=the_user())
            return f"{message['scope']} may go on."
        if message["do"] in ("retry", "again"):
            self._start(run.retry_failed if message["do"] == "retry" else lambda: run_again(run))
            return "It runs again; its panel is below."
        if message["do"] == "limit":
            return put_limit(run, message.get("kind"), message.get("most"))
        if message["do"] in ("hold_all", "resume_all"):
            name, hold = task_called(run, message.get("kind")), message["do"] == "hold_all"
            (run.pause if hold else run.resume)(f"task:{name}", by=the_user())
            return f"{name} is held." if hold else f"{name} may go on."
        named = references.read(str(message.get("node")))
        scope = f"node:{named.node.id}"
        match message["do"]:
            case "hold":
                run.pause(scope, by=the_user())
                return f"{named.node.id} is held."
            case "hold_after":
                run.pause(f"from:{named.node.id}", by=the_user())
                return f"{named.node.id} and what comes after it are held."
            case "resume":
                run.resume(f"node:{named.name}", by=the_user())
                return f"{named.name} may go on."
            case "break":
                run.pause(scope, by=the_user(), before=True)
                return f"{named.node.id} will be held when it would start, with its inputs there."
            case "no_break":
                run.resume(scope, by=the_user(), before=True)
                return f"There is no breakpoint before {named.node.id} any more."
            case "put":
                facts = node_facts(run, run.graph, named.node, named.item)
                if facts is None:
                    raise UsageError("the run has not begun")
                value = self._results.get(run, facts, named).value
                return f"It is in {self._bind(f'{identifier(named)}_value', named, value)}."
            case "put_inputs":
                return self._put_inputs(run, named)
            case "run_to":
                self._start(lambda: run_to(run, named.node))
                return f"{named.node.id} runs; its panel is below."
        raise UsageError("nobody knows how to do that")

    def _put_inputs(self, run: Run, named: Named) -> str:
        call = call_at(run, named)
        if call is None:
            raise UsageError("the run has not begun")
        made = call.made()
        args, kwargs = reader_copy((made.args, made.kwargs))
        name = inputs_variable(named)
        bound = [self._bind(name, named, kwargs)]
        if args:
            bound.append(self._bind(f"{name}_args", named, args))
        if not _spelled(named.node, named.node.task_name):
            bound.append(self._bind(f"{name}_function", named, call.fn))
        return f"Its inputs are in {' and '.join(bound)}."

    def _bind(self, name: str, named: Named, value: Any) -> str:
        """Bind a variable that nobody else has; gives its name."""
        names = get_ipython().user_ns
        number, free = 1, name
        while free in names and self._bound.get(free) != named.name:
            number += 1
            free = f"{name}_{number}"
        names[free] = value
        self._bound[free] = named.name
        return free

    def _start(self, start: Callable[[], Run]) -> None:
        """Start a run on the loop and show it; what is refused is said."""

        async def begin() -> None:
            run = start()
            self._cell.call(lambda: self._show(run))

        asyncio.run_coroutine_threadsafe(begin(), self._portal.loop).result()


def _is_question(message: Mapping[str, Any]) -> bool:
    """Whether an older question is void when this is asked."""
    return message["type"] == "node" and "do" not in message and "only" not in message


def _spelled(node: Node, name: str) -> str:
    """How a cell calls the function of a node's task; empty where it has no name for it."""
    known = get_ipython().user_ns.get(name)
    if isinstance(known, Task) and node.task is not None and known.fn is node.task.fn:
        return f"{name}.fn"
    return ""


def _formatter() -> Any:
    return get_ipython().display_formatter
