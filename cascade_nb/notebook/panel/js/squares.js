// A square for each item of a map, by its state: thousands of them are one canvas.

// How wide a square is, with the gap to the next one.
export const sizeOf = (count) => (count <= 400 ? 14 : count <= 3000 ? 9 : 6)

// Where the squares stand: how many in a row, and how high all of them are.
export function places(count, width) {
  const size = sizeOf(count)
  const across = Math.max(1, Math.floor(width / size))
  return { size, across, height: Math.max(size, Math.ceil(count / across) * size) }
}

// Which item is at a point; null where none is.
export function itemAt({ size, across }, count, x, y) {
  const column = Math.floor(x / size)
  const number = Math.floor(y / size) * across + column
  return column >= 0 && column < across && number >= 0 && number < count ? number : null
}

// A state is told by shape as well as by colour: full, hollow, barred, pointed, round.
function drawOne(pen, kind, x, y, size) {
  if (kind === "waiting" || kind === "skipped" || kind === "cancelled") pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1)
  else if (kind === "held") {
    pen.fillRect(x, y, size / 3, size)
    pen.fillRect(x + (2 * size) / 3, y, size / 3, size)
  } else if (kind === "failed") {
    pen.beginPath()
    pen.moveTo(x + size / 2, y)
    pen.lineTo(x + size, y + size)
    pen.lineTo(x, y + size)
    pen.fill()
  } else if (kind === "running" || kind === "queued") {
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1)
    pen.fillRect(x, y + size / 2, kind === "running" ? size : size / 2, size / 2)
  } else if (kind === "asking") {
    pen.beginPath()
    pen.arc(x + size / 2, y + size / 2, size / 2, 0, 2 * Math.PI)
    pen.fill()
  } else pen.fillRect(x, y, size, size)
}

// The states are a letter each; what a letter means stands in `letters`.
export function paint(canvas, { states, letters }, width, colours) {
  const laid = places(states.length, width)
  const dense = globalThis.devicePixelRatio || 1
  canvas.width = width * dense
  canvas.height = laid.height * dense
  canvas.style.width = `${width}px`
  canvas.style.height = `${laid.height}px`
  const pen = canvas.getContext("2d")
  pen.scale(dense, dense)
  const gap = laid.size > 8 ? 3 : 1
  for (let i = 0; i < states.length; i++) {
    const kind = letters[states[i]]
    pen.fillStyle = pen.strokeStyle = colours[kind] ?? colours.other
    drawOne(pen, kind, (i % laid.across) * laid.size, Math.floor(i / laid.across) * laid.size, laid.size - gap)
  }
  return laid
}
