import assert from "node:assert/strict"
import { test } from "node:test"

import { matches } from "./finder.js"

const texts = ["load#1: a task · done", "Train ×12 · running", "train late · failed", "[x] (y"]

test("what holds each word of the query is found, in whatever case", () => {
  assert.deepEqual(matches("train", texts), [1, 2])
  assert.deepEqual(matches("TRAIN failed", texts), [2])
  assert.deepEqual(matches("failed  late", texts), [2])
  assert.deepEqual(matches("nowhere", texts), [])
})

test("a query is text and no pattern, and an empty one finds nothing", () => {
  assert.deepEqual(matches("[x] (", texts), [3])
  assert.deepEqual(matches(".*", texts), [])
  assert.deepEqual(matches("  ", texts), [])
})
