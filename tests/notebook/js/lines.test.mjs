import assert from "node:assert/strict"
import { test } from "node:test"

import { Lines } from "./lines.js"

const texts = (lines) => lines.lines.map(({ text }) => text)

test("a line that comes in pieces is one line", () => {
  const lines = new Lines()
  for (const piece of ["on", "e\ntw", "o"]) lines.add("stdout", piece)
  assert.deepEqual(texts(lines), ["one", "two"])
})

test("two streams do not share a line", () => {
  const lines = new Lines()
  lines.add("stdout", "out")
  lines.add("stderr", "err\n")
  lines.add("stdout", "more\n")
  assert.deepEqual(lines.lines, [
    { stream: "stdout", text: "out" },
    { stream: "stderr", text: "err" },
    { stream: "stdout", text: "more" },
  ])
})

test("a progress bar is one line that is written over", () => {
  const lines = new Lines()
  for (let done = 0; done <= 100; done++) lines.add("stderr", `\r${done} %`)
  lines.add("stderr", "\n")
  assert.deepEqual(texts(lines), ["100 %"])
})

test("a line that ends as other systems end it is no bar", () => {
  const lines = new Lines()
  lines.add("stdout", "one\r\ntwo\r\n")
  assert.deepEqual(texts(lines), ["one", "two"])
})

test("of very many lines the last are there, and the others are counted", () => {
  const lines = new Lines()
  for (let n = 0; n < 2500; n++) lines.add("stdout", `${n}\n`)
  assert.equal(lines.lines.length, 1000)
  assert.equal(lines.count, 2500)
  assert.equal(texts(lines).at(-1), "2499")
  lines.clear()
  assert.equal(lines.count, 0)
})
