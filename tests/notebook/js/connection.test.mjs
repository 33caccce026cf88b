import assert from "node:assert/strict"
import { mock, test } from "node:test"

import { connection } from "./connection.js"

const watched = () => {
  const shared = connection()
  const view = { drawn: 0, update: () => (view.drawn += 1) }
  const sent = []
  shared.views.add(view)
  shared.model = { send: (message) => sent.push(message) }
  return { shared, view, sent }
}

test("a click has a number, and the answer to it is awaited", () => {
  mock.timers.enable({ apis: ["setTimeout"] })
  const { shared, sent } = watched()
  const seq = shared.ask({ type: "hold", scope: "run", on: true })
  assert.equal(seq, 1)
  assert.deepEqual(sent, [{ type: "hold", scope: "run", on: true, page: shared.page, seq: 1 }])
  mock.timers.tick(5000)
  assert.equal(shared.late, true)
  shared.take({ ack: 1, page: shared.page })
  assert.equal(shared.late, false)
  mock.timers.reset()
})

test("the answer to another page's click is not taken for one's own", () => {
  mock.timers.enable({ apis: ["setTimeout"] })
  const { shared } = watched()
  shared.ask({ type: "cancel" })
  shared.take({ ack: 1, page: "another", error: "no" })
  assert.equal(shared.answered, 0)
  assert.equal(shared.error, null)
  mock.timers.reset()
})

test("what the kernel told stays until it tells otherwise", () => {
  const { shared, view } = watched()
  shared.take({ title: "report", boxes: { a: ["waiting"] } })
  shared.take({ boxes: { b: ["done"] } })
  assert.deepEqual(shared.state, { title: "report", boxes: { a: ["waiting"], b: ["done"] } })
  assert.equal(view.drawn, 2)
})

test("a kernel that is gone is said to be, and found again", () => {
  const { shared, view } = watched()
  const { model } = shared
  shared.model = {
    send() {
      throw new Error("no such comm")
    },
  }
  assert.equal(shared.ask({ type: "cancel" }), null)
  assert.equal(shared.gone, true)
  assert.equal(view.drawn, 1)
  shared.model = model
  shared.send({ type: "hello" })
  assert.equal(shared.gone, false)
})
