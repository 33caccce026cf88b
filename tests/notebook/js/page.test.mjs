import assert from "node:assert/strict"
import { test } from "node:test"

import { cellOf, isTrusted, rich } from "./page.js"

const manager = (...trusted) => ({
  context: { model: { cells: { length: trusted.length, get: (i) => ({ type: "code", trusted: trusted[i] }) } } },
  rendermime: {
    preferredMimeType: (data) => Object.keys(data).find((name) => name !== "text/plain"),
    createRenderer: (name) => ({ node: { name }, renderModel: async () => {} }),
    createModel: (made) => made,
  },
})

test("a notebook is trusted when all of its code is", () => {
  assert.equal(isTrusted(manager(true, true)), true)
  assert.equal(isTrusted(manager(true, false)), false)
  assert.equal(isTrusted(null), false)
})

test("only a trusted notebook is shown more than text", () => {
  const data = { "text/plain": "1", "text/html": "<b>1</b>" }
  assert.deepEqual(rich(manager(true), data), { name: "text/html" })
  assert.equal(rich(manager(false), data), null)
  assert.equal(rich(null, data), null)
  assert.equal(rich(manager(true), { "text/plain": "1" }), null)
})

test("a cell is found by its number, and nothing else is", () => {
  const cell = {}
  const page = { querySelectorAll: () => [{ textContent: "[4]:", closest: () => cell }] }
  assert.equal(cellOf("cell [4]", page), cell)
  assert.equal(cellOf("cell [5]", page), null)
  assert.equal(cellOf("module.py", page), null)
})
