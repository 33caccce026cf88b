// A second line in a box of the graph.

import { mark, write } from "./dom.js"

// What is said of a node beside its state, in a second line of its box: `whole`, or where there is no room for that,
// `short`. What has no shorter form is drawn narrower.
export function drawNote(known, [whole, short]) {
  if (known.whole === whole) return
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
  known.whole = whole
  known.line.removeAttribute("textLength")
  const room = box.querySelector(".shape").getBBox().width - 6
  let note = whole
  const say = () => {
    write(known.line, note)
    if (note) box.dataset.note = note
    else delete box.dataset.note
    return note && known.line.getComputedTextLength() > room // what is not shown has no length
  }
  let tooLong = say()
  if (tooLong && short !== whole) {
    note = short
    tooLong = say()
  }
  if (tooLong) {
    mark(known.line, "lengthAdjust", "spacingAndGlyphs")
    mark(known.line, "textLength", room)
  }
}

const OVER = ["done", "failed", "cancelled"]

// How long a node took that is over, beside what else its second line says; and without that.
export function tookNote(known, took, state) {
  if (!took || !OVER.includes(state)) return ["", ""]
  known.caption ??= known.box.querySelector(".caption")?.textContent ?? ""
  return [known.caption ? `${known.caption} · ${took}` : took, took]
}
