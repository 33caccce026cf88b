// The search of the graph: what matches is lit, the rest is dimmed.

import { h, write } from "./dom.js"
import { number } from "./words.js"

// The places of the texts in which each word of a query is found, in whatever case.
export function matches(query, texts) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return []
  const found = []
  texts.forEach((text, i) => {
    const lower = text.toLowerCase()
    if (words.every((word) => lower.includes(word))) found.push(i)
  })
  return found
}

export class Finder {
  // `reveal` is given a box that is to be seen, `enter` one that the keys are to be at, or null for the graph.
  constructor(graph, reveal, enter) {
    this.graph = graph
    this.reveal = reveal
    this.enter = enter
    this.boxes = []
    this.found = []
    this.at = 0
    this.field = h("input", {
      type: "search",
      class: "cs-find",
      placeholder: "Find ( / )",
      "aria-label": "Find in the graph",
      title: "Names, tasks and states. Enter: the next one; ↓: to it; Esc: back",
    })
    this.field.addEventListener("input", () => this.look())
    this.field.addEventListener("keydown", (event) => this.key(event))
    this.told = h("span", { class: "cs-found", role: "status" })
    this.element = h("span", { class: "cs-finder" }, this.told, this.field)
  }

  take(boxes) {
    this.boxes = boxes
    this.look(false)
  }

  // States change while a search stands; the view does not move for that.
  look(moving = true) {
    const query = this.field.value.trim()
    const before = this.found[this.at]
    const texts = query ? this.boxes.map((box) => `${box.getAttribute("aria-label")} ${box.dataset.task ?? ""}`) : []
    this.found = matches(query, texts)
    this.at = Math.max(0, moving ? 0 : this.found.indexOf(before))
    this.graph.toggleAttribute("data-finds", query !== "")
    const lit = new Set(this.found)
    this.boxes.forEach((box, i) => box.toggleAttribute("data-match", lit.has(i)))
    this.show(moving)
    if (!query) write(this.told, "")
  }

  show(moving = true) {
    const box = this.box
    this.boxes.forEach((one) => one.toggleAttribute("data-found", one === box))
    const count = this.found.length
    write(this.told, count ? `${number(this.at + 1)} of ${number(count)}` : "nothing")
    if (moving && box) this.reveal(box)
  }

  get box() {
    return this.boxes[this.found[this.at]] ?? null
  }

  key(event) {
    if (event.key === "Enter" && this.found.length) {
      this.at = (this.at + (event.shiftKey ? this.found.length - 1 : 1)) % this.found.length
      this.show()
    } else if (event.key === "ArrowDown" && this.box) this.enter(this.box)
    else if (event.key === "Escape") {
      const box = this.box
      this.field.value = ""
      this.look(false)
      this.enter(box)
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
}
