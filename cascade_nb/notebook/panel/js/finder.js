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

const PAUSE = 150 // ms without a key until the kernel is asked what closed groups have

export class Finder {
  // `reveal` is given a box that is to be seen, `enter` one that the keys are to be at, or null for the graph; `ask` a
  // query, of which the kernel knows what stands in boxes of several nodes, and `unfold` a box that is to open.
  constructor(graph, { reveal, enter, ask, unfold }) {
    this.graph = graph
    Object.assign(this, { reveal, enter, ask, unfold })
    this.boxes = []
    this.inside = {} // by the id of a box, how many of its nodes match
    this.opening = false // a group, for what was found in it
    this.found = []
    this.at = 0
    this.field = h("input", {
      type: "search",
      class: "cs-find",
      placeholder: "Find ( / )",
      "aria-label": "Find in the graph",
      title: "Names, tasks and states. Enter: the next one, or the closed group opens; ↓: to it; Esc: back",
    })
    this.field.addEventListener("input", () => {
      this.inside = {}
      this.look()
      clearTimeout(this.soon)
      this.soon = setTimeout(() => this.askInside(), PAUSE)
    })
    this.field.addEventListener("keydown", (event) => this.key(event))
    this.told = h("span", { class: "cs-found", role: "status" })
    this.element = h("span", { class: "cs-finder" }, this.told, this.field)
  }

  // Groups have opened or closed, perhaps.
  take(boxes) {
    this.boxes = boxes
    this.inside = {}
    this.look(false)
    if (this.field.value.trim()) this.askInside()
  }

  askInside() {
    const query = this.field.value.trim()
    if (query && this.boxes.some((box) => box.dataset.size)) this.ask(query)
  }

  // What the kernel found in boxes of several nodes.
  answer({ query, inside }) {
    if (query !== this.field.value.trim() || !inside) return
    this.inside = inside
    this.look(this.opening || !this.found.length)
    this.opening = false
  }

  // The picture stands where it is to be.
  goOn() {
    if (!this.opening || !this.found.length) return
    this.opening = false
    this.show()
  }

  // States change while a search stands; the view does not move for that.
  look(moving = true) {
    const query = this.field.value.trim()
    const before = this.found[this.at]
    const texts = query ? this.boxes.map((box) => `${box.getAttribute("aria-label")} ${box.dataset.task ?? ""}`) : []
    const own = new Set(matches(query, texts))
    const has = (box) => query !== "" && this.inside[box.id] > 0
    this.closed = new Set([...this.boxes.keys()].filter((i) => !own.has(i) && has(this.boxes[i])))
    this.found = [...this.boxes.keys()].filter((i) => own.has(i) || this.closed.has(i))
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
    const hidden = this.isClosed ? ` · ${number(this.inside[box.id])} in this group, Enter opens it` : ""
    write(this.told, count ? `${number(this.at + 1)} of ${number(count)}${hidden}` : "nothing")
    if (moving && box) this.reveal(box)
  }

  // Whether a search stands.
  get finds() {
    return this.graph.hasAttribute("data-finds")
  }

  get box() {
    return this.boxes[this.found[this.at]] ?? null
  }

  // Whether what is found here stands in a group that is closed.
  get isClosed() {
    return this.closed?.has(this.found[this.at]) ?? false
  }

  key(event) {
    if (event.key === "Enter" && !event.shiftKey && this.isClosed && this.unfold(this.box)) {
      this.opening = true
      write(this.told, "opening…")
    } else if (event.key === "Enter" && this.found.length) {
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
