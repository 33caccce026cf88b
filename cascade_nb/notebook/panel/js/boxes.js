// The boxes of the picture as buttons: one of them is in the page's order of tabs, arrows go on from there.

import { mark } from "./dom.js"

export class Boxes {
  // `open` is called with the id of a box, `reveal` with a box that is to be seen; `walk` says to which box an arrow
  // key leads from one of them, by their numbers.
  constructor(graph, open, reveal, walk) {
    this.open = open
    this.reveal = reveal
    this.walk = walk
    this.all = []
    this.chosen = null // the id of the box whose node is open
    graph.addEventListener("click", ({ target }) => {
      const box = target.closest("g.node")
      if (box) this.choose(box)
    })
    graph.addEventListener("keydown", (event) => this.key(event))
  }

  take(picture) {
    mark(picture, "role", "group")
    this.all = [...picture.querySelectorAll("g.node")]
    for (const box of this.all) {
      mark(box, "role", "button")
      mark(box, "tabindex", "-1")
      mark(box, "aria-label", box.querySelector("title")?.textContent ?? "")
    }
    if (this.all.length) mark(this.all.find(({ id }) => id === this.chosen) ?? this.all[0], "tabindex", "0")
    this.show(this.chosen)
  }

  // The one that Tab leads to.
  get first() {
    return this.all.find((box) => box.getAttribute("tabindex") === "0")
  }

  find(id) {
    return this.all.find((box) => box.id === id)
  }

  choose(box) {
    this.go(box)
    this.open(box.id)
  }

  go(box) {
    for (const other of this.all) mark(other, "tabindex", other === box ? "0" : "-1")
    box.focus({ preventScroll: true })
    this.reveal(box)
  }

  show(id) {
    this.chosen = id
    for (const box of this.all) {
      if (box.id === id) mark(box, "data-open", "")
      else mark(box, "data-open", null)
    }
  }

  key(event) {
    const box = event.target.closest("g.node")
    if (!box || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    if (event.key === "Enter" || event.key === " ") this.choose(box)
    else if (event.key.startsWith("Arrow")) {
      const next = this.walk(this.all.indexOf(box), event.key)
      if (next !== null) this.go(this.all[next])
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
}
