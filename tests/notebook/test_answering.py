"""`%cascade answer` says what is asked, answers it, and has it asked anew."""

from __future__ import annotations

import pytest

from cascade_nb.defaults import default_engine
from cascade_nb.errors import AnswerError, UsageError
from tests.engine.tools import until_blocking
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

CELLS = """%%cascade --quiet
import cascade_nb as cs
def rows():
    return 1204
def report(ok):
    return "published" if ok else "kept back"
approve = cs.ask("Approve {:,} rows?", rows())
result = report(approve)
"""


def wait_until_asked(notebook: Notebook) -> None:
    until_blocking(lambda: "approve asks" in notebook.ok("%cascade answer").text)


def test_a_question_is_answered_reused_and_asked_anew(notebook: Notebook) -> None:
    notebook.ok(CELLS, "A")
    assert "Nothing is asked." in notebook.ok("%cascade answer").text
    run = notebook.ok("run = cs.start(result)\nrun").result
    wait_until_asked(notebook)
    assert "Approve 1,204 rows? (yes or no)" in notebook.ok("%cascade answer").text
    assert notebook.complete("%cascade answer ")[0].endswith("approve")
    assert "answers it" in notebook.ok("%cascade why approve").text
    assert "%cascade answer approve" in notebook.ok("%cascade why approve").text
    wrong = notebook.run("%cascade answer approve perhaps")
    assert isinstance(wrong.error, AnswerError)
    assert "approve gets yes" in notebook.ok("%cascade answer approve yes").text
    assert run.result(60) == "published"
    plan = notebook.ok("%cascade plan approve").text
    assert "answered by" in plan
    assert "is asked anew" in notebook.ok("%cascade answer approve --again").text
    assert "No answer to approve is kept" in notebook.ok("%cascade answer approve --again").text
    again = notebook.ok("run = cs.start(result)\nrun").result
    wait_until_asked(notebook)
    notebook.ok("%cascade answer approve no")
    assert again.result(60) == "kept back"
    until_blocking(lambda: not default_engine().runs)


@pytest.mark.parametrize(
    "words", ["approve", "approve yes --again", "rows --again", "nothing --again"]
)
def test_what_cannot_be_meant_is_refused(notebook: Notebook, words: str) -> None:
    notebook.ok(CELLS, "A")
    assert isinstance(notebook.run(f"%cascade answer {words}").error, UsageError)
