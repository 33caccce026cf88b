"""Code that knows nothing of lazy values is handed one: what is read below the cell helps."""

from __future__ import annotations

import pytest

from tests.notebook.conftest import Notebook

SETUP = """
import array, base64, bisect, collections, csv, datetime, decimal, fractions, functools, hashlib
import io, itertools, json, math, operator, os, pathlib, random, re, statistics, string, struct
import textwrap, threading, time, urllib.parse, uuid, zlib
import numpy as np
import pandas as pd
df = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
"""

#: None of these gives anything: they raise, and what is read below the cell has the three ways.
USES = """
"".join([x])
json.dumps(x)
json.dumps({"a": [x]})
json.loads(x)
math.sqrt(x)
int(x)
float(x)
open(x)
range(x)
[1, 2][x]
[1, 2][:x]
"abc"[x:]
np.array([x])
np.zeros(x)
np.zeros(2).__setitem__(0, x)
np.arange(3)[x]
np.linspace(0, x)
np.full(2, x)
np.mean([x, 1])
np.concatenate([x, x])
np.random.default_rng(x)
pd.Series([x]).sum() + len(x)
pd.DataFrame({"a": x}, index=[0])
pd.concat([x, df])
pd.read_csv(x)
pd.to_numeric(x)
df.merge(x)
df[x]
df.loc[x]
df.iloc[x]
df.head(x)
df.fillna(x)
df.replace(1, x)
df.sort_values(x)
df.groupby(x)
sorted([x, x + 1])
max(x, 1)
sum(x)
"%s" % x
"%d" % x
f"{x:.2f}"
"{}".format(x)
print(x)
datetime.timedelta(x)
datetime.date(x, 1, 1)
datetime.datetime.strptime(x, "%Y")
os.path.join("a", x)
os.makedirs(x)
os.getenv(x)
os.environ.__setitem__("A_VARIABLE", x)
pathlib.Path(x)
x in "abc"
x in range(3)
x in {"a": 1}
{"a": 1}.get(x)
{x: 1}
[1, 2].index(x)
dict(**x)
[].extend(x)
list(enumerate(x))
list(zip(x, [1]))
any([x])
chr(x)
ord(x)
hex(x)
pow(2, x, 5)
bytearray(x)
memoryview(x)
time.sleep(x)
random.choice(x)
random.seed(x)
random.sample([1, 2], x)
re.match("a", x)
re.sub("a", x, "a")
decimal.Decimal(x)
fractions.Fraction(x)
statistics.mean([x, 1])
list(itertools.islice([1, 2], x))
functools.reduce(operator.add, x)
struct.pack("i", x)
array.array("i", [x])
bisect.bisect([1, 2], x) and [1][x]
textwrap.dedent(x)
string.Template("$a").substitute(a=x)
io.StringIO().write(x)
csv.writer(io.StringIO()).writerow([x])
urllib.parse.quote(x)
urllib.parse.urlencode({"a": x})
hashlib.sha256(x)
base64.b64encode(x)
zlib.crc32(x)
collections.deque([1], x)
collections.Counter([x])
threading.Semaphore(x)
uuid.UUID(x)
"a b".split(x)
"a".replace("a", x)
"a".startswith(x)
",".join(x)
eval(x)
exec(x)
compile(x, "a", "eval")
getattr(1, x)
next(x)
callable(x) and x()
len(x)
1 if x else 2
""".strip().splitlines()
WAYS = "gives its value now; a task that is given it gets the value when it is there; a function"


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    notebook.ok(SETUP)
    notebook.ok("%%cascade --quiet\ndef load(): return 3\nx = load()")
    return notebook


@pytest.mark.filterwarnings("ignore")
def test_whatever_finds_a_lazy_value_is_read_with_the_three_ways(ready: Notebook) -> None:
    silent = []
    for use in USES:
        for cell in (use, f"%%cascade\n{use}"):
            done = ready.run(cell)
            if done.error is None or WAYS not in f"{done.text} {done.error}":
                silent.append((cell, done.text[-300:]))
    assert not silent


def test_the_words_name_what_was_handed_on(ready: Notebook) -> None:
    text = ready.run("hashlib.sha256(x)").text
    assert "A LazyResult is the call of a task that is not computed yet, as `x` is here:" in text
    assert "cs.run(x), gives its value now;" in text
    many = "hashlib.sha256(\n    x,\n)"
    assert "as `x` is here" in ready.run(many).text
    written_in_python = "found = re.sub(\n    'a', 'b',\n    x,\n)"
    assert "as `x` is here" in ready.run(written_in_python).text
    assert "as in `rows` here" in ready.run("rows = [x]\njson.dumps(rows)").text
    ready.ok("%%cascade --quiet\nmade = [load(), load()]")
    assert "cs.run(made), gives its value now;" in ready.run("float(made[1])").text
    inside = "def hashed(value):\n    return hashlib.sha256(value)\nhashed(x)"
    assert "as `value` is here" in ready.run(inside).text


@pytest.mark.parametrize(
    "cell",
    [
        "int('a')",
        "x.named('y'), int('a')",
        "x[0], hashlib.sha256(3)",
        "{}['a'], x",
        "[x][1]",
        "raise OSError('no such thing') if x is not None else None",
    ],
)
def test_errors_that_have_nothing_to_do_with_it_are_left_alone(ready: Notebook, cell: str) -> None:
    for prefix in ("", "%%cascade\n"):
        assert "A LazyResult" not in ready.run(prefix + cell).text


def test_a_write_to_a_large_result_says_that_a_copy_can_be_written_to(notebook: Notebook) -> None:
    notebook.ok("import cascade_nb as cs, numpy as np\nzeros = cs.task(np.zeros)")
    notebook.ok("small, large = cs.run(zeros(3)), cs.run(zeros(100_000))\nsmall[0] = 1")
    wrong = notebook.run("large[0] = 1")
    assert isinstance(wrong.error, ValueError)
    assert "`large`: a large array that a task returned" in wrong.text
    of_others = notebook.run("own = np.zeros(3); own.flags.writeable = False\nown[0] = 1")
    assert isinstance(of_others.error, ValueError)
    assert "a task returned" not in of_others.text
