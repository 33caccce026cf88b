"""What others wrote can neither command the terminal nor forge a line of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.terminal.output import line_of
from tests.support.doors import Place
from tests.support.examples import examples
from tests.support.hostile_texts import HOSTILE
from tests.terminal.conftest import Terminal

SCRIPT = """
import base64, json
hostile = json.loads(base64.b64decode({texts!r}))

@cs.task
def fails(text):
    raise ValueError(text)

runs = [cs.start(fails(text).named("n" + str(n)), on_error="continue")
        for n, text in enumerate(hostile)]
for run in runs:
    run.exception() or run._future.exception()
waits = cs.start(cs.task(time.sleep)(100).named("waits"))
for text in hostile:
    cs.pause("task:x", reason=text)
    cs.pause("waits", reason=text, by=text)
print("ready", flush=True)
time.sleep(100)
"""


@settings(max_examples=examples(500))
@given(st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet="\x1b[]0;m\x07\u202e\n\r")))
def test_a_line_is_one_line_of_printable_text(text: str) -> None:
    line = line_of(text)
    assert line.isprintable()
    line.encode()
    if text.isprintable():
        assert line == text


@pytest.fixture(scope="module")
def script(here: Place) -> Iterator[subprocess.Popen[str]]:
    import base64
    import json

    texts = base64.b64encode(json.dumps(HOSTILE).encode()).decode()
    with here.script(SCRIPT.format(texts=texts)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["runs"], ["why", "waits"], *(["why", f"n{n}"] for n in range(len(HOSTILE))),
        *(["status", str(n)] for n in range(1, len(HOSTILE) + 1)), ["pause", "\x1b[2J"],
        ["why", "\u202e"], ["\x1b]0;x\x07"], ["pause", "--reason", "\x1b[31m", "--for", "\x1b"],
    ],
)  # fmt: skip
@pytest.mark.usefixtures("script")
def test_no_command_shows_what_a_terminal_would_obey(terminal: Terminal, words: list[str]) -> None:
    for given_words in (words, [*words, "--json"]):
        said = terminal.type(*given_words)
        for line in (said.out + said.err).split("\n"):
            assert line.isprintable(), line
        assert said.out or said.err
    assert said.out.isascii()
