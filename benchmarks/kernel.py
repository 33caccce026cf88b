"""A real kernel under load, from outside: how soon it answers, how soon a pause is acknowledged."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.figures import percentile
from tests.support.kernels import NEWEST, PATIENCE, Execution, Message, RealKernel

#: Seconds that are measured at most, round trips between two pauses, seconds that a pause lasts.
LONGEST: Final = 6.0
ROUND_TRIPS: Final = 8
HELD: Final = 0.15

#: Seconds after which a click has been lost, unless the run is over.
PATIENT: Final = 5.0


def under_load(workload: str, mode: str, size: int) -> Mapping[str, float]:
    """Figures of one run in a kernel of its own.

    Returns:
        Milliseconds of `%load_ext`, of round trips (p50, p95), of the loop's lag (p99, worst) and
        of acknowledgements (worst, where the run lasted until one); how many nodes were done, and
        how many started while all was held.
    """
    with RealKernel.start(NEWEST) as kernel:
        kernel.check("import time, cascade_nb")
        kernel.check(
            "began = time.perf_counter()\n"
            "get_ipython().run_line_magic('load_ext', 'cascade_nb')\n"
            "loading = time.perf_counter() - began"
        )
        kernel.check(
            "from benchmarks.under_load import Load\n"
            f"load = Load({workload!r}, {mode!r}, {size})\n"
            "load.start()"
        )
        echo, panel = _value(kernel, "[load.echo, load.panel]")
        visitor = Visitor(kernel, echo, panel)
        visitor.look_around()
        seen = _value(kernel, "await load.finish()")
        loading = _value(kernel, "loading")
    held = {"pause worst": 1000 * max(visitor.answers)} if visitor.answers else {}
    return {
        **held,
        "load_ext": 1000 * loading,
        "round trip p50": 1000 * percentile(visitor.round_trips, 50),
        "round trip p95": 1000 * percentile(visitor.round_trips, 95),
        "round trips": len(visitor.round_trips),
        "lag p99": 1000 * percentile(seen["lags"], 99),
        "lag worst": 1000 * max(seen["lags"]),
        "pauses": seen["pauses"],
        "started while held": seen["late"],
        "nodes done": seen["done"],
    }


#: Tells whether a comm's data is the answer.
Answers = Callable[[dict[str, Any]], object]


class Visitor:
    """What a browser does: asks, clicks, and waits for the answer.

    Attributes:
        round_trips: seconds from each question to its answer; the run may end during the last.
        answers: seconds from each click to its acknowledgement.
    """

    def __init__(self, kernel: RealKernel, echo: str, panel: str) -> None:
        self.round_trips: list[float] = []
        self.answers: list[float] = []
        self._kernel = kernel
        self._echo = echo
        self._panel = panel
        self._asked = 0

    def look_around(self) -> None:
        """Ask and hold in turn, until the run is over or it has been long enough."""
        self._click({"type": "hello"})
        self._click({"type": "watch", "visible": True})
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            for _ in range(ROUND_TRIPS):
                if self._ask():
                    return
            held = self._hold(True)
            if held is None:
                return
            self.answers.append(held)
            time.sleep(HELD)
            if self._hold(False) is None:
                return

    def _is_over(self) -> bool:
        over: bool = _value(self._kernel, "load.is_over()")
        return over

    def _ask(self) -> bool:
        """One round trip; tells whether the run was over when it was answered."""
        self._asked += 1
        number = self._asked
        over = False

        def is_answer(data: dict[str, Any]) -> bool:
            nonlocal over
            if data.get("number") != number:
                return False
            over = data["over"]
            return True

        began = time.perf_counter()
        self._wait(self._kernel.comm(self._echo, {"number": number}), is_answer)
        self.round_trips.append(time.perf_counter() - began)
        return over

    def _hold(self, on: bool) -> float | None:
        """Seconds until the click was acknowledged; None where the run ended under it."""
        self._asked += 1
        seq = self._asked
        began = time.perf_counter()
        sent = self._click({"type": "hold", "scope": "run", "on": on, "seq": seq})
        try:
            self._wait(sent, lambda data: data.get("content", {}).get("ack") == seq, PATIENT)
        except TimeoutError:
            if self._is_over():
                return None
            raise
        return time.perf_counter() - began

    def _click(self, content: dict[str, Any]) -> Execution:
        return self._kernel.comm(self._panel, {"method": "custom", "content": content})

    def _wait(self, sent: Execution, is_answer: Answers, timeout: float = PATIENCE) -> None:
        def answered(message: Message) -> bool:
            return message["msg_type"] == "comm_msg" and bool(is_answer(message["content"]["data"]))

        sent.wait_until(
            lambda cell: any(map(answered, [*cell.messages, *self._kernel.unclaimed[-50:]])),
            timeout,
        )


def _value(kernel: RealKernel, expression: str) -> Any:
    """What an expression of plain values gives in the kernel."""
    return ast.literal_eval(kernel.check(f"print(repr({expression}))").stdout)


PROBES: Final = {"under load": under_load}
