import assert from "node:assert/strict"
import { test } from "node:test"

import { marked, signOf } from "./tab_title.js"

const run = (phase, over = 0, total = 0) => ({ phase, over, total })

test("the title says how far the runs of a page are, all together", () => {
  assert.equal(marked("a.ipynb", [run("running", 1, 4)]), "▶ 25 % · a.ipynb")
  assert.equal(marked("a.ipynb", [run("running", 1, 4), run("paused", 3, 4), run("failed", 0, 9)]), "▶ 50 % · a.ipynb")
  assert.equal(marked("a.ipynb", [run("paused", 199, 200)]), "‖ 99 % · a.ipynb")
  assert.equal(marked("a.ipynb", [run("starting")]), "▶ 0 % · a.ipynb")
})

test("a run in which everything is held is held, though nobody has paused it", () => {
  const held = { ...run("running", 1, 4), held: true }
  assert.equal(marked("a.ipynb", [held]), "‖ 25 % · a.ipynb")
  assert.equal(signOf([held, run("running", 0, 4)]), "▶")
  assert.equal(signOf([]), "")
})

test("of runs that are over it says the worst end", () => {
  assert.equal(marked("a.ipynb", [run("succeeded", 4, 4)]), "✓ · a.ipynb")
  assert.equal(marked("a.ipynb", [run("succeeded"), run("cancelled")]), "■ · a.ipynb")
  assert.equal(marked("a.ipynb", [run("succeeded"), run("failed"), run("cancelled")]), "✕ · a.ipynb")
})

test("what was said before goes, and a title that only looks like it stays", () => {
  assert.equal(marked("▶ 25 % · ✓ notes", [run("running", 2, 4)]), "▶ 50 % · ✓ notes")
  assert.equal(marked("✕ · a.ipynb", []), "a.ipynb")
  assert.equal(marked("✓ notes", []), "✓ notes")
})
