// Where the picture stands in its window: what is at (u, v) of the picture is seen at (x + k·u, y + k·v).
//
// `size` is that of the picture, `room` that of the window, both { width, height }; a place is a rectangle in the
// picture, { left, top, right, bottom }. No camera is ever changed: each function gives a new one.

const MOST = 4
const LEAST = 0.5
const SLACK = 24 // pixels beyond an edge of what is larger than the window
const SEEN = 120 // pixels that are seen of the picture wherever it is moved to

const between = (least, value, most) => Math.min(Math.max(least, value), most)

// Wherever a reader moves it, some of it is seen.
export function kept({ x, y, k }, size, room) {
  const stay = (at, length, width) => {
    const seen = Math.min(SEEN, length, width)
    return between(seen - length, at, width - seen)
  }
  return { x: stay(x, k * size.width, room.width), y: stay(y, k * size.height, room.height), k }
}

// Where nobody chose the place, none of the window is wasted.
export function tidy({ x, y, k }, size, room) {
  const stay = (at, length, width) =>
    length <= width ? (width - length) / 2 : between(width - length - SLACK, at, SLACK)
  return { x: stay(x, k * size.width, room.width), y: stay(y, k * size.height, room.height), k }
}

// All of it, and never larger than it is.
export function fit(size, room) {
  const k = Math.min(1, room.width / size.width, room.height / size.height)
  return { x: (room.width - k * size.width) / 2, y: (room.height - k * size.height) / 2, k }
}

export function moved({ x, y, k }, dx, dy, size, room) {
  return kept({ x: x + dx, y: y + dy, k }, size, room)
}

// What is under the point stays there.
export function zoomed({ x, y, k }, factor, at, size, room) {
  const to = between(Math.min(LEAST, fit(size, room).k), k * factor, MOST)
  return kept({ x: at.x - (to / k) * (at.x - x), y: at.y - (to / k) * (at.y - y), k: to }, size, room)
}

// The middle of a place in the middle of the window.
export function centred(place, k, size, room) {
  const x = room.width / 2 - (k * (place.left + place.right)) / 2
  const y = room.height / 2 - (k * (place.top + place.bottom)) / 2
  return tidy({ x, y, k }, size, room)
}

// Another window onto the same middle.
export function inRoom({ x, y, k }, size, before, room) {
  return kept({ x: x + (room.width - before.width) / 2, y: y + (room.height - before.height) / 2, k }, size, room)
}

// Another picture, in which what was at one place is at another: that stays where it is seen.
export function anchored({ x, y, k }, before, after) {
  return { x: x + k * (before.left - after.left), y: y + k * (before.top - after.top), k }
}

// A place of the picture as it is seen in the window.
export function seenAt({ x, y, k }, { left, top, right, bottom }) {
  return { left: x + k * left, top: y + k * top, right: x + k * right, bottom: y + k * bottom }
}

export function sees(camera, place, room) {
  const { left, top, right, bottom } = seenAt(camera, place)
  return left >= 0 && top >= 0 && right <= room.width && bottom <= room.height
}

// As far as it must go to see a place with a margin around it.
export function toward(camera, place, size, room, margin = 12) {
  const { left, top, right, bottom } = seenAt(camera, place)
  const by = (low, high, length) => {
    if (low < margin) return margin - low
    return high > length - margin ? Math.max(length - margin - high, margin - low) : 0
  }
  return moved(camera, by(left, right, room.width), by(top, bottom, room.height), size, room)
}

// That one of several places around which most of them are seen together.
export function densest(places, k, room) {
  const near = (a, b) =>
    Math.abs(a.left + a.right - b.left - b.right) * k < room.width &&
    Math.abs(a.top + a.bottom - b.top - b.bottom) * k < room.height
  const some = places.slice(0, 100)
  const counts = some.map((one) => some.filter((other) => near(one, other)).length)
  return some[counts.indexOf(Math.max(...counts))]
}

// What a turn of the wheel means: browsers count in pixels, lines or pages, and say a pinch as small turns with Ctrl.
export function wheelFactor({ deltaY, deltaMode, ctrlKey }) {
  const pixels = deltaY * [1, 33, 400][deltaMode]
  return Math.exp(-between(-240, pixels, 240) * (ctrlKey && Math.abs(pixels) < 50 ? 0.01 : 0.002))
}
