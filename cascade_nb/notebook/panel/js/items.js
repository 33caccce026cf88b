// The items of a map: squares by state, and a table of which only what is seen is there.

import { h, mark, write } from "./dom.js"
import { button, link } from "./drawer_tabs.js"
import { itemAt, paint } from "./squares.js"
import { number } from "./words.js"

const ROW = 24 // pixels
const ROWS = 100 // that are asked for at once
const WAIT = 250 // ms after the last key or scroll until the kernel is asked
const COLUMNS = ["item", "state", "attempts", "took", "input", "result"]
const SORTED = new Set(["item", "state", "attempts", "took"])

export class Items {
  // `tools` asks the kernel anew, opens a node, does deeds, and knows what the node is called.
  constructor(tools) {
    this.tools = tools
    this.query = { from: 0, count: ROWS, sort: "item", down: false, state: "", text: "" }
    this.told = null
    this.build()
  }

  build() {
    this.canvas = h("canvas", { class: "cs-squares", role: "img" })
    this.canvas.addEventListener("click", (event) => this.pick(event))
    this.canvas.addEventListener("mousemove", (event) => this.point(event))
    this.grid = h("div", { class: "cs-grid" }, this.canvas)
    this.states = h("select", { "aria-label": "State", class: "cs-small" })
    this.states.addEventListener("change", () => this.look({ state: this.states.value }))
    this.text = h("input", { type: "search", "aria-label": "Search items", placeholder: "Search…", class: "cs-small" })
    this.text.addEventListener("input", () => this.look({ text: this.text.value }, WAIT))
    this.retry = button("", () => this.tools.act({ do: "retry" }))
    this.hold = button("Hold the rest", () => this.tools.act({ do: "hold" }))
    this.count = h("span", { class: "cs-note", role: "status" })
    this.heads = COLUMNS.map((name) => this.headOf(name))
    this.above = h("tr", { "aria-hidden": "true" }, h("td", { colspan: String(COLUMNS.length) }))
    this.below = h("tr", { "aria-hidden": "true" }, h("td", { colspan: String(COLUMNS.length) }))
    this.rows = h("tbody")
    this.table = h("table", { class: "cs-items" }, h("thead", {}, h("tr", {}, ...this.heads)), this.rows)
    this.scroller = h("div", { class: "cs-scroller", tabindex: "0", role: "region", "aria-label": "Items" }, this.table)
    this.scroller.addEventListener("scroll", () => this.scrolled())
    this.element = h(
      "div",
      { class: "cs-map" },
      this.grid,
      h("div", { class: "cs-deeds" }, this.states, this.text, this.retry, this.hold, this.count),
      this.scroller,
    )
  }

  headOf(name) {
    if (!SORTED.has(name)) return h("th", { scope: "col" }, name)
    const sort = h("button", { type: "button", class: "cs-link" }, name)
    const head = h("th", { scope: "col" }, sort)
    sort.addEventListener("click", () => this.look({ sort: name, down: this.query.sort === name && !this.query.down }))
    return head
  }

  // Other rows are wanted, from their first on.
  look(wanted, wait = 0) {
    Object.assign(this.query, wanted, { from: 0 })
    this.scroller.scrollTop = 0
    this.askIn(wait)
  }

  scrolled() {
    if (!this.told) return
    const first = Math.floor(this.scroller.scrollTop / ROW)
    const seen = Math.ceil(this.scroller.clientHeight / ROW)
    const { from, rows, found } = this.told
    if (first >= from && Math.min(first + seen, found) <= from + rows.length) return
    this.query.from = Math.max(0, first - Math.floor((ROWS - seen) / 2))
    this.askIn(WAIT / 2)
  }

  askIn(wait) {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.tools.ask(), wait)
  }

  take(told, over) {
    this.told = told
    const counts = told.counts ?? []
    const options = ["", ...counts.map(([state]) => state)]
    if (this.query.state && !options.includes(this.query.state)) options.push(this.query.state)
    if (this.states.dataset.shown !== JSON.stringify(counts)) {
      this.states.dataset.shown = JSON.stringify(counts)
      const words = new Map(counts.map(([state, count]) => [state, `${state} · ${number(count)}`]))
      const made = options.map((state) => h("option", { value: state }, state ? (words.get(state) ?? state) : "every state"))
      this.states.replaceChildren(...made)
      this.states.value = this.query.state
    }
    const failed = counts.find(([state]) => state === "failed")?.[1] ?? 0
    this.retry.hidden = !over || !failed
    write(this.retry, `Retry ${number(failed)} failed`)
    this.hold.hidden = over || this.tools.held()
    const rest = told.total > told.listed ? `, of which the first ${number(told.listed)} are here` : ""
    write(this.count, told.total ? `${number(told.found)} of ${number(told.total)} items${rest}` : "It has no items yet.")
    mark(this.canvas, "aria-label", counts.map(([state, count]) => `${number(count)} ${state}`).join(", ") || "no items")
    for (const [i, name] of COLUMNS.entries()) {
      const on = this.query.sort === name
      mark(this.heads[i], "aria-sort", on ? (this.query.down ? "descending" : "ascending") : null)
    }
    this.draw()
    this.drawRows()
  }

  draw() {
    const width = this.grid.clientWidth - 12
    if (width <= 0 || !this.told) return
    const style = getComputedStyle(this.element)
    const colour = (name) => style.getPropertyValue(`--cs-${name}`).trim() || "#777"
    const colours = { other: colour("faint"), done: colour("done"), reused: colour("done") }
    for (const name of ["asking", "running", "held", "queued", "failed"]) colours[name] = colour(name)
    this.laid = paint(this.canvas, this.told, width, colours)
  }

  drawRows() {
    const { from = 0, rows, found } = this.told
    const made = rows.map(([ref, place, state, attempts, took, input, result]) => {
      const name = link({ ref, name: place }, this.tools.open)
      const cells = [name, state, number(attempts), took, input, result].map((one, i) => {
        const cell = h("td", { class: i >= 4 ? "cs-value" : "" }, one)
        if (i >= 4) mark(cell, "title", one)
        return cell
      })
      return h("tr", { "data-state": state }, ...cells)
    })
    this.above.firstChild.style.height = `${from * ROW}px`
    this.below.firstChild.style.height = `${Math.max(0, found - from - rows.length) * ROW}px`
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.textContent : null
    this.rows.replaceChildren(this.above, ...made, this.below)
    if (focused !== null) [...this.rows.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus()
  }

  numberAt({ offsetX, offsetY }) {
    return this.laid ? itemAt(this.laid, this.told.states.length, offsetX, offsetY) : null
  }

  pick(event) {
    const item = this.numberAt(event)
    if (item !== null) this.tools.open(`${this.tools.ref()}:${item}`)
  }

  point(event) {
    const item = this.numberAt(event)
    const state = item === null ? "" : this.told.letters[this.told.states[item]]
    mark(this.canvas, "title", item === null ? "" : `${this.tools.name()}[${item}] · ${state}`)
  }
}
