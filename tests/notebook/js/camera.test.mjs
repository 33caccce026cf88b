import assert from "node:assert/strict"
import { test } from "node:test"

import { anchored, centred, densest, fit, inRoom, moved, seenAt, sees, toward, wheelFactor, zoomed } from "./camera.js"

const room = { width: 400, height: 300 }
const large = { width: 2000, height: 1600 }
const small = { width: 200, height: 100 }
const place = (left, top) => ({ left, top, right: left + 100, bottom: top + 40 })
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`)

test("what is under the pointer stays under it while it is zoomed, in and out", () => {
  const at = { x: 130, y: 70 }
  let camera = { x: -600, y: -500, k: 1 }
  const point = ({ x, y, k }) => [(at.x - x) / k, (at.y - y) / k]
  const [u, v] = point(camera)
  for (const factor of [1.25, 1.5, 0.7, 1.1, 0.6]) {
    camera = zoomed(camera, factor, at, large, room)
    close(point(camera)[0], u)
    close(point(camera)[1], v)
  }
})

test("zooming ends: at four times its size, and where all of it is seen", () => {
  const middle = { x: 200, y: 150 }
  assert.equal(zoomed(fit(large, room), 1e9, middle, large, room).k, 4)
  assert.equal(zoomed({ x: 0, y: 0, k: 1 }, 1e-9, middle, large, room).k, fit(large, room).k)
  assert.equal(zoomed(fit(small, room), 1e-9, middle, small, room).k, 0.5)
})

test("to fit is to see all of it in the middle, and never larger than it is", () => {
  assert.deepEqual(fit(small, room), { x: 100, y: 100, k: 1 })
  assert.deepEqual(fit(large, room), { x: 12.5, y: 0, k: 0.1875 })
  assert.ok(sees(fit(large, room), { left: 0, top: 0, right: 2000, bottom: 1600 }, room))
})

test("however far it is moved it is not lost", () => {
  for (const size of [small, large])
    for (const [dx, dy] of [[1e6, 1e6], [-1e6, -1e6], [1e6, -1e6]]) {
      const camera = moved({ x: 0, y: 0, k: 1 }, dx, dy, size, room)
      const { left, top, right, bottom } = seenAt(camera, { left: 0, top: 0, right: size.width, bottom: size.height })
      assert.ok(left < room.width && right > 0 && top < room.height && bottom > 0)
    }
  assert.deepEqual(moved({ x: -300, y: -200, k: 2 }, 10, -20, large, room), { x: -290, y: -220, k: 2 })
})

test("it moves as little as needed to show a place, and not at all for what is seen", () => {
  const camera = { x: -600, y: -500, k: 1 }
  assert.deepEqual(toward(camera, place(700, 600), large, room), camera)
  assert.deepEqual(toward(camera, place(950, 600), large, room), { x: -662, y: -500, k: 1 })
  assert.deepEqual(toward(camera, place(500, 400), large, room), { x: -488, y: -388, k: 1 })
  // of what is larger than the window, the beginning
  assert.equal(toward(camera, { left: 700, top: 600, right: 1500, bottom: 640 }, large, room).x, 12 - 700)
})

test("a place stands in the middle, and stays there in another window", () => {
  const camera = centred(place(950, 780), 1, large, room)
  assert.deepEqual(seenAt(camera, place(950, 780)), { left: 150, right: 250, top: 130, bottom: 170 })
  const wider = { width: 600, height: 500 }
  assert.deepEqual(inRoom(camera, large, room, wider), centred(place(950, 780), 1, large, wider))
})

test("of what runs, that is looked at which has most of it around", () => {
  const places = [place(0, 0), place(1500, 1000), place(1550, 1050), place(1600, 1100)]
  assert.notEqual(densest(places, 1, room), places[0])
  assert.equal(densest([places[0]], 1, room), places[0])
})

test("a turn of the wheel is a step, a pinch is fine, and the sign says which way", () => {
  const turn = (deltaY, more) => wheelFactor({ deltaY, deltaMode: 0, ctrlKey: false, ...more })
  assert.ok(turn(-100) > 1.1 && turn(-100) < 1.4)
  close(turn(-100) * turn(100), 1)
  assert.ok(turn(-3, { deltaMode: 1 }) > 1.1)
  assert.ok(turn(-2, { ctrlKey: true }) > turn(-2))
  assert.ok(turn(-1e9) < 2)
})

test("in another picture what one looked at stays where it was seen", () => {
  const camera = { x: -100, y: -50, k: 1.5 }
  const after = anchored(camera, place(700, 600), place(350, 900))
  const { left, top } = seenAt(camera, place(700, 600))
  const now = seenAt(after, place(350, 900))
  assert.deepEqual([now.left, now.top, after.k], [left, top, 1.5])
})
