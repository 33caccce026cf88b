import assert from "node:assert/strict"
import { test } from "node:test"

import { itemAt, places, sizeOf } from "./squares.js"

test("few squares are large and many are small", () => {
  assert.ok(sizeOf(10) > sizeOf(1000))
  assert.ok(sizeOf(1000) > sizeOf(20000))
})

test("each item is found where it was put", () => {
  for (const count of [1, 40, 500, 20000]) {
    const laid = places(count, 500)
    for (const i of [0, Math.floor(count / 2), count - 1]) {
      const x = (i % laid.across) * laid.size + 1
      const y = Math.floor(i / laid.across) * laid.size + 1
      assert.equal(itemAt(laid, count, x, y), i)
      assert.ok(y < laid.height)
    }
  }
})

test("where no item is, none is found", () => {
  const laid = places(10, 500)
  assert.equal(itemAt(laid, 10, -1, 0), null)
  assert.equal(itemAt(laid, 10, 10 * laid.size + 1, 0), null)
  assert.equal(itemAt(laid, 10, 600, 0), null)
})
