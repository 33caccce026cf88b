"""A real JupyterLab, and notebooks opened in it in a headless Chromium.

    with LabServer.start() as lab, chromium() as browser:
        with lab.open(browser, ["1 + 1"], kernel="7.4.0") as notebook:
            notebook.run(0)
            assert "2" in notebook.text(0)

One server has a kernelspec for each ipykernel version (`tools.environments`). Everything it reads
or writes lies in a folder of its own, so that neither the user's settings nor an earlier test can
be seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.kernels import LABELS, kernel_python
from tests.support.notebook_page import PATIENCE, LabNotebook, wait_until
from tests.support.ports import free_port
from tools.environments import ROOT
from tools.system import PROGRAMS

_LAB_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # Every cell stays attached to the page, so that what is looked for is there.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}

#: What paints all the while that Lab's page loads, which costs more than a quarter of a second.
_LEFT_OUT = ("@jupyterlab/apputils-extension:splash",)

#: Width and height of a page in CSS pixels, where a test does not ask for others.
_USUAL = (1400, 1000)

_CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; it ends with the block.

    While it lives a loop of Playwright's runs in this thread, so no async test may run meanwhile.
    """
    executable = PROGRAMS["chromium"].find()
    assert executable is not None, "these tests need Chromium; `make test` says how to get it"
    expect.set_options(timeout=PATIENCE * 1000)  # by itself it waits for five seconds
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, headless=True, args=list(_CHROMIUM_ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class LabServer:
    """A running JupyterLab on a free port of the loopback interface."""

    folder: Path
    port: int
    token: str
    process: subprocess.Popen[bytes] = field(init=False)
    _idle: Page | None = None

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        kernels: Mapping[str, Path] | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Iterator[LabServer]:
        """Start one and wait until it answers; its kernels end with it.

        Args:
            kernels: kernelspec name -> its Python; by default one for each of `LABELS`.
            settings: Lab settings to add, plugin -> values.
        """
        pythons = kernels or {label: kernel_python(label) for label in LABELS}
        with tempfile.TemporaryDirectory(prefix="cascade-lab-") as folder:
            server = cls(Path(folder), free_port(), uuid.uuid4().hex)
            server._furnish(pythons, {**_LAB_SETTINGS, **(settings or {})})
            with server.log_path.open("wb") as log:
                server._launch(log)
                try:
                    server._wait_until_up()
                    yield server
                finally:
                    server._end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    @property
    def notebooks(self) -> Path:
        """The folder that it serves."""
        return self.folder / "notebooks"

    @contextlib.contextmanager
    def open(
        self,
        browser: Browser,
        cells: Sequence[str],
        kernel: str,
        *,
        viewport: tuple[int, int] = _USUAL,
        **context: Any,
    ) -> Iterator[LabNotebook]:
        """A new notebook of these cells with its kernel running; the kernel ends with the block.

        One after another they are opened in the same page, as people do who go through their
        notebooks: loading Lab takes six seconds of work, and opening a notebook half a one. What
        asks for a page of its own, by its size or by `context`, gets one.
        """
        name = f"{uuid.uuid4().hex[:8]}.ipynb"
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        written = new_notebook(
            cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": spec}
        )
        nbformat.write(written, self.notebooks / name)
        try:
            if context or viewport != _USUAL:
                one = self.reopen(browser, name, viewport=viewport, **context)
            else:
                one = self._one_after_another(browser, name)
            with one as notebook:
                yield notebook
        finally:
            self.end_kernels()

    @contextlib.contextmanager
    def reopen(
        self,
        browser: Browser,
        name: str,
        *,
        viewport: tuple[int, int] = _USUAL,
        with_kernel: bool = True,
        **context: Any,
    ) -> Iterator[LabNotebook]:
        """A notebook that is there already, in a fresh browser context.

        Args:
            browser: where.
            name: its file in `notebooks`.
            viewport: width and height in CSS pixels.
            with_kernel: wait for a kernel; without, Lab is told to start none.
            context: further options of the browser context, such as `color_scheme`.
        """
        page = _new_page(browser, viewport, **context)
        try:
            notebook = LabNotebook(page, name)
            notebook.load(self._address(name), with_kernel=with_kernel)
            yield notebook
        finally:
            page.context.close()

    @contextlib.contextmanager
    def _one_after_another(self, browser: Browser, name: str) -> Iterator[LabNotebook]:
        """A notebook in the page that had the one before, if that went well."""
        page, self._idle = self._idle, None
        is_new = page is None or page.context.browser is not browser
        if page is None or is_new:
            page = _new_page(browser, _USUAL)
        is_fit = False
        try:
            notebook = LabNotebook(page, name)
            if is_new:
                notebook.load(self._address(name))
            else:
                notebook.take_over()
            yield notebook
            is_fit = notebook.leave()
        finally:
            if is_fit:
                self._idle = page
            else:
                page.context.close()

    def _address(self, name: str) -> str:
        return f"{self.url}/lab/tree/{name}?token={self.token}&reset"

    def end_kernels(self) -> None:
        """Shut every session's kernel down and wait until they are gone."""
        for session in self.ask("GET", "sessions"):
            self.ask("DELETE", f"sessions/{session['id']}")
        wait_until(lambda: not self.ask("GET", "kernels"), "the kernels do not end")

    def ask(self, method: str, path: str) -> Any:
        """What the server's REST interface answers; None where it answers nothing."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with _opener().open(request, timeout=PATIENCE) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def _furnish(
        self, pythons: Mapping[str, Path], settings: Mapping[str, Mapping[str, object]]
    ) -> None:
        self.notebooks.mkdir()
        for name, python in pythons.items():
            spec = {
                "argv": [
                    str(python),
                    "-Xfrozen_modules=off",
                    "-m",
                    "ipykernel_launcher",
                    "-f",
                    "{connection_file}",
                ],
                "display_name": name,
                "language": "python",
            }
            _write_json(self.folder / "data" / "kernels" / name / "kernel.json", spec)
        left_out = {"disabledExtensions": dict.fromkeys(_LEFT_OUT, True)}
        _write_json(self.folder / "config" / "labconfig" / "page_config.json", left_out)
        for plugin, values in settings.items():
            _write_json(self.folder / "settings" / f"{plugin}.jupyterlab-settings", values)

    def _launch(self, log: IO[bytes]) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.notebooks}",
                "--LabApp.expose_app_in_browser=True",
            ],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        return {
            **os.environ,
            **{variable: str(self.folder / name) for variable, name in folders.items()},
            "JUPYTER_PLATFORM_DIRS": "1",
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _wait_until_up(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, f"JupyterLab did not start:\n{self._tail()}"
            try:
                self.ask("GET", "status")
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                return False
            return True

        wait_until(answers, "JupyterLab does not answer")

    def _tail(self) -> str:
        return self.log_path.read_text(errors="replace")[-4000:]

    def _end(self) -> None:
        """Ask it to end, which ends its kernels too; kill it and what it started if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _new_page(browser: Browser, viewport: tuple[int, int], **context: Any) -> Page:
    """A page in a context of its own, which knows nothing of others.

    Nothing moves in it unless a test asks for that: to draw what does is two fifths of the work, on
    a machine without a graphics card.
    """
    size: Any = {"width": viewport[0], "height": viewport[1]}
    return browser.new_context(viewport=size, **{"reduced_motion": "reduce", **context}).new_page()


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
