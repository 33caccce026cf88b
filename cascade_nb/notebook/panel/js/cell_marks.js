// Marks in the gutter of the notebook, beside each cell that defines nodes: how these stand. Only pages that have cells
// as JupyterLab and Notebook 7 have them show any.

import { drawn, h, mark } from "./dom.js"
import { number } from "./words.js"

const MARK = "cascade-beside"
const TOLD = Symbol.for("cascade-nb marks beside cells") // each panel is a module of its own

// How a cell stands, where several panels tell of it: a run that goes on knows best, then the latest.
export function together(panels) {
  const cells = new Map()
  const last = (one) => (one.ended ? 0 : Number.MAX_SAFE_INTEGER / 2) + one.number
  for (const panel of [...panels].sort((one, other) => last(one) - last(other)))
    for (const [cell, told] of Object.entries(panel.cells)) cells.set(cell, told)
  return cells
}

export class CellMarks {
  // `el` is the element of a view, `manager` the page's manager of widgets.
  constructor(el, manager) {
    this.el = el
    this.cells = manager?.context?.model?.cells
    this.notebook = null
    this.told = ""
  }

  // By cell, the state of its nodes together, how many of them are done, and of how many: `cells` while the run went
  // on, and `since` how it is now that it is over.
  look({ cells, looks, ended, number: run }, since) {
    if (!this.cells || !looks) return
    if (!this.notebook && !this.enter()) return
    const now = since && Object.keys(since).length ? since : (cells ?? {})
    const told = JSON.stringify([now, ended])
    if (told === this.told) return
    this.told = told
    this.looks = looks
    this.notebook[TOLD].set(this, { cells: now, ended: Boolean(ended), number: run })
    this.paint()
  }

  // Whether the view stands in a notebook by now. A view apart from it stands in none.
  enter() {
    const list = this.el.closest(".jp-Cell")?.parentElement
    this.notebook = list?.closest(".jp-Notebook") ?? null
    if (!this.notebook) return false
    this.notebook[TOLD] ??= new Map()
    // Cells come, go and are moved; those far away are not in the page.
    this.watch = new MutationObserver(() => this.paint())
    this.watch.observe(list, { childList: true })
    this.places = new MutationObserver(() => this.paint())
    this.places.observe(list, { subtree: true, attributeFilter: ["data-windowed-list-index"] })
    this.list = list
    return true
  }

  paint() {
    const told = together(this.notebook[TOLD].values())
    const there = [...this.list.children].filter((child) => child.classList.contains("jp-Cell"))
    for (const [place, cell] of there.entries()) {
      const at = cell.dataset.windowedListIndex
      const id = this.cells.get(at === undefined ? place : Number(at))?.id
      draw(cell, told.get(id), this.looks)
    }
  }

  leave() {
    if (!this.notebook) return
    this.watch.disconnect()
    this.places.disconnect()
    this.notebook[TOLD].delete(this)
    this.paint()
    this.notebook = null
    this.told = ""
  }
}

// Behind what Jupyter keeps in a cell, which goes by the numbers of its children.
function draw(cell, told, looks) {
  let beside = [...cell.children].find((child) => child.classList.contains(MARK))
  const [word, icon] = looks[told?.[0]] ?? ["", ""]
  if (!icon) {
    beside?.remove()
    return
  }
  if (!beside) {
    const sign = drawn("svg", { class: "cs-sign", viewBox: "-6 -6 12 12", "aria-hidden": "true" }, drawn("path"))
    beside = h("span", { class: MARK, role: "img" }, sign)
    cell.append(beside)
  }
  const [state, done, total] = told
  const counted = total > 1 ? `: ${number(done)} of ${number(total)} nodes of this cell are done` : ""
  mark(beside, "data-state", state)
  mark(beside, "title", word + counted)
  mark(beside, "aria-label", `Cascade: ${word}${counted}`)
  mark(beside.querySelector("path"), "d", icon)
}
