// What each box of the picture shows of its state. How a box is built is said in cascade_nb/view/svg/markup.py.

import { drawNote, tookNote } from "./box_note.js"
import { mark, write } from "./dom.js"
import { foldWords } from "./folds.js"
import { number } from "./words.js"

export class BoxStates {
  constructor() {
    this.known = new Map() // by id of a box
  }

  take(boxes) {
    this.known.clear()
    for (const box of boxes) {
      const title = box.querySelector("title")
      const words = [title?.textContent ?? "", ...foldWords(box)].join("")
      if (title) write(title, words)
      this.known.set(box.id, { box, title, words, shown: "", whole: "" })
    }
  }

  draw({ looks, boxes, notes, times, path }) {
    for (const [id, told] of Object.entries(boxes ?? {})) this.drawOne(this.known.get(id), told, looks)
    const noted = (id, known) => {
      const said = notes?.[id]
      return said ? [said, said] : tookNote(known, times?.[id], boxes?.[id]?.[0])
    }
    for (const [id, known] of this.known) drawNote(known, noted(id, known))
    for (const id of path ?? []) {
      const known = this.known.get(id)
      if (known) mark(known.box, "data-path", "")
    }
  }

  drawOne(known, [name, done, total], looks) {
    const shown = `${name} ${done}/${total}`
    if (!known || known.shown === shown) return
    known.shown = shown
    const { box, title, words } = known
    const [word, icon] = looks[name] ?? [name, ""]
    box.dataset.state = name
    box.querySelector(".icon")?.setAttribute("d", icon)
    const counted = total !== undefined && (name !== "waiting" || done) ? `${number(done)}/${number(total)}` : ""
    const bar = box.querySelector(".bar")
    if (counted && bar) {
      box.dataset.progress = counted
      write(box.querySelector(".progress"), counted)
      bar.setAttribute("width", (bar.dataset.full * done) / (total || 1))
    } else delete box.dataset.progress
    const said = [words, word, counted].filter(Boolean).join(" · ")
    if (title) write(title, said)
    mark(box, "aria-label", said)
  }
}
