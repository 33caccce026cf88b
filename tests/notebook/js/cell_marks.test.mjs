import assert from "node:assert/strict"
import { test } from "node:test"

import { together } from "./cell_marks.js"

const panel = (number, ended, cells) => ({ number, ended, cells })

test("of several panels the one of a run that goes on is believed, then that of the latest run", () => {
  const done = panel(2, true, { a: ["done", 1, 1], b: ["done", 1, 1] })
  const failed = panel(3, true, { a: ["failed", 0, 1] })
  const running = panel(1, false, { b: ["running", 0, 1] })
  for (const panels of [[done, failed, running], [running, failed, done], [failed, running, done]])
    assert.deepEqual([...together(panels)].sort(), [["a", ["failed", 0, 1]], ["b", ["running", 0, 1]]])
})

test("where no panel tells of a cell there is nothing to say", () => {
  assert.equal(together([]).size, 0)
  assert.equal(together([panel(1, true, {})]).size, 0)
})
