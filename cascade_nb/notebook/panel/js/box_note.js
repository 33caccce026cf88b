// A second line in a box of the graph.

import { mark, write } from "./dom.js"

// What is said of a node beside its state, in a second line of its box.
export function drawNote(known, note) {
  if (known.note === note) return
  const { box } = known
  if (!known.line) {
    const name = box.querySelector(".title")
    known.line = name.cloneNode()
    known.line.setAttribute("class", "progress")
    known.line.setAttribute("font-size", "11px")
    known.line.removeAttribute("font-weight")
    known.line.setAttribute("y", Number(name.getAttribute("y")) + (box.querySelector(".caption") ? 13.5 : 8))
    box.append(known.line)
  }
  known.note = note
  write(known.line, note)
  if (note) box.dataset.note = note
  else delete box.dataset.note
  const room = box.querySelector(".shape").getBBox().width - 6
  known.line.removeAttribute("textLength")
  if (note && known.line.getComputedTextLength() > room) {
    mark(known.line, "lengthAdjust", "spacingAndGlyphs")
    mark(known.line, "textLength", room)
  }
}

const OVER = ["done", "failed", "cancelled"]

// How long a node took that is over, beside what else its second line says.
export function tookNote(known, took, state) {
  if (!took || !OVER.includes(state)) return ""
  known.caption ??= known.box.querySelector(".caption")?.textContent ?? ""
  const whole = known.caption ? `${known.caption} · ${took}` : took
  return whole.length > known.box.querySelector(".title").textContent.length + 12 ? took : whole
}
