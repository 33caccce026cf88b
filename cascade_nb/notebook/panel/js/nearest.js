// Which of several places an arrow key leads to.

const AHEAD = {
  ArrowRight: (x, y) => [x, y],
  ArrowLeft: (x, y) => [-x, y],
  ArrowDown: (x, y) => [y, x],
  ArrowUp: (x, y) => [-y, x],
}

// The index of the nearest rectangle in the direction of the key; what lies aside counts double. Null if there is none.
export function nearest(places, from, key) {
  const turn = AHEAD[key]
  if (!turn) return null
  const middle = ({ left, right, top, bottom }) => [(left + right) / 2, (top + bottom) / 2]
  const [x, y] = middle(places[from])
  let best = null
  let least = Infinity
  places.forEach((place, i) => {
    const [u, v] = middle(place)
    const [ahead, aside] = turn(u - x, v - y)
    const far = ahead + 2 * Math.abs(aside)
    if (i !== from && ahead > 1 && far < least) {
      best = i
      least = far
    }
  })
  return best
}
