"""One notebook, open in a browser: cells are run, clicked and read. When it is closed its page may
have another.

It is driven through Lab's application object and not by keys, so nothing depends on the focus.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Route
from playwright.sync_api import TimeoutError as TooLate

#: Seconds that Lab, Chromium or a kernel may take for what is not the tests' own work.
PATIENCE = 90.0

#: Seconds after which a new kernel that does not answer is connected to once more.
DEAF = 5.0

#: How often a page is loaded again at most where Lab does not find the models of its widgets.
_LOADS = 3

#: Milliseconds between two looks at a page. By itself Playwright looks at each frame, and so has a
#: page that is loading painted sixty times a second.
_LOOK = 50

_NOTEBOOK = "window.jupyterapp.shell.currentWidget"
#: What the functions here keep in the page.
_OURS = ["cellRuns", "clickedAt", "greeted", "kernelStarts"]
_ANSWERED = "index => window.cellRuns[index] !== 'running'"


class LabNotebook:
    """One notebook, open in a browser page of its own.

    Attributes:
        page: Playwright's page.
        console: what the page wrote to its console, as (level, text).
    """

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name
        self.console: list[tuple[str, str]] = []
        self._is_new = False
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", self._note_message)
        page.on("pageerror", self._note_error)

    def load(self, url: str, *, with_kernel: bool = True) -> None:
        """Load Lab with it."""
        if not with_kernel:
            # Lab starts a kernel for a notebook that it opens, and joins the one of another page
            # that has it open; here there is none, and the server refuses to start one.
            self.page.route("**/api/sessions*", _no_kernels)
        self.page.goto(url)
        self._wait_for_cells()
        if not with_kernel:
            # A dialog says so, now or later, and dims the page that a test looks at.
            self.page.add_style_tag(content=".jp-Dialog { display: none !important }")
        else:
            self._wait_for_kernel()
            self._wait_for_widgets()

    def take_over(self) -> None:
        """Open it in a page that another one has left."""
        self.page.evaluate(
            """async path => {
                const { commands, shell } = window.jupyterapp
                const opened = await commands.execute('docmanager:open', { path })
                for (const other of [...shell.widgets('main')])
                    if (other !== opened) other.dispose()
                shell.activateById(opened.id)
            }""",
            self.name,
        )
        self._wait_for_cells()
        self._wait_for_kernel()

    def leave(self) -> bool:
        """Close it; whether its page may have another, which is to find nothing of this one."""
        self.page.evaluate(
            f"() => {{ {_NOTEBOOK}?.dispose()\nfor (const name of {_OURS}) delete window[name] }}"
        )
        self.page.mouse.move(0, 0)
        self.page.emulate_media(color_scheme="null")
        self.page.remove_listener("console", self._note_message)
        self.page.remove_listener("pageerror", self._note_error)
        return not self.page.locator(".jp-Dialog").count()

    def run(self, index: int, *, wait: bool = True) -> None:
        """Run a cell; with `wait`, until its reply is there."""
        self.page.evaluate(
            f"""index => {{
                const notebook = {_NOTEBOOK}.content
                notebook.activeCellIndex = index
                notebook.deselectAll()
                window.cellRuns ??= {{}}
                window.cellRuns[index] = 'running'
                window.jupyterapp.commands.execute('notebook:run-cell').then(
                    () => {{ window.cellRuns[index] = 'done' }},
                    error => {{ window.cellRuns[index] = String(error) }})
            }}""",
            index,
        )
        if wait:
            self.wait_for_cell(index)

    def wait_for_cell(self, index: int) -> None:
        """Until the reply to a cell that was run is there."""
        try:
            if self._is_new:
                self._wait_for_first_cell(index)
            self.page.wait_for_function(_ANSWERED, arg=index, polling=_LOOK)
        except Error as late:
            state = self.page.evaluate(
                f"() => {{ const kernel = {_NOTEBOOK}.sessionContext.session?.kernel\n"
                "return [kernel?.status, kernel?.connectionStatus] }"
            )
            raise AssertionError(
                f"cell {index} got no reply in {PATIENCE:.0f} s; the kernel is {state}, the page's "
                f"console: {self.console[-20:]}"
            ) from late

    def is_running(self, index: int) -> bool:
        """Whether a cell that was run is not answered yet."""
        return bool(self.page.evaluate("index => window.cellRuns[index] === 'running'", index))

    def restart(self) -> None:
        """Restart the kernel, and wait until it is there again."""
        self.page.evaluate(f"() => {_NOTEBOOK}.sessionContext.session.kernel.restart()")

    def write(self, index: int, source: str) -> None:
        """Type a cell anew."""
        self.page.evaluate(
            f"([index, source]) => {_NOTEBOOK}.content.widgets[index].model.sharedModel"
            ".setSource(source)",
            [index, source],
        )

    def press_interrupt(self) -> None:
        """What Lab's own button does."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")

    def press_restart(self) -> None:
        """What Lab's own button does, and the dialog after it; until the new kernel answers."""
        before = self._kernel_starts()
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:restart-kernel') }"
        )
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.wait_until(lambda: self._kernel_starts() > before, "the kernel does not restart")
        self._greet()

    def _kernel_starts(self) -> int:
        """How often its kernel said that it starts or restarts since this was first asked."""
        return int(
            self.page.evaluate(
                f"""() => {{
                    const kernel = {_NOTEBOOK}.sessionContext.session.kernel
                    if (window.kernelStarts === undefined) {{
                        window.kernelStarts = 0
                        kernel.statusChanged.connect((_, status) => {{
                            if (['restarting', 'autorestarting'].includes(status))
                                window.kernelStarts += 1
                        }})
                    }}
                    return window.kernelStarts
                }}"""
            )
        )

    def text(self, index: int) -> str:
        """What a cell's output shows, as a reader sees it."""
        return str(self.page.evaluate(f"index => {self._area('index')}.node.innerText", index))

    def shown(self, index: int) -> Locator:
        """The output of a cell, to expect something of it: it is painted after the reply."""
        return self.page.locator(".jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """A cell's outputs, as the notebook's file would keep them."""
        found = self.page.evaluate(f"index => {self._area('index')}.model.toJSON()", index)
        return list(found)

    def output(self, index: int, selector: str) -> Locator:
        """What matches `selector` in a cell's output."""
        return self.page.locator(".jp-Cell").nth(index).locator(".jp-OutputArea").locator(selector)

    def ask_kernel(self, code: str) -> str:
        """Run code beside the notebook; what it printed, or its exception."""
        answer = self.page.evaluate(
            f"""async code => {{
                const kernel = {_NOTEBOOK}.sessionContext.session.kernel
                const future = kernel.requestExecute({{code, store_history: false}})
                let said = ''
                future.onIOPub = message => {{
                    const content = message.content
                    if (message.header.msg_type === 'stream') said += content.text
                    if (message.header.msg_type === 'error')
                        said += `${{content.ename}}: ${{content.evalue}}`
                }}
                await future.done
                return said
            }}""",
            code,
        )
        return str(answer)

    def click(self, target: Locator) -> float:
        """Click; returns when the page saw it, in seconds since the epoch."""
        # The page hears of it, not the element: Lab may show a widget anew just before.
        self.page.evaluate(
            "() => { window.clickedAt = null; window.addEventListener('click',"
            " () => { window.clickedAt = Date.now() / 1000 }, {capture: true, once: true}) }"
        )
        target.click()
        self.page.wait_for_function("() => window.clickedAt !== null", polling=_LOOK)
        return float(self.page.evaluate("() => window.clickedAt"))

    def wait_until(self, condition: Callable[[], object], story: str) -> None:
        """Until the condition holds."""
        try:
            wait_until(condition, story, self._breathe)
        except AssertionError as late:
            raise AssertionError(f"{late}\nthe page's console: {self.console[-20:]}") from late

    def save(self) -> None:
        """Write the notebook to its file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def _wait_for_cells(self) -> None:
        self.page.wait_for_function("() => !!window.jupyterapp", polling=_LOOK)
        self.page.evaluate("() => window.jupyterapp.restored")
        there = f"path => {_NOTEBOOK}?.context?.path === path && {_NOTEBOOK}.content.widgets.length"
        self.page.wait_for_function(there, arg=self.name, polling=_LOOK)

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            f"() => {_NOTEBOOK}.sessionContext?.isReady &&"
            f" {_NOTEBOOK}.sessionContext.session?.kernel?.status === 'idle'",
            polling=_LOOK,
        )
        self._greet()

    def _wait_for_widgets(self) -> None:
        """Until the widgets of a notebook that was open before are there again.

        Lab's manager of widgets looks two seconds for a model, without a last look at their end.
        Where the models come just then it says that there is none (jupyter-widgets/ipywidgets#3823
        has such reports), and a reader would load the page again.
        """
        outputs = self.page.locator(".jp-OutputArea")
        for _ in range(_LOADS):
            with contextlib.suppress(TooLate):
                waiting = outputs.get_by_text("Loading widget...").first
                waiting.wait_for(state="detached", timeout=DEAF * 1000)
            if not outputs.get_by_text("widget: model not found").count():
                return
            self.page.reload()
            self._wait_for_cells()
            self._wait_for_kernel()

    def _greet(self) -> None:
        """Until the kernel answers.

        ipykernel 7.0 to 7.3 leave a request unread that comes while they answer another, until
        there is another connection (ipython/ipykernel#1554, mended in 7.4). Lab asks a new kernel
        several things at once.
        """
        self.page.evaluate(
            f"""() => {{
                const kernel = {_NOTEBOOK}.sessionContext.session.kernel
                const nothing = {{code: '', silent: true, store_history: false}}
                const future = kernel.requestExecute(nothing)
                window.greeted = false
                future.done.then(() => {{ window.greeted = true }})
            }}"""
        )
        if not self._comes("() => window.greeted"):
            raise AssertionError(f"the kernel does not answer in {PATIENCE:.0f} s")
        self._is_new = True

    def _wait_for_first_cell(self, index: int) -> None:
        """Until the reply to the first cell is there, or for as long as a kernel may take.

        It may meet with what `_greet` waits for, and be left unread too. What comes later is the
        package's own to prevent, once that cell has loaded it, and nothing here hides it.
        """
        self._is_new = not self._comes(_ANSWERED, index)

    def _comes(self, condition: str, about: Any = None) -> bool:
        """Whether it holds in time; somebody else connects to the kernel again and again meanwhile.

        Not this page: what its widgets have asked would be lost with its connection, and Lab waits
        for their answers without end, so that a reopened notebook shows none of them.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                self.page.wait_for_function(
                    condition, arg=about, timeout=DEAF * 1000, polling=_LOOK
                )
            except TooLate:
                self.page.evaluate(
                    f"() => {{ const other = {_NOTEBOOK}.sessionContext.session.kernel.clone()\n"
                    f"setTimeout(() => other.dispose(), {DEAF * 1000}) }}"
                )
            else:
                return True
        return False

    def _note_message(self, message: ConsoleMessage) -> None:
        self.console.append((message.type, message.text))

    def _note_error(self, error: Error) -> None:
        self.console.append(("pageerror", str(error)))

    def _breathe(self) -> None:
        self.page.wait_for_timeout(20)

    @staticmethod
    def _area(index: str) -> str:
        return f"{_NOTEBOOK}.content.widgets[{index}].outputArea"


def _no_kernels(route: Route) -> None:
    if route.request.method == "GET":
        route.fulfill(json=[])
    else:
        route.fulfill(status=500, json={"message": "there are no kernels here"})


def wait_until(
    condition: Callable[[], object],
    story: str,
    breathe: Callable[[], object] = lambda: time.sleep(0.05),
) -> None:
    """Ask for the condition again and again, with `breathe` in between.

    Raises:
        AssertionError: it does not hold in time; with the story of what was waited for.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{story} (after {PATIENCE:.0f} s)"
        breathe()
