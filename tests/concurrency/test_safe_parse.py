"""Parsing is safe beside that of others: CPython 3.11 counts the depth of all in one place."""

from __future__ import annotations

import ast
import threading

import pytest

from cascade_nb.concurrency import safe_parse
from cascade_nb.concurrency.safe_parse import literal, parse, safely
from tests.project.sources import modules

FAULT = "AST constructor recursion depth mismatch (before=56, after=60)"


def test_a_parse_that_another_threads_parse_upset_is_made_again() -> None:
    left = [SystemError(FAULT)] * 3

    def upset() -> str:
        if left:
            raise left.pop()
        return "parsed"

    assert safely(upset) == "parsed"


def test_what_goes_wrong_otherwise_is_raised_at_once() -> None:
    calls = []

    def wrong() -> None:
        calls.append(1)
        raise SystemError("null argument to internal routine")

    with pytest.raises(SystemError, match="null argument"):
        safely(wrong)
    assert len(calls) == 1
    with pytest.raises(SyntaxError):
        parse("def")


def test_it_does_not_try_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_parse, "TRIES", 2)

    def upset() -> None:
        raise SystemError(FAULT)

    with pytest.raises(SystemError, match="mismatch"):
        safely(upset)


def test_threads_that_parse_at_once_all_get_their_trees() -> None:
    source = "x = " + "+".join(f"f(a[{i}], [{i}, (1, {i})])" for i in range(400))
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                assert isinstance(parse(source), ast.Module)
                assert literal("{'a': [1, (2, 3)]}") == {"a": [1, (2, 3)]}
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_else_parses() -> None:
    for module in modules():
        text = module.path.read_text(encoding="utf-8")
        if module.inside != "concurrency/safe_parse.py":
            assert "ast.parse(" not in text, module.inside
            assert "literal_eval(" not in text, module.inside
