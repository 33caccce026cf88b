"""Small notebooks in the style of courses and blogs, for what becomes of them under `%%cascade`.

Cells are divided by `---`. They use the standard library in the places of pandas and scikit-learn.
"""

from __future__ import annotations

from typing import Final

NOTEBOOKS: Final = {
    "values are used at once": """
def square(x):
    return x * x
print(square(3))
---
def area(r):
    return 3 * r * r
if area(2) == 12:
    print("twelve")
---
def name(n):
    return "n" * n
print(f"{name(3)} and {name(2)!r:>6}")
assert name(1) == "n"
assert "n" in name(4)
""",
    "a value has a name and is used in the same cell": """
def mean(xs):
    return sum(xs) / len(xs)
m = mean([1, 2, 3])
print(f"mean: {m:.2f}")
---
def spread(xs, m):
    return [x - m for x in xs]
m = mean([2, 4])
ds = spread([2, 4], m)
for d in ds:
    print(d)
---
def rate(t):
    return 1 / (t + 1)
w = 4.0
path = []
for t in range(3):
    eta = rate(t)
    w = w - eta * 2 * w
    path.append(w)
print([round(p, 2) for p in path])
---
best = None
for x in range(3):
    score = mean([x, 1])
    if best is None or score > best:
        best = score
print(best)
---
def bounds(xs):
    return min(xs), max(xs)
low, high = bounds([3, 1])
assert low < high and mean(bounds([3, 1])) == 2
found = {}
for x in range(3):
    found[x] = mean([x])
print(sorted(found.items()))
---
class Line:
    def __init__(self, slope):
        self.slope = slope
    def at(self, x):
        return self.slope * x
line = Line(mean([1, 3]))
print(line.at(2))
""",
    "what can be gone through only once is an argument": """
from itertools import combinations
def join(parts, sep=""):
    return [sep.join(part) for part in parts]
pairs = join(combinations("abc", 2))
print(len(pairs))
---
later = join(combinations("abc", 2))
---
letters = iter("xyz")
word = join(letters)
print(sum(map(len, word)), list(letters))
---
total = sum(len(w) for w in join((w + w for w in "ab"), sep="-"))
print(total)
""",
    "a text is evaluated": """
class side_by_side:
    def __init__(self, *texts):
        self.texts = texts
    def __str__(self):
        return " | ".join(str(eval(text)) for text in self.texts)
def rows(n):
    return list(range(n))
a = rows(2)
print(side_by_side("a", "a + [5]"))
---
def double(x):
    return 2 * x
b = rows(3)
print(side_by_side("b", "double(b)"))
---
print(eval("double(4)"))
""",
    "a table is given a column, a step reads another's value": """
import array
def scaled(n):
    return 2 * n
numbers = array.array("d", [0, 0])
numbers[0] = scaled(2)
print(list(numbers))
---
rate = scaled(3)
def step(x):
    return x + rate
x = 1
while x < 20:
    x = step(x)
print(x)
""",
    "a function that keeps what it gave": """
from functools import lru_cache
size = 3
@lru_cache(None)
def ways(n):
    return 1 if n < 2 else sum(ways(n - step) for step in range(1, size) if n >= step)
---
def set_size(n):
    global size
    if n != size:
        size = n
        ways.cache_clear()
print(ways(5))
---
set_size(4)
print(ways(5), ways.cache_info().currsize > 0)
""",
    "axes and grids": """
import types
def grid(n):
    return [types.SimpleNamespace(drawn=[]) for _ in range(n)]
def curve(x):
    return [x, x * x]
axes = grid(2)
for i in range(2):
    ax = axes[i]
    ax.drawn.extend(curve(i))
print([ax.drawn for ax in axes])
""",
    "values are kept and run later": """
def load(n):
    return list(range(n))
def total(xs):
    return sum(xs)
xs = load(5)
t = total(xs)
---
def double(x):
    return 2 * x
ys = [double(i) for i in range(4)]
d = {k: double(k) for k in (1, 2)}
z = double(total(xs)) + 1
""",
    "helpers call helpers": """
def norm(x):
    return x / 2
def norms(xs):
    return [norm(x) for x in xs]
def report(xs):
    return {"n": norms(xs), "m": max(norms(xs))}
r = report([1, 2, 3])
---
def compare(a, b):
    return norm(a) == norm(b)
c = compare(1, 1)
""",
    "functions for their effect": """
log = []
def show(x):
    print("value:", x)
show(3)
x = 1
---
def add(x):
    log.append(x)
add(1)
add(2)
print(log)
---
for i in range(3):
    show(i)
print("end")
---
def header():
    print("=" * 5)
header()
""",
    "functions for their effect, used in a later cell": """
def show(x):
    print("value:", x)
---
show(3)
---
show("last")
x = 2
---
for i in range(2):
    show(i)
""",
    "a value that nothing keeps": """
def save(x):
    return x + 1
save(3)
y = 2
---
for i in range(3):
    save(i)
print("done")
""",
    "generators": """
def count(n):
    i = 0
    while i < n:
        yield i
        i += 1
print(list(count(3)))
---
for i in count(2):
    print(i)
total = sum(count(4))
""",
    "functions as values": """
def key(x):
    return -x
ordered = sorted([3, 1, 2], key=key)
print(ordered)
---
def twice(x):
    return 2 * x
print(list(map(twice, [1, 2])))
---
import functools
def add(a, b):
    return a + b
s = functools.reduce(add, [1, 2, 3])
print(s)
---
def is_odd(x):
    return x % 2 == 1
odd = [x for x in range(5) if is_odd(x)]
also = list(filter(lambda x: is_odd(x), range(5)))
print(odd, also)
""",
    "decorators": """
import functools
def timed(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper
@timed
def slow(x):
    return x + 1
y = slow(2)
---
def repeat(n):
    def deco(f):
        return lambda *a: [f(*a)] * n
    return deco
@repeat(2)
def hello(x):
    return x
h = hello("x")
---
@functools.lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
f10 = fib(10)
""",
    "closures": """
def adder(n):
    def add(x):
        return x + n
    return add
add5 = adder(5)
print(add5(1))
---
def power(n):
    return lambda x: x ** n
print(power(2)(3))
""",
    "errors are caught": """
def div(a, b):
    return a / b
try:
    r = div(1, 0)
except ZeroDivisionError:
    print("cannot")
---
def check(x):
    if x < 0:
        raise ValueError("negative")
    return x
for v in (1, -1):
    try:
        print(check(v))
    except ValueError as error:
        print(error)
""",
    "unpacking": """
def split(xs):
    return xs[:2], xs[2:]
train, test = split([1, 2, 3])
---
def three():
    return 1, 2, 3
a, *rest = three()
*most, last = three()
first, *middle, end = three()
---
def nested():
    return 1, (2, 3)
p, (q, r) = nested()
---
def pair(i):
    return i, i * i
for n, sq in [pair(1), pair(2)]:
    pass
x = y, z = pair(3)
---
(u, v), w = pair(1), 5
""",
    "every way of binding": """
def one(): return 1
if (n := one()) is not None:
    pass
any((found := one()) is None for _ in range(2))
---
import math as m, json
from collections import Counter as C
with open("/dev/null") as handle:
    pass
for i in range(3):
    k = i
---
def set_it():
    global counter
    counter = 5
set_it()
print(counter)
---
match (1, [2, 3]):
    case (a, [b, *c]):
        print(a, b, c)
del k
x = y = 3
x += 1
y: int = 4
""",
    "classes": """
def clean(s):
    return s.strip()
class Model:
    def __init__(self, name):
        self.name = clean(name)
    def fit(self, xs):
        self.mean = sum(xs) / len(xs)
        return self
    def __repr__(self):
        return f"Model({self.name!r})"
m = Model(" a ").fit([1, 2, 3])
print(m, m.mean)
---
import dataclasses
@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
def make(x):
    return Point(x)
p = make(3)
""",
    "a main function": """
def step(x):
    return x + 1
def main():
    y = step(1)
    print("result", y)
    return y
if __name__ == "__main__":
    main()
---
def run_all():
    for i in range(2):
        print(step(i))
run_all()
""",
    "changes in place": """
def push(xs, x):
    xs.append(x)
    return len(xs)
stack = []
n = push(stack, 1)
n = push(stack, 2)
print(stack)
---
count = 0
def bump():
    global count
    count += 1
    return count
b = bump()
print(count)
---
table = {"a": [3, 1]}
def order(t):
    t["a"].sort()
    return t
o = order(table)
print(table)
""",
    "recursion": """
def fact(n):
    return 1 if n == 0 else n * fact(n - 1)
f = fact(5)
---
print(fact(4))
---
def depth(t):
    return 1 + max((depth(c) for c in t), default=0)
print(depth([[], [[]]]))
""",
    "values out of containers": """
def stats(xs):
    return {"mean": sum(xs) / len(xs), "n": len(xs)}
s = stats([1, 2, 3])
mean = s["mean"]
double = 2 * mean
---
print(stats([1, 2])["n"])
---
best = max(stats([i])["mean"] for i in (1, 2))
print(best)
""",
    "values are formatted and looped over in the next cell": """
def numbers(n):
    return list(range(n))
xs = numbers(3)
---
print(xs)
---
for x in xs:
    print(x)
---
print(f"{len(xs)} numbers")
---
if xs == [0, 1, 2]:
    print("right")
---
ys = [x + 1 for x in xs]
---
import statistics
m = statistics.mean(xs)
---
xs.append(3)
---
names = [str_of(i) for i in range(2)] if False else [numbers(i) for i in range(2)]
---
print(", ".join(names))
""",
    "async": """
import asyncio
async def fetch(n):
    await asyncio.sleep(0)
    return n
r = await fetch(3)
print(r)
---
async def both():
    return await asyncio.gather(fetch(1), fetch(2))
xs = await both()
---
async def ticks(n):
    for i in range(n):
        yield i
async for t in ticks(2):
    print(t)
""",
    "plain cells": """
import math
pi = math.pi
print(round(pi, 2))
---
# only a remark
---
words = "a b a".split()
counts = {}
for w in words:
    counts[w] = counts.get(w, 0) + 1
print(counts)
---
lines = [f"{k}: {v}" for k, v in counts.items()]
print("\\n".join(lines))
""",
    "a cell that fails half-way": """
def load(n):
    return n
x = load(3)
print(undefined)
y = 2
---
def use(x):
    return x + 1
u = use(3)
""",
    "a pipeline of steps": """
rows = [{"name": "a", "n": 1}, {"name": "b", "n": None}]
def clean(rows):
    return [r for r in rows if r["n"] is not None]
def features(rows):
    return [[r["n"]] for r in rows]
def fit(xs):
    return {"w": sum(x[0] for x in xs)}
def predict(model, x):
    return model["w"] * x
cleaned = clean(rows)
X = features(cleaned)
model = fit(X)
scores = [predict(model, x) for x in (1, 2)]
---
def evaluate(scores, limit=1):
    return [s > limit for s in scores]
ok = evaluate(scores)
ok = evaluate(scores, limit=0)
""",
    "plots": """
class Canvas:
    def __init__(self):
        self.lines = []
    def plot(self, xs):
        self.lines.append(list(xs))
plt = Canvas()
def data(n):
    return list(range(n))
def plot(n):
    plt.plot(data(n))
plot(3)
print(plt.lines)
---
def figure(n):
    plt.plot(data(n))
    return len(plt.lines)
count = figure(2)
print(plt.lines)
""",
}
