import assert from "node:assert/strict"
import { test } from "node:test"

import { aboutText, agoText, exactText, lengthText, number } from "./words.js"

test("a length of time is told in the two largest units", () => {
  const told = { 0: "0 s", 59.9: "59 s", 60: "1 min", 61: "1 min 1 s", 3600: "1 h 0 min", 7325: "2 h 2 min" }
  for (const [seconds, words] of Object.entries(told)) assert.equal(lengthText(Number(seconds)), words)
  assert.equal(lengthText(-5), "0 s")
})

test("what is over is told as exactly as one wants to know it", () => {
  const told = { 0.0123: "12 ms", 0.94: "940 ms", 1: "1 s", 1.26: "1.3 s", 9.94: "9.9 s", 12.4: "12 s", 90: "1 min 30 s" }
  for (const [seconds, words] of Object.entries(told)) assert.equal(exactText(Number(seconds)), words)
})

test("what is left is told roughly", () => {
  const told = { 3: "a few seconds left", 33: "about 35 s left", 150: "about 3 min left", 9000: "about 2.5 h left" }
  for (const [seconds, words] of Object.entries(told)) assert.equal(aboutText(Number(seconds)), words)
})

test("what was is told by how long ago", () => {
  assert.equal(agoText(1), "just now")
  assert.equal(agoText(12), "12 s ago")
  assert.equal(agoText(125), "2 min 5 s ago")
})

test("thousands are set apart", () => assert.equal(number(1234567), "1,234,567"))
