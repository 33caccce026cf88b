"""A report is a page on which nothing runs, whatever names, errors and results say."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Request

from cascade_nb.notebook.report.page import NodeRow, Report, page_of
from cascade_nb.view.svg.timeline import Lane, Span, Times, draw_times
from tests.notebook.test_report import HOSTILE
from tests.support.axe import complaints

pytestmark = pytest.mark.may_block("a page is waited for")

MORE = ['"><script>canary()</script>', "'\" onload=canary() x='", "]]></style><script>canary()"]
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>canary()</script></svg>"


def report_of(text: str) -> Report:
    frame = {"place": text, "line": 1, "name": text, "code": text}
    failure = {
        "task": text,
        "attempt": 1,
        "text": text,
        "where": text,
        "inputs": [text],
        "chain": [{"link": text, "text": text, "frames": [frame]}],
    }
    told: dict[str, dict[str, Any]] = {
        "none" + text: {"none": text},
        text: {
            "facts": [["type", text]],
            "text": text,
            "data": {"text/html": text, "image/png": text},
            "notes": [text],
        },
        "svg": {"facts": [], "text": "", "data": {"image/svg+xml": SVG}, "notes": []},
        "png": {
            "facts": [],
            "text": text,
            "data": {"image/png": base64.b64encode(text.encode("utf-8", "replace")).decode()},
            "notes": [],
        },
    }
    return Report(
        text,
        [text],
        None,
        text,
        draw_times(Times(text, 1.0, [Lane(text, text, 1.0, [Span(0.0, 1.0, "done")])])),
        [NodeRow(text, text, "failed", text)],
        [failure],
        [(text, text, text)],
        [(text, text)],
        told,
        text,
    )


def test_nothing_on_a_report_runs_or_is_loaded(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    try:
        page.add_init_script("window.ran = 0; window.canary = () => { window.ran += 1 }")
        page.on("request", note)
        for number, text in enumerate([*HOSTILE, *MORE]):
            file = tmp_path / f"{number}.html"
            file.write_text(page_of(report_of(text)), encoding="utf-8")
            page.goto(file.as_uri(), wait_until="load")
            page.evaluate("for (const one of document.querySelectorAll('*')) one.click?.()")
            assert page.evaluate("window.ran") == 0, text
            assert page.locator("script, iframe, a[href], [onload], [onerror]").count() == 0, text
            assert page.locator("main > details").count() == 7, text
        assert complaints(page, "main") == []
        assert [one for one in asked if not one.startswith(("file:", "data:"))] == []
        assert len([one for one in asked if one.startswith("file:")]) == len([*HOSTILE, *MORE])
    finally:
        page.close()
