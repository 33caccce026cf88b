import assert from "node:assert/strict"
import { test } from "node:test"

import { kindState } from "./kind_state.js"

const kind = { total: 5, done: 2, failed: 0, running: 0, held: 0, queued: 0, paused: false }

test("a kind stands as the weightiest of its nodes does", () => {
  const told = [
    [{}, "waiting"],
    [{ queued: 2 }, "queued"],
    [{ queued: 2, held: 1 }, "held"],
    [{ running: 1, held: 1 }, "running"],
    [{ running: 1, paused: true }, "held"],
    [{ done: 5 }, "done"],
    [{ done: 4, failed: 1, running: 1 }, "failed"],
  ]
  for (const [changes, state] of told) assert.equal(kindState({ ...kind, ...changes }, false), state)
})

test("what had not begun at the end was left", () => assert.equal(kindState(kind, true), "left"))
