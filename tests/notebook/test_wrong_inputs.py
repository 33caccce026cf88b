"""What is asked for wrongly is answered in one sentence, by the nearest word, and loses nothing."""

from __future__ import annotations

import pytest

from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

CELL = """%%cascade --quiet
def load(n): return list(range(n))
def double(x): return 2 * x
def boom(x): raise ValueError("x")
size = cs.Param("size", default=3, type=int)
raw = load(size)
doubled = double.map(x=raw)
bad = boom(raw)
plainlist = [load(1), load(2)]
number = 5
"""

#: What is written, `⏎` for a new line, and what the answer says.
WRONG = r"""
%cascade bogus → there is no %cascade command 'bogus'
%cascade rn → there is no %cascade command 'rn'; did you mean 'run' or 'runs'?
%cascade Run → there is no %cascade command 'Run'; did you mean 'run'?
%cascade run nope → there is no node 'nope'
%cascade run doubeld → there is no node 'doubeld'; did you mean 'doubled'?
%cascade run --wiat doubled → %cascade run takes no option '--wiat'; did you mean '--wait'?
%cascade run doubled --on-error maybe → %cascade run: --on-error is one of 'stop', 'continue', not
%cascade run doubled --priority high → a priority is a whole number from -1000 to 1000, the higher
%cascade run doubled --priority 9999 → a priority is a whole number from -1000 to 1000, the higher
%cascade run doubled -p siez=3 → nothing here reads a parameter 'siez'; did you mean 'size'?
%cascade run doubled -p size=abc → parameter 'size' takes int, and 'abc' (str) is none
%cascade run doubled -p size → a parameter is given as name=value, not 'size'
%cascade run doubled -p → %cascade run: --param needs a value behind it
%cascade run doubled -p =3 → a parameter is given as name=value, not '=3'
%cascade run number → `number` is the int 5, no lazy value, so there is nothing to run
%cascade run load → `load` is a task, no lazy value, so there is nothing to run; call it, and give
%cascade run doubled raw nope → there is no node 'nope'
%cascade run doubled[-1] → there is no node 'doubled[-1]'; did you mean 'doubled'?
%cascade run doubled[a] → there is no node 'doubled[a]'; did you mean 'doubled'?
%cascade run plainlist[7] → there is no item 'plainlist[7]'; plainlist has 2, from 0
%cascade run 3 → there is no node '3'
%cascade run doubled --wait=yes → %cascade run: --wait takes no value, not 'yes'
%cascade run doubled --share maybe → %cascade run takes no argument 'maybe'
%cascade run 'doubled → a quote is not closed in: 'doubled
%cascade graph nope → there is no node 'nope'
%cascade graph raw nope → there is no node 'nope'
%cascade graph number → `number` is the int 5, no lazy value, so there is nothing to run
%cascade graph load → `load` is a task, no lazy value, so there is nothing to run; call it, and giv
%cascade graph --all → %cascade graph takes no option '--all'
%cascade plan nope → there is no node 'nope'
%cascade plan --fresh → %cascade plan takes no option '--fresh'
%cascade plan doubled -p siez=1 → nothing here reads a parameter 'siez'; did you mean 'size'?
%cascade plan doubled -p size=x → parameter 'size' takes int, and 'x' (str) is none
%cascade why → %cascade why: say which node
%cascade why nope → there is no node 'nope'
%cascade why doubled raw → %cascade why takes no argument 'raw'
%cascade why number → there is no node 'number'
%cascade why plainlist[5] → there is no item 'plainlist[5]'; plainlist has 2, from 0
%cascade why doubled[1 → there is no node 'doubled[1'; did you mean 'doubled'?
%cascade status 99 → there is no run '99'
%cascade status abc → there is no run 'abc'
%cascade status -1 → there is no run '-1'; did you mean '1'?
%cascade status 1 2 → %cascade status takes no argument '2'
%cascade status --all → %cascade status takes no option '--all'
%cascade pause nope → there is no scope, task or node 'nope'
%cascade pause --before load --if "x >" → 'x >' is no expression (invalid syntax)
%cascade pause load --if x → a condition belongs to a breakpoint
%cascade pause --before load --if → --if needs a value behind it
%cascade pause tsk:load → there is no scope 'tsk:load'
%cascade pause task: → the scope 'task' needs a value of 1 to 120 printable characters without '/'
%cascade pause :load → there is no scope ':load'
%cascade pause load double → %cascade pause takes no argument 'double'
%cascade pause --for 10x → '10x' is no length of time
%cascade pause --for -5s → '-5s' is no length of time
%cascade pause --for 0s → a length of time is above zero, and '0s' is not
%cascade pause load --for → %cascade pause: --for needs a value behind it
%cascade pause --reson x → %cascade pause takes no option '--reson'; did you mean '--reason'?
%cascade resume nope → there is no scope, task or node 'nope'
%cascade resume task:load extra → %cascade resume takes no argument 'extra'
%cascade resume --all → %cascade resume takes no option '--all'
%cascade limit load → a limit is a whole number or off, not 'load', as in `%cascade limit train 4`
%cascade limit load -1 → a limit cannot be below zero, and -1 is; 0 lets none start
%cascade limit load 1.5 → a limit is a whole number or off, not '1.5', as in `%cascade limit train
%cascade limit load abc → a limit is a whole number or off, not 'abc', as in `%cascade limit train
%cascade limit nope 3 → there is no scope, task or node 'nope'
%cascade limit load 2 3 → %cascade limit takes a scope and a number, such as `%cascade limit train
%cascade limit 3 load → there is no scope, task or node '3'
%cascade limit task:load=3 → a limit is a whole number or off, not 'task:load=3', as in `%cascade l
%cascade limit load None → a limit is a whole number or off, not 'None', as in `%cascade limit trai
%cascade rate load → 'load' is no rate
%cascade rate load 10/x → '10/x' is no rate
%cascade rate load 0/m → a rate must be above zero, not '0/m'; to hold everything, pause
%cascade rate load -5/m → '-5/m' is no rate
%cascade rate load abc → 'abc' is no rate
%cascade rate load 10/m/s → '10/m/s' is no rate
%cascade rate load 10 m → %cascade rate takes a scope and a rate, such as `%cascade rate train
%cascade rate nope 10/m → there is no scope, task or node 'nope'
%cascade rate load 10/m 5 → %cascade rate takes a scope and a rate, such as `%cascade rate train
%cascade rate load inf → 'inf' is no rate
%cascade rate load nan → 'nan' is no rate
%cascade rate 10/x → '10/x' is no rate
%cascade breaker load → 'load' is no breaker; write how many failures within which time hold it
%cascade breaker load 3 → '3' is no breaker; write how many failures within which time hold it
%cascade breaker load 0/m → 1 to 1,000 failures can trip a breaker, not 0
%cascade breaker load 3/0s → the time that failures count within must be above zero
%cascade breaker load 3/1x → '3/1x' is no breaker
%cascade breaker load 3/m 5 → %cascade breaker takes a scope and failures per time, such as `%casca
%cascade breaker nope 3/m → there is no scope, task or node 'nope'
%cascade breaker load 3/m --prob 5m → %cascade breaker takes no option '--prob'; did you mean '--pr
%cascade guard memory → %cascade guard takes what it guards and how much, `%cascade guard memory
%cascade guard 85% → %cascade guard takes what it guards and how much, `%cascade guard memory 85%`
%cascade guard memory 85 → '85' is no part of the memory; write it as in '85%', above 0% and at most
%cascade guard memory 185% → '185%' is no part of the memory
%cascade guard nope memory 85% → there is no scope, task or node 'nope'
%cascade guard load raw memory 85% → %cascade guard takes one scope before `memory 85%`, not 'load'
%cascade guard memory 85% --suspnd → %cascade guard takes no option '--suspnd'; did you mean '--sus
cs.guard(85) → 85 is no part of the memory; write it as in '85%', above 0% and at most 100%
cs.guard("85%", "nope") → there is no scope, task or node 'nope'
cs.guard("85%", suspend="yes") → suspend is True or False, not 'yes'
%cascade breaker load 3/m --probe soon → 'soon' is no length of time
%cascade cancel → nothing is running
%cascade cancel 1 → run 1 is over: Done in
%cascade cancel 99 → there is no run '99'; nothing is running
%cascade cancel abc → there is no run 'abc'; nothing is running
%cascade cancel 1 2 → %cascade cancel takes no argument '2'
%cascade drop → %cascade drop: say which name
%cascade drop nope → there is no node or task 'nope'
%cascade drop raw nope → there is no node or task 'nope'
%cascade drop 3 → there is no node or task '3'
%cascade runs 5 → two runs are compared, so give two numbers
%cascade runs 98 99 → there is no run '98'
%cascade runs 1 2 3 → %cascade runs takes no argument '3'
%cascade runs --all → %cascade runs takes no option '--all'
%cascade times 99 → there is no run '99'
%cascade times abc → there is no run 'abc'
%cascade times 1 2 → %cascade times takes no argument '2'
%cascade panel 99 → there is no run '99'
%cascade panel abc → there is no run 'abc'
%cascade panel 1 2 → %cascade panel takes no argument '2'
%cascade panel --all → %cascade panel takes no option '--all'
%cascade attach → results and runs are only in this kernel's memory, so there is nothing to take up
%cascade attach 99 → results and runs are only in this kernel's memory, so there is nothing to take
%cascade attach zzz → results and runs are only in this kernel's memory, so there is nothing to tak
%cascade attach --now → %cascade attach takes no option '--now'
%cascade state bogus → 'bogus' is no place for results
%cascade state http://x → 'http://x' is no place for results
%cascade state sqlite: → 'sqlite:' names no file
%cascade state sqlite:///a.db?limit=abc → 'abc' is no size
%cascade state sqlite:///a.db?limt=1GB → a sqlite URL takes limit behind the '?', not 'limt'
%cascade state memory:?limit=-1 → '-1' is no size; write 500MB, 20GB or 1.5GiB
%cascade state memory: extra → %cascade state takes no argument 'extra'
%cascade state --older 3d → --older goes with --clean, which removes results
%cascade state --clean --older 3x → '3x' is no length of time
%cascade state --clean --older -3d → '-3d' is no length of time
%cascade state --clean --older → %cascade state: --older needs a value behind it
%cascade state memory: --clean → --clean removes from the place where results are kept now; give no
%cascade state --claen → %cascade state takes no option '--claen'; did you mean '--clean'?
%cascade prams → there is no %cascade command 'prams'; did you mean 'params' or 'pause'?
%cascade params siez=3 → there is no parameter 'siez'; did you mean 'size'?
%cascade params size=abc → parameter 'size' takes int, and 'abc' (str) is none
%cascade params size → a parameter is given as name=value, not 'size'
%cascade params size=4 --reset → either values are chosen, or all mean their defaults again
%cascade export → %cascade export: say which file, name
%cascade export flow.txt → flow.txt is no module and no page: `%cascade export flow.py` writes
%cascade export report.html 77 → there is no run '77'
%cascade export no/such/folder/flow.py → there is no folder no/such/folder to write flow.py to
%cascade import → %cascade import: say which file
%cascade import nope.py → nope.py cannot be read: No such file
%cascade pause --before nope → there is no scope, task or node 'nope'
%%cascade → this cell is empty
%%cascade --run nope⏎def f(x): return x⏎y = f(1) → there is no node 'nope'
%%cascade --rum⏎y = load(1) → %%cascade takes no option '--rum'; did you mean '--run'?
%%cascade bogus⏎y = load(2) → %%cascade takes no argument 'bogus'
%%cascade⏎load(1, 2, 3) → load(n) cannot be called so: too many positional arguments
%%cascade⏎q = load() → load(n) cannot be called so: missing a required argument: 'n'
%%cascade⏎q = load(m=3) → load(n) cannot be called so: there is no parameter 'm'
%%cascade⏎q = double.map(x=5) → double.map(x=…) goes through the items of a collection, and int has
%%cascade⏎q = double.map(y=[1]) → double(x) cannot be called so: there is no parameter 'y'
%%cascade⏎q = double.map() → double.map() needs at least one collection to go through
%%cascade⏎q = double.map([1,2]) → double.map() needs the parameter's name: double.map(x=…)
%%cascade⏎if raw: pass → load is not computed yet, so it is neither true nor false (to branch on it
%%cascade⏎for x in raw: pass → load is not computed yet, so it cannot be looped over (to run a task
%%cascade⏎print(f"{raw}") → load is not computed yet, so it has no text (`!r` shows what it stands
%%cascade⏎q = raw.foo → load is not computed yet, so it has no attribute 'foo'
%%cascade⏎q = raw == 3 → load is not computed yet, so it cannot be compared with the int 3
%%cascade⏎q = len(raw) → load is not computed yet, so it has no length
%%cascade⏎q = float(raw) → load is not computed yet, so it is no number
%%cascade⏎raw[0] = 3 → load is not computed yet, so nothing can be put into it
%%cascade⏎q = 3 in raw → load is not computed yet, so nothing can be looked for in it
%%cascade⏎q = {raw: 1} → load is not computed yet, so it has no hash, by which it could be a key of
%%cascade⏎q = raw() → load is not computed yet, so it cannot be called
cs.run(3) → 3 is no lazy value, so there is nothing to run
cs.run(__import__("pandas").DataFrame({"a": [1]})) → <1 by 1 DataFrame> is no lazy value
cs.run("raw") → 'raw' is no lazy value, so there is nothing to run
cs.run(load) → <task load(n)> is no lazy value, so there is nothing to run; call the task: load(…)
cs.run(raw, params={"siez": 3}) → nothing here reads a parameter 'siez'; did you mean 'size'?
cs.run(raw, params={"size": "abc"}) → parameter 'size' takes int, and 'abc' (str) is none
cs.run(raw, params=[1]) → params is a dict of names and values, params={'size': 3}, not [1]
cs.run(raw, on_error="maybe") → on_error is 'stop' or 'continue', not 'maybe'
cs.run(raw, log="loud") → a log is for 'human' or 'json', not 'loud'
cs.run(raw, share="maybe") → share is 'no' or 'wait', not 'maybe'
cs.start(3) → 3 is no lazy value, so there is nothing to run
cs.start(raw).result(timeout="x") → a timeout is a number of seconds, not 'x'
cs.plan(3) → 3 is no lazy value, so there is nothing to run
cs.plan(raw, params={"siez": 1}) → nothing here reads a parameter 'siez'; did you mean 'size'?
cs.visualize(3) → 3 is no lazy value, so there is nothing to run
cs.build_graph(3) → 3 is no lazy value, so there is nothing to run
cs.pause("nope") → there is no scope, task or node 'nope'
cs.pause(3) → a scope is text such as 'task:train', not 3
cs.pause("global", ttl=-1) → a time to live must be above zero and finite, not -1
cs.pause("global", ttl="x") → a time to live is a number of seconds, not 'x'
cs.pause("tsk:load") → there is no scope 'tsk:load'
cs.resume("nope") → there is no scope, task or node 'nope'
cs.resume(3) → a scope is text such as 'task:train', not 3
cs.limit("load", -1) → a limit cannot be below zero, and -1 is; 0 lets none start
cs.limit("load", 1.5) → a limit is a whole number, not 1.5
cs.limit("load", "x") → a limit is a whole number, not 'x'
cs.limit(3, 3) → a scope is text such as 'task:train', not 3
cs.rate("load", "10/x") → '10/x' is no rate
cs.rate("load", 0) → a rate must be above zero, not 0; to hold everything, pause
cs.rate("load", -1) → a rate must be above zero, not -1; to hold everything, pause
cs.rate("load", [1]) → [1] is no rate; write starts per time, as in '10/m', '5/s', '300/h', or a nu
cs.rate("load", "") → '' is no rate; write starts per time, as in '10/m', '5/s', '300/h', or a numb
cs.rate("nope", "10/m") → there is no scope, task or node 'nope'
cs.breaker("load", "x") → 'x' is no breaker; write how many failures within which time hold it, a
cs.breaker("load", 3) → 3 is no breaker
cs.breaker("load", "3/m", probe_after=0) → the time that a probe comes after must be above zero and
cs.breaker("nope", "3/m") → there is no scope, task or node 'nope'
cs.clean("x") → 'x' is no length of time
cs.clean(-1) → a length of time is text such as '30d', or seconds, not -1
cs.use_state("bogus") → 'bogus' is no place for results
cs.use_state(3) → 3 is no place for results; give a URL, such as 'sqlite:///results.db'
cs.use_state("sqlite:") → 'sqlite:' names no file
cs.use_state("sqlite:////") → 'sqlite:////' names no file
cs.use_state("sqlite:///.") → 'sqlite:///.' names no file
cs.use_state("sqlite:///a%00b") → 'sqlite:///a%00b' names no file
run.why("nope") → there is no node 'nope'
run.why("doubled[99]") → there is no item 'doubled[99]'; doubled has 3, from 0
run.why(3) → there is no node 3
run.partial("nope") → there is no node 'nope'
run.partial(3) → there is no node 3
run.pause("nope") → there is no scope, task or node 'nope'
run.limit("double", -1) → a limit cannot be below zero, and -1 is; 0 lets none start
run.rate("double", "x") → 'x' is no rate; write starts per time, as in '10/m', '5/s', '300/h', or a
run.breaker("double", "x") → 'x' is no breaker
run.resume("nope") → there is no scope, task or node 'nope'
run.retry_failed() → nothing failed in <run 1 of doubled
raw.named("") → '' cannot be a name: it must be 1 to 120 printable characters without '/', '#' and
raw.named("a/b") → 'a/b' cannot be a name: it must be 1 to 120 printable characters without '/', '#
raw.named(3) → a name is text, not int
raw.tagged("a#b") → 'a#b' cannot be a tag: it must be 1 to 120 printable characters without '/', '#
raw.tagged(3) → a tag is text, not int
raw.with_retry(0) → max_attempts counts the first attempt too, so it is at least 1, not 0
raw.with_retry("x") → max_attempts must be a whole number, not 'x'
raw.with_retry(3, delay=-1) → delay must be a number of at least 0, not -1
raw.with_retry(3, on="x") → `on` takes exception classes, not ('x',)
raw.with_timeout(0) → a timeout must be above zero and finite, not 0
raw.with_timeout(-1) → a timeout must be above zero and finite, not -1
raw.with_timeout("x") → a timeout is a number of seconds, not 'x'
raw.with_cache(ttl="x") → ttl: 'x' is no length of time
raw.with_cache(ttl=-1) → ttl must be above zero and finite, not -1
raw.with_constraints(gpu="x") → gpu='x': an amount is a number
raw.with_constraints(gpu=-1) → gpu=-1: an amount is finite and at least 0
cs.run(raw.with_constraints(gpu=1)) → load needs 'gpu'
raw.after(3) → .after() takes lazy values, the results of task calls, not the int 3
raw.valeu → load is not computed yet, so it has no attribute 'valeu'
raw.foo() → load is not computed yet, so it has no attribute 'foo'
raw.reslt() → load is not computed yet, so it has no attribute 'reslt'
raw.compute() → load is not computed yet, so it has no attribute 'compute'
cs.task(3) → a task is made of a function, and 3 is none
cs.task(load, retries=3) → a task has no option 'retries'; did you mean `retry=`?
cs.task(load, executor="gpu") → load is a task already
cs.task(load, timeout=-1) → a timeout must be above zero and finite, not -1
cs.task()(3) → a task is made of a function, and 3 is none
cs.Param(3) → a parameter name is text, not int
cs.Router(raw, {}) → a Router takes its routes as a dict of key and branch, not {}
cs.Router(raw, 3) → a Router takes its routes as a dict of key and branch, not 3
cs.sequence() → a sequence needs at least one step
cs.sequence(3) → a step of a sequence is a lazy value, not 3
cs.resource(3) → a resource is a function that yields once, and 3 does not yield
cs.inject(3) → cs.inject() takes what @cs.resource made, not 3
cs.Engine(executor=3) → 3 is no executor: it has no method submit()
cs.Engine(state_backend="bogus") → 'bogus' is no place for results
cs.Engine(lease=-1) → a lease must be above zero and finite, not -1
cs.Engine(solver=3) → 3 is not a solver: it has no method ranks()
cs.Engine(system_resources={"gpu": "x"}) → gpu='x': an amount is a number
cs.track(3) → cs.track() goes through the items of something, not 3
double.map(x=raw, y=[1]) → double(x) cannot be called so: there is no parameter 'y'
double.partial(y=1) → double(x): there is no parameter 'y'
double.lazy() → double(x) cannot be called so: missing a required argument: 'x'
int(raw) → load is not computed yet, so it is no number
await raw → load is not computed yet, so it cannot be awaited
raw.value + bad.value → no value of bad stands
a, b = load(2) → load is not computed yet, so it cannot be looped over (to run a task for each of i
a, b, c = raw → load is not computed yet, so it cannot be looped over (to run a task for each of it
x = raw[0:2]; x.value → no value of load[0:2] stands
assert raw == [0,1,2] → load is not computed yet, so it cannot be compared with the list [0, 1, 2]
"""


@pytest.fixture
def built(notebook: Notebook) -> Notebook:
    notebook.ok("import cascade_nb as cs")
    notebook.ok(CELL, "A")
    notebook.ok("run = %cascade run doubled --wait")
    return notebook


def test_what_is_wrong_is_answered_in_one_sentence_and_loses_nothing(built: Notebook) -> None:
    for line in WRONG.strip().splitlines():
        cell, words = line.split(" → ")
        done = built.run(cell.replace("⏎", "\n"))
        error = done.error
        assert error is not None, f"{cell}: {done.text}"
        assert words in str(error), f"{cell}: {error}"
        assert "\n" not in str(error), cell
        shown = [line for line in done.text.splitlines() if "cascade_nb/" in line]
        assert not shown, f"{cell} shows how we work: {done.text}"
        assert done.text.count("Traceback") <= 1, f"{cell}: {done.text}"
    assert built.ok("(run.result(), doubled.value, number)").result == ([0, 2, 4], [0, 2, 4], 5)
    assert "In force" not in built.ok("%cascade status").text
    assert "2 stand\n  raw, doubled" in built.ok("%cascade plan doubled").text


def test_what_stands_beside_a_wrong_word_is_said(built: Notebook) -> None:
    assert "There was no limit of load tasks." in built.ok("%cascade limit load off").text
    built.ok("%cascade limit double 3")
    text = built.ok("%cascade limit load off").text
    assert "There was no limit of load tasks; there is one of task:double." in text
    assert "No limit any more: double tasks." in built.ok("%cascade limit double off").text
    assert "There is no such tag yet" in built.ok("%cascade pause tag:nope").text
    assert "There is no such run now." in built.ok("%cascade pause run:99").text
    built.ok("%cascade resume run:99\n%cascade resume")
    assert "Removed 2 results" in built.ok("%cascade state --clean --older 0s").text
    assert "There are no results to remove." in built.ok("%cascade state --clean --older 0").text


def test_a_wrong_scope_is_answered_with_names_of_the_users(built: Notebook) -> None:
    text = built.run("%cascade pause nope").text
    assert "there is " in text
    for house in ("ask", "recv", "grid_of", "(add)"):
        assert f"'{house}'" not in text
    built.ok("%%cascade --quiet\nnopal = double(3) + 1\nasked = cs.ask('right?')")
    assert "did you mean 'nopal'" in built.run("%cascade pause nope").text


def test_a_run_is_paused_by_its_number(built: Notebook) -> None:
    built.ok("%cascade pause double\nrun = cs.start(doubled, fresh=True)")
    text = built.ok("%cascade pause run:2").text
    assert f"Paused: run {built.names['run'].id}." in text
    built.ok("%cascade resume double\n%cascade resume run:2")
    assert built.ok("run.result()").result == [0, 2, 4]


def test_who_waited_long_enough_is_told_how_the_run_stands(built: Notebook) -> None:
    built.ok("%cascade pause double\nrun = cs.start(doubled, fresh=True)")
    built.ok("import time\nwhile not run.status.held: time.sleep(0.01)")
    done = built.run("run.result(timeout=0.2)")
    assert isinstance(done.error, TimeoutError)
    assert "doubled is not there after 0.2 s; run 2 goes on: " in str(done.error)
    assert "task held" in str(done.error) or "tasks held" in str(done.error)
    assert "cascade_nb/" not in done.text
    built.ok("%cascade resume double")
    assert built.ok("run.result()").result == [0, 2, 4]


def test_what_a_limit_of_nothing_stops_says_how_to_lift_it(built: Notebook) -> None:
    said = built.ok("%cascade limit double 0").text
    until = "None starts until `%cascade limit double off`."
    assert said == f"At most 0 at once: double tasks. {until}\n"
    built.ok("run = cs.start(doubled, fresh=True)")
    # Before its items it is its input that is queued for a moment.
    built.ok("import time\nwhile run.status.queued != 3: time.sleep(0.01)")
    assert "`%cascade limit double off` lifts it" in built.ok("%cascade why doubled").text
    assert "queued · at most 0 of double tasks at once" in built.ok("%cascade status").text
    said = built.ok("%cascade limit double 0").text
    assert f"double tasks. {until} Holds 3. Run " in said
    built.ok("%cascade limit double off")
    assert built.ok("run.result()").result == [0, 2, 4]
    built.ok("%cascade limit 0\nrun = cs.start(doubled, fresh=True)")
    built.ok("while not run.status.queued: time.sleep(0.01)")
    assert "`%cascade limit off` lifts it" in built.ok("run.status.headline").text
    built.ok("%cascade limit off\nrun.result()")


def test_tasks_that_only_serve_the_notebook_are_not_among_those_that_are_offered(
    built: Notebook,
) -> None:
    built.ok("%%cascade --quiet\nxs = [raw]\nxs = [*xs, 3]")  # which is held by a task of ours
    # the nearest is offered, whatever else other tests have left in this process
    assert "'load'" in str(built.run("%cascade limit laod 3").error)
    assert "'value'" not in str(built.run("%cascade limit valu 3").error)
