// Paints the lanes of a timeline. A state is told by shape as well as by colour.

import { heightOf, ticks } from "./timeline_lanes.js"

const LABELS = 90 // pixels between two times, at least

export function paintTimeline(canvas, { lanes, pauses, width, left, xOf, endOf, from, to, chosen, isOnPath, now, over }, colours) {
  const dense = globalThis.devicePixelRatio || 1
  const height = heightOf(lanes)
  canvas.width = width * dense
  canvas.height = height * dense
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const pen = canvas.getContext("2d")
  pen.scale(dense, dense)
  pen.font = `11px ${colours.font}`
  pen.textBaseline = "middle"
  drawTimes(pen, { left, width, height, from, to, xOf }, colours)
  drawNames(pen, lanes, left, colours)
  pen.save()
  pen.beginPath()
  pen.rect(left, 0, width - left, height)
  pen.clip()
  drawPauses(pen, { lanes, pauses, height, xOf, now }, colours)
  for (const lane of lanes) {
    drawCells(pen, lane, xOf, colours)
    for (const bar of lane.bars) {
      const x = xOf(bar.at)
      const end = xOf(endOf(bar))
      if (end < left - 2 || x > width) continue
      const wide = Math.max(end - x, 1.5)
      const y = lane.top + bar.row * lane.high
      const high = lane.high - (lane.high > 6 ? 2 : 1)
      drawBar(pen, bar, { x, y, wide, high, xOf, now }, colours)
      if (isOnPath(bar)) outline(pen, x, y, wide, high, colours.ink, 2)
      if (bar === chosen) outline(pen, x - 1.5, y - 1.5, wide + 3, high + 3, colours.running, 2)
    }
  }
  if (!over && xOf(now) <= width) line(pen, xOf(now), 16, height, colours.running)
  pen.restore()
}

function drawTimes(pen, { left, width, height, from, to, xOf }, { rule, faint }) {
  const { step, times } = ticks(from, to, Math.max(1, (width - left) / LABELS))
  pen.textAlign = "left"
  for (const time of times) {
    const x = xOf(time)
    if (x < left - 1) continue
    line(pen, x, 0, height, rule)
    pen.fillStyle = faint
    const words = timeText(time, step)
    if (x + 6 + pen.measureText(words).width <= width) pen.fillText(words, x + 4, 9)
  }
}

// As long as the steps between times need it to be.
export function timeText(seconds, step) {
  if (step < 1) return `${seconds.toFixed(step < 0.01 ? 3 : step < 0.1 ? 2 : 1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n) => String(n).padStart(2, "0")
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

function drawNames(pen, lanes, left, { ink, soft }) {
  pen.textAlign = "right"
  for (const { name, top, height } of lanes) {
    pen.fillStyle = soft
    pen.fillRect(left, top - 2, pen.canvas.width, height + 3)
    pen.fillStyle = ink
    pen.fillText(shortened(pen, name, left - 12), left - 8, top + Math.min(height, 13) / 2)
  }
}

function shortened(pen, name, room) {
  if (pen.measureText(name).width <= room) return name
  let known = 0
  let most = name.length
  while (known < most) {
    const middle = Math.ceil((known + most) / 2)
    if (pen.measureText(`${name.slice(0, middle)}…`).width <= room) known = middle
    else most = middle - 1
  }
  return `${name.slice(0, known)}…`
}

function drawPauses(pen, { lanes, pauses, height, xOf, now }, { held }) {
  for (const { since, until, kind } of pauses) {
    const x = xOf(since)
    const wide = Math.max(1, xOf(until ?? now) - x)
    const lane = kind ? lanes.find(({ name }) => name === kind) : null
    if (kind !== "" && !lane) continue
    const [top, high] = lane ? [lane.top - 2, lane.height + 3] : [16, height]
    pen.fillStyle = held
    pen.globalAlpha = 0.16
    pen.fillRect(x, top, wide, high)
    pen.globalAlpha = 1
    pen.fillRect(x, top, wide, 2)
  }
}

function drawCells(pen, { cells, top, height }, xOf, { done, failed }) {
  const most = Math.max(1, ...cells.map(({ busy }) => busy))
  for (const { from, to, busy, badly } of cells) {
    const x = xOf(from)
    const wide = Math.max(1, xOf(to) - x)
    const high = Math.max(2, (height * busy) / most)
    pen.globalAlpha = 0.45
    pen.fillStyle = done
    pen.fillRect(x, top + height - high, wide, high)
    pen.globalAlpha = 1
    if (badly) {
      pen.fillStyle = failed
      pen.fillRect(x, top + height - 2, wide, 2)
    }
  }
}

function drawBar(pen, bar, { x, y, wide, high, xOf, now }, colours) {
  const hue = colours[bar.how] ?? colours.faint
  pen.fillStyle = pen.strokeStyle = hue
  if (bar.how === "cancelled" || bar.how === "lost") {
    pen.strokeRect(x + 0.5, y + 0.5, Math.max(wide - 1, 0.5), high - 1)
  } else pen.fillRect(x, y, wide, high)
  // Open where it goes on, with a notch where it was tried before, and with a cross where it failed.
  if (bar.how === "running" && wide > 5) {
    pen.fillStyle = colours.paper
    for (let i = 0; i < 2; i++) pen.fillRect(x + wide - 2 - 4 * i, y, 1.5, high)
  }
  if (bar.how === "failed" && wide > 4 && high > 5) cross(pen, x + wide - high, y, Math.min(high, wide), colours.paper)
  if (bar.number > 1 && wide > 3) {
    pen.fillStyle = colours.paper
    for (let i = 0; i < Math.min(bar.number - 1, 3) && 4 * i + 4 < wide; i++) pen.fillRect(x + 2 + 4 * i, y, 1.5, high)
  }
  for (const [since, length] of bar.rests) hatch(pen, xOf(since), y, xOf(length === null ? now : since + length), high, colours)
}

function cross(pen, x, y, size, hue) {
  pen.strokeStyle = hue
  pen.lineWidth = 1.5
  pen.beginPath()
  pen.moveTo(x + 2.5, y + 2.5)
  pen.lineTo(x + size - 2.5, y + size - 2.5)
  pen.moveTo(x + size - 2.5, y + 2.5)
  pen.lineTo(x + 2.5, y + size - 2.5)
  pen.stroke()
  pen.lineWidth = 1
}

// It stood still there.
function hatch(pen, from, y, to, high, { paper, held }) {
  if (to - from < 1) return
  pen.save()
  pen.beginPath()
  pen.rect(from, y, to - from, high)
  pen.clip()
  pen.fillStyle = paper
  pen.fillRect(from, y, to - from, high)
  pen.strokeStyle = held
  pen.lineWidth = 1.5
  pen.beginPath()
  for (let x = from - high; x < Math.min(to, from + 4000); x += 5) {
    pen.moveTo(x, y + high)
    pen.lineTo(x + high, y)
  }
  pen.stroke()
  pen.restore()
}

function outline(pen, x, y, wide, high, hue, thick) {
  pen.strokeStyle = hue
  pen.lineWidth = thick
  pen.strokeRect(x, y, wide, high)
  pen.lineWidth = 1
}

function line(pen, x, top, bottom, hue) {
  pen.strokeStyle = hue
  pen.beginPath()
  pen.moveTo(Math.round(x) + 0.5, top)
  pen.lineTo(Math.round(x) + 0.5, bottom)
  pen.stroke()
}
