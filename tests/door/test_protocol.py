"""Requests are read strictly, and answers are never longer than allowed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.door import protocol
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.callers import new_request
from cascade_nb.errors import RefusedMessageError
from tools.environments import ROOT


def line(**fields: Any) -> bytes:
    return json.dumps({"v": 1, **fields}).encode()


def read(data: bytes) -> protocol.Request:
    return protocol.checked_request(protocol.parse_json(data))


def test_what_is_asked_for_is_read() -> None:
    data = line(id="a", do="pause", scope="task:x", seconds=60, reason="busy\u202e\nnow")
    request = read(data)
    assert request.do == "pause"
    assert request.given == {"scope": "task:x", "seconds": 60, "reason": "busy  now"}
    assert read(json.dumps(request.as_dict()).encode()) == request


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "more than the 65536 allowed"),
        (b"[" * 60_000, "no JSON"),
        (b'{"v": 1, "v": 1, "do": "hello"}', "a key comes twice"),
        (b'{"v": NaN, "do": "hello"}', "NaN is no number of JSON"),
        (b'{"do": "hello"}', "its v is None"),
        (b'{"v": true, "do": "hello"}', "its v is True"),
        (b'{"v": 2, "do": "hello"}', "its v is 2, and version 1 is spoken here"),
        (line(do="pauze"), "did you mean 'pause'?"),
        (line(do=["pause"]), "there is no command list"),
        (line(do="pause", scop="x"), "did you mean 'scope'?"),
        (line(do="pause", scope=["x"]), "its scope is no text"),
        (line(do="pause", scope="a\x1b[2J"), "cannot be printed"),
        (line(do="pause", scope="x" * 501), "longer than 500 characters"),
        (line(do="pause", seconds="10"), "its seconds is no number"),
        (line(do="pause", seconds=1e300), "beyond all measure"),
        (line(do="pause", seconds=float("inf")), "Infinity is no number of JSON"),
        (b'{"v": 1, "do": "pause", "seconds": 1e999}', "beyond all measure"),
        (line(do="limit", scope="task:x"), "limit needs 'n'"),
        (line(do="limit", n=1.5), "neither a whole number nor null"),
        (line(do="limit", n=True), "neither a whole number nor null"),
        (line(do="rate", rate=[1]), "its rate is no number"),
        (line(do="why"), "why needs 'node'"),
        (line(do="hello", id=7), "its id is no text"),
        (line(do="hello", expires_at=True), "its expires_at is no moment"),
        (line(do="hello", expires_at="soon"), "its expires_at is no moment"),
        (b'{"v": 1, "do": "hello", "expires_at": 1e999}', "its expires_at is no moment"),
        (line(do="hello", expires_at=10**400), "its expires_at is no moment"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(RefusedMessageError) as refused:
        read(data)
    assert why in str(refused.value)


def test_a_request_says_nothing_of_what_was_not_given() -> None:
    request = new_request("rate", {"rate": None, "scope": None, "reason": "x"})
    assert request.given == {"rate": None, "reason": "x"}
    assert "expires_at" not in request.as_dict()


def test_when_it_is_given_up_travels_with_a_request() -> None:
    request = new_request("hello", {}).within(60.0)
    assert read(json.dumps(request.as_dict()).encode()) == request
    assert answer(request.as_dict(), Process("script", "x"))["ok"]
    late = answer(new_request("hello", {}).within(-1.0).as_dict(), Process("script", "x"))
    assert (late["ok"], late["error"]) == (False, "its time was over before it came")


runs = st.builds(
    lambda n, size: {"runs": [{"kinds": ["k" * size] * n, "failures": []}] * 20, "lines": ["x"]},
    st.integers(0, 200),
    st.integers(0, 500),
)
texts = st.builds(lambda n, text: {"lines": [text] * n}, st.integers(0, 5000), st.text())


@given(st.one_of(runs, texts))
def test_an_answer_is_never_longer_than_allowed_and_says_what_it_left_off(
    answer: dict[str, Any],
) -> None:
    answer = {"v": 1, "ok": True, **answer}
    data = protocol.encoded(answer)
    assert len(data) < protocol.MOST_BYTES
    assert b"\n" not in data
    told = protocol.parse_answer(data)
    assert told.get("left_off", False) == (told != json.loads(json.dumps(answer)))


def test_the_page_of_the_protocol_says_what_is_spoken() -> None:
    page = (ROOT / "docs" / "door.md").read_text(encoding="utf-8")
    request, answer, refusal = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert read(request.encode()).do == "pause"
    assert protocol.parse_answer(answer.encode())["ok"]
    assert not protocol.parse_answer(refusal.encode())["ok"]
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|", page, re.MULTILINE)
    told = {do: set(re.findall(r"`(\w+)`", takes)) for do, takes in rows}
    told.pop("do")  # the head of the table
    assert told == {do: set(takes) for do, takes in protocol.TAKES.items()}
