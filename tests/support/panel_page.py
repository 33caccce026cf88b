"""The panel in a bare page, with a model that stands for the kernel: for what needs no Jupyter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from cascade_nb.notebook.panel.source import PANEL_SOURCE
from cascade_nb.notebook.panel.widget import STYLE
from tests.support.notebook_page import PATIENCE

#: What `portrait.Portrait` tells of a run at work.
STATE: dict[str, Any] = {
    "title": "report",
    "number": 7,
    "phase": "running",
    "ended": False,
    "counts": {
        "total": 20,
        "done": 8,
        "reused": 0,
        "failed": 0,
        "skipped": 0,
        "cancelled": 0,
        "running": 4,
        "waiting": 8,
        "queued": 0,
        "held": 0,
    },
    "headline": ["Running 4 tasks"],
    "kinds": [
        {
            "name": "train",
            "total": 12,
            "done": 5,
            "running": 4,
            "waiting": 3,
            "queued": 0,
            "held": 0,
            "failed": 0,
            "paused": False,
            "limit": 4,
        }
    ],
    "failures": [],
    "boxes": {},
    "looks": {"waiting": ["waiting", ""], "running": ["running", "M0 0"], "done": ["done", "M1 1"]},
    "output": {"anew": True, "chunks": []},
    "time": {"elapsed": 72.0, "ticking": True, "remaining": 125.0, "paused": None},
    "twin": "",
    "busyWords": "The running cell holds the kernel.",
}

#: Would leave `window.hacked` on the page, were it anything but text.
EVIL = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 2</script>\u202e\x1b[31m"

_MODEL = """
state => {
  const listeners = {}
  const call = window.call = (name, message) => (listeners[name] ?? []).forEach(f => f(message))
  window.sent = []
  window.model = {
    get: name => state[name],
    set: (name, value) => { state[name] = value; call(`change:${name}`) },
    send: message => window.sent.push(message),
    save_changes: () => { window.saved = true },
    on: (name, f) => { (listeners[name] ??= []).push(f) },
    off: (name, f) => { listeners[name] = (listeners[name] ?? []).filter(g => g !== f) },
    widget_manager: null,
  }
  window.tell = message => call('msg:custom', { type: 'patch', ...message })
}
"""

_SHOW = """
async source => {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
  window.widget = (await import(url)).default()
  await window.widget.initialize({ model: window.model })
  window.show = () => {
    const el = document.createElement('div')
    document.body.append(el)
    return window.widget.render({ model: window.model, el })
  }
  window.closeFirst = await window.show()
}
"""


class PanelPage:
    """A page with the panel in it.

    Attributes:
        page: Playwright's.
        panel: the first view.

    Args:
        browser: where.
        svg: the picture of the graph.
        still: whether the page's clock goes on only when it is told to, by `page.clock.run_for`.
        source: the widget's JavaScript.
        style: its sheet.
        state: what the kernel says first.
        context: further options of the browser context.
    """

    def __init__(
        self,
        browser: Browser,
        *,
        svg: str = "",
        still: bool = False,
        source: str = PANEL_SOURCE,
        style: str = STYLE,
        state: Mapping[str, Any] = STATE,
        **context: Any,
    ) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        if still:
            self.page.clock.install()
            self.page.clock.pause_at(datetime.now(timezone.utc) + timedelta(days=1))
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.set_content("<!doctype html><title>panel</title><body></body>")
        self.page.add_style_tag(content=style)
        self.page.evaluate(_MODEL, {"snapshot": dict(state), "svg": svg, "displays": None})
        self.page.evaluate(_SHOW, source)
        self.panel: Locator = self.page.locator(".cascade-panel").first

    def tell(self, **news: Any) -> None:
        """Have the kernel say something; what it acknowledges is this page's, unless that says
        otherwise.
        """
        if "ack" in news:
            asked = "() => window.sent.filter(message => message.page).at(-1).page"
            news = {"page": self.page.evaluate(asked), **news}
        self.page.evaluate("news => window.tell(news)", json.loads(json.dumps(news)))

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """The messages of this type that the panel sent, without the name of its page."""
        messages: list[dict[str, Any]] = self.page.evaluate(
            "() => window.sent.map(({ page, ...message }) => message)"
        )
        return [message for message in messages if message["type"] == kind]

    def switch(self, name: str) -> Locator:
        """The switch of this name."""
        return self.panel.get_by_role("switch", name=name)

    def text(self, selector: str) -> str:
        """What stands in a part of the panel."""
        return self.panel.locator(selector).inner_text()

    def close(self) -> None:
        self.context.close()
        assert not self.problems, self.problems


#: Opens a page with the panel; takes what `PanelPage` does.
OpenPanel = Callable[..., PanelPage]
