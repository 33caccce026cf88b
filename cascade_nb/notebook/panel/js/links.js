// What leads to what in the picture, by the numbers of the boxes.

import { nearest } from "./nearest.js"

export class Links {
  // `pairs` are those of the lines, each [source, target].
  constructor(count, pairs) {
    this.pairs = pairs
    this.after = Array.from({ length: count }, () => [])
    this.before = Array.from({ length: count }, () => [])
    for (const [source, target] of pairs) {
      this.after[source]?.push(target)
      this.before[target]?.push(source)
    }
  }

  // A box with all that is upstream and downstream of it, and the lines between these.
  around(box) {
    const up = reached(this.before, box)
    const down = reached(this.after, box)
    const within = ([source, target]) => (up.has(source) && up.has(target)) || (down.has(source) && down.has(target))
    const lines = this.pairs.flatMap((pair, i) => (within(pair) ? [i] : []))
    return { boxes: new Set([...up, ...down]), lines: new Set(lines) }
  }

  // Whether the lines go downwards rather than to the right.
  isUpright(places) {
    const middle = (place) => [place.left + place.right, place.top + place.bottom]
    let right = 0
    let down = 0
    for (const [source, target] of this.pairs) {
      const [x, y] = middle(places[source])
      const [u, v] = middle(places[target])
      right += u - x
      down += v - y
    }
    return down > right
  }

  // Where an arrow key leads: along a line where lines go that way, else to the nearest beside it. Null if nowhere.
  walk(places, from, key) {
    const upright = this.isUpright(places)
    const [onward, back] = upright ? ["ArrowDown", "ArrowUp"] : ["ArrowRight", "ArrowLeft"]
    if (key !== onward && key !== back) return nearest(places, from, key)
    const across = ({ left, right, top, bottom }) => (upright ? left + right : top + bottom)
    const aside = (box) => Math.abs(across(places[box]) - across(places[from]))
    const next = key === onward ? this.after[from] : this.before[from]
    return next.reduce((best, box) => (best === null || aside(box) < aside(best) ? box : best), null)
  }
}

function reached(ways, from) {
  const found = new Set([from])
  for (const box of found) for (const next of ways[box]) found.add(next)
  return found
}
