// One view of the panel of all runs.

import { h, mark, write } from "./dom.js"
import { InForce } from "./in_force.js"
import { RunComparison } from "./run_comparison.js"
import { RunRow } from "./run_row.js"
import { Switch } from "./switch.js"
import { number } from "./words.js"

const LOST = "The kernel that ran these is gone; this is how they were last seen."

export class RunsView {
  constructor(shared, model, el) {
    this.shared = shared
    this.model = model
    this.rows = new Map()
    const ask = (message) => shared.ask(message)
    this.count = h("span", { class: "cs-run" })
    this.hold = new Switch("Hold everything", (on) => ask({ type: "hold", run: "", on }))
    this.note = h("div", { class: "cs-note", role: "status", "aria-live": "polite" })
    this.force = new InForce(shared)
    this.list = h("ul", { class: "cs-all" })
    this.comparison = new RunComparison(shared, () => this.update())
    this.root = h(
      "div",
      { class: "cascade-panel", "data-kind": "runs", "data-lm-suppress-shortcuts": "true" },
      h(
        "div",
        { class: "cs-head" },
        h("div", { class: "cs-names" }, h("span", { class: "cs-title" }, "Runs"), this.count),
        h("div", { class: "cs-tools" }, h("span", { class: "cs-label", "aria-hidden": "true" }, "Hold everything"), this.hold.element),
      ),
      this.note,
      this.force.element,
      this.list,
      this.comparison.element,
    )
    el.append(this.root)
    this.timer = setInterval(() => this.tick(), 500)
    this.update()
  }

  update() {
    const { state, gone, late, lateWords, error, answered } = this.shared
    const order = state.order ?? []
    const live = order.filter((id) => state.rows[id]?.live)
    write(this.count, live.length ? `${number(live.length)} of ${number(order.length)} going on` : number(order.length))
    this.hold.update(Boolean(state.held), answered, !gone)
    write(this.note, gone ? LOST : late ? lateWords : (error ?? (order.length ? "" : "Nothing was run in this kernel yet.")))
    this.force.update(state.constraints ?? [], gone)
    for (const [id, row] of this.rows) {
      if (order.includes(id)) continue
      row.element.remove()
      this.rows.delete(id)
    }
    order.forEach((id, place) => {
      if (!this.rows.has(id)) this.rows.set(id, new RunRow(id, this))
      const row = this.rows.get(id)
      // Moved only where it stands elsewhere: what moves loses the focus.
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null)
      row.update(state.rows[id])
    })
    mark(this.root, "data-phase", gone ? "gone" : null)
    this.tick()
  }

  // Times go on between two messages.
  tick() {
    if (this.shared.gone) return
    const later = (Date.now() - this.shared.heard) / 1000
    const { state } = this.shared
    const now = (state.time ?? 0) + later
    for (const row of this.rows.values()) row.tick(later, now)
    this.force.tick(now)
  }

  close() {
    clearInterval(this.timer)
  }
}
