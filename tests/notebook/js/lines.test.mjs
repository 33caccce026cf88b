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
    { stream: "stdout", node: "", text: "outmore" },
    { stream: "stderr", node: "", text: "err" },
  ])
})

test("a progress bar is one line that is written over", () => {
  const lines = new Lines()
  for (let done = 0; done <= 100; done++) lines.add("stderr", `\r${done} %`)
  lines.add("stderr", "\n")
  assert.deepEqual(texts(lines), ["100 %"])
})

test("two nodes do not share a line, and each has one bar that is written over", () => {
  const lines = new Lines()
  for (let done = 0; done <= 3; done++) for (const node of ["a", "b"]) lines.add("stderr", `\r${node} ${done}`, node)
  lines.add("stdout", "half", "a")
  lines.add("stdout", "other\n", "b")
  lines.add("stdout", " whole\n", "a")
  assert.deepEqual(texts(lines), ["a 3", "b 3", "half whole", "other"])
})

test("a line that has gone is not written on", () => {
  const lines = new Lines()
  lines.add("stdout", "open", "a")
  for (let n = 0; n < 1000; n++) lines.add("stdout", `${n}\n`, "b")
  lines.add("stdout", " again\n", "a")
  assert.equal(texts(lines).at(-1), " again")
  assert.equal(lines.count, 1002)
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
