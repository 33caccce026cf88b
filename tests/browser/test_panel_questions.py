"""The forms of the panel in which questions are answered, in a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from cascade_nb.model.params.question import Question
from cascade_nb.text import readable
from tests.support.hostile_texts import hostile_texts
from tests.support.panel_page import PanelPage


@pytest.fixture
def panel(browser: Browser) -> Iterator[PanelPage]:
    page = PanelPage(browser)
    yield page
    page.close()


def asked(text: str, type_: Any = bool, name: str = "q", topic: str = "") -> dict[str, Any]:
    fields = Question(text, type_).fields()
    return {"run": "r1", "name": name, "text": text, "fields": fields, "topic": topic}


def test_yes_and_no_are_buttons_that_the_keyboard_reaches(panel: PanelPage) -> None:
    panel.tell(questions=[asked("Approve 1,204 rows?")])
    form = panel.panel.get_by_role("form", name="q asks: Approve 1,204 rows?")
    expect(form).to_be_visible()
    yes, no = form.get_by_role("button", name="yes"), form.get_by_role("button", name="no")
    yes.focus()
    panel.page.keyboard.press("Tab")
    expect(no).to_be_focused()
    panel.page.keyboard.press("Enter")
    assert panel.sent("answer") == [
        {"type": "answer", "run": "r1", "name": "q", "value": "no", "seq": 1}
    ]
    expect(form).to_have_attribute("aria-busy", "true")
    expect(yes).to_be_disabled()
    panel.tell(ack=1, error=None, questions=[])
    expect(form).to_be_hidden()
    expect(panel.panel.locator(".cs-questions")).to_be_hidden()


def test_what_is_typed_stays_until_it_is_an_answer(panel: PanelPage) -> None:
    panel.tell(questions=[asked("How many?", int), asked("Which?", str, "other")])
    form = panel.panel.get_by_role("form", name="q asks: How many?")
    field = form.get_by_role("textbox", name="Answer")
    field.fill("three")
    panel.tell(questions=[asked("How many?", int)], headline=["Running 3 tasks"])
    field.press("Enter")
    assert panel.sent("answer")[0]["value"] == "three"
    panel.tell(ack=1, error="the question takes a whole number, and 'three' is none")
    expect(form.get_by_role("alert")).to_have_text(
        "the question takes a whole number, and 'three' is none"
    )
    expect(field).to_have_value("three")
    field.fill("3")
    form.get_by_role("button", name="Answer").click()
    assert panel.sent("answer")[1] == {
        "type": "answer", "run": "r1", "name": "q", "value": "3", "seq": 2,
    }  # fmt: skip
    panel.tell(ack=2, error=None, questions=[])
    expect(form).to_be_hidden()


def test_a_form_of_several_fields_gives_them_by_name(panel: PanelPage) -> None:
    type_ = {"rows": int, "mode": Literal["fast", "exact"], "sure": bool}
    panel.tell(questions=[asked("With what?", type_)])
    form = panel.panel.get_by_role("form")
    form.get_by_label("rows").fill("12")
    form.get_by_label("mode").select_option("exact")
    form.get_by_label("sure").select_option("no")
    form.get_by_role("button", name="Answer").click()
    assert panel.sent("answer")[0]["value"] == {"rows": "12", "mode": "exact", "sure": "no"}


def test_texts_of_others_are_text_and_a_signal_has_no_form(panel: PanelPage) -> None:
    evil = "<img src=x onerror='document.title=1'>\u202e & \"'"
    panel.tell(
        questions=[asked(evil, str, evil), asked("a message on plant/ready", name="r", topic="p/r")]
    )
    assert panel.panel.locator(".cs-asks").first.text_content() == evil
    assert panel.page.title().endswith("panel")
    assert panel.panel.locator(".cs-questions img").count() == 0
    second = panel.panel.locator(".cs-question").nth(1)
    expect(second).to_contain_text("waits for a message on plant/ready")
    assert second.locator("button").count() == 0


def test_hundreds_of_hostile_questions_names_and_answers_are_text_and_run_nothing(
    panel: PanelPage,
) -> None:
    shown_as = (readable(text) for text in hostile_texts(800))
    texts = list(dict.fromkeys(text for text in shown_as if text.strip()))[:500]
    one_of: Any = Literal
    for at in range(0, len(texts), 100):
        part = texts[at : at + 100]
        panel.tell(questions=[asked(text, one_of[text], text) for text in part])
        shown = panel.panel.locator(".cs-asks")
        expect(shown).to_have_count(len(part))
        assert shown.evaluate_all("all => all.map(one => one.textContent)") == part
    panel.panel.locator(".cs-question").last.locator("button").last.click()
    assert panel.sent("answer")[0]["value"] == texts[-1]
    assert panel.page.title().endswith("panel")
    assert panel.panel.locator(".cs-questions img, .cs-questions svg, script").count() == 0


def test_a_run_that_is_over_cannot_be_answered(panel: PanelPage) -> None:
    panel.tell(questions=[asked("Go on?")], ended=True, phase="cancelled")
    expect(panel.panel.get_by_role("button", name="yes")).to_be_disabled()
