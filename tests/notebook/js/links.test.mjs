import assert from "node:assert/strict"
import { test } from "node:test"

import { Links } from "./links.js"

// load 0 → clean 1 → train 2, 3 → choose 4; notes 5 stands alone
const pairs = [[0, 1], [1, 2], [1, 3], [2, 4], [3, 4]]
const at = (x, y) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 })
const lying = [at(0, 0), at(100, 0), at(200, -40), at(200, 30), at(300, 0), at(0, 90)]
const upright = lying.map(({ left, right, top, bottom }) => ({ left: top, right: bottom, top: left, bottom: right }))
const links = new Links(6, pairs)
const sorted = (numbers) => [...numbers].sort((a, b) => a - b)

test("around a box are all that lead to it and all that it leads to, and the lines between them", () => {
  assert.deepEqual(sorted(links.around(2).boxes), [0, 1, 2, 4])
  assert.deepEqual(sorted(links.around(2).lines), [0, 1, 3])
  assert.deepEqual(sorted(links.around(0).boxes), [0, 1, 2, 3, 4])
  assert.deepEqual(sorted(links.around(5).boxes), [5])
  assert.deepEqual(sorted(links.around(5).lines), [])
})

test("tasks drawn as one may go round in a ring", () => {
  assert.deepEqual(sorted(new Links(3, [[0, 1], [1, 0], [1, 2]]).around(0).boxes), [0, 1, 2])
})

test("arrows that go with the lines walk along them, and nowhere else", () => {
  assert.equal(links.walk(lying, 0, "ArrowRight"), 1)
  assert.equal(links.walk(lying, 1, "ArrowRight"), 3) // the straightest of two
  assert.equal(links.walk(lying, 3, "ArrowLeft"), 1)
  assert.equal(links.walk(lying, 4, "ArrowRight"), null)
  assert.equal(links.walk(lying, 5, "ArrowRight"), null)
})

test("the others lead to what stands beside it", () => {
  assert.equal(links.walk(lying, 2, "ArrowDown"), 3)
  assert.equal(links.walk(lying, 0, "ArrowDown"), 5)
  assert.equal(links.walk(lying, 5, "ArrowUp"), 0)
})

test("where the picture grows downwards the arrows are turned with it", () => {
  assert.equal(links.isUpright(lying), false)
  assert.equal(links.isUpright(upright), true)
  assert.equal(links.walk(upright, 0, "ArrowDown"), 1)
  assert.equal(links.walk(upright, 1, "ArrowDown"), 3)
  assert.equal(links.walk(upright, 2, "ArrowRight"), 3)
})
