import assert from "node:assert/strict"
import { test } from "node:test"

import { nearest } from "./nearest.js"

const at = (x, y) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 })
const places = [at(0, 0), at(100, 0), at(100, 80), at(200, 10), at(-50, 0)]

test("an arrow leads to the nearest in its direction", () => {
  assert.equal(nearest(places, 0, "ArrowRight"), 1)
  assert.equal(nearest(places, 1, "ArrowRight"), 3)
  assert.equal(nearest(places, 1, "ArrowDown"), 2)
  assert.equal(nearest(places, 2, "ArrowUp"), 1)
  assert.equal(nearest(places, 0, "ArrowLeft"), 4)
})

test("where nothing is, and for other keys, nothing is found", () => {
  assert.equal(nearest(places, 4, "ArrowLeft"), null)
  assert.equal(nearest(places, 0, "Home"), null)
  assert.equal(nearest([at(0, 0)], 0, "ArrowRight"), null)
})
