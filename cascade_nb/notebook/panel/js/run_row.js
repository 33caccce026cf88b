// A run in the list of all runs; below it, when asked for, its own panel.

import { h, mark, write } from "./dom.js"
import { Switch } from "./switch.js"
import { agoText, exactText, lengthText, number } from "./words.js"

const OF_PHASE = { succeeded: "✓", failed: "✕", cancelled: "■", paused: "‖", pausing: "‖" }
const BAR_PARTS = ["done", "reused", "failed", "skipped", "running"]

export class RunRow {
  constructor(id, view) {
    this.id = id
    this.view = view
    const ask = (message) => view.shared.ask({ ...message, run: id })
    this.sign = h("span", { class: "cs-mark", "aria-hidden": "true" })
    this.title = h("button", { type: "button", class: "cs-link cs-called", "aria-expanded": "false" })
    this.title.addEventListener("click", () => this.toggle())
    this.number = h("span", { class: "cs-run" })
    this.time = h("span", { class: "cs-time" })
    this.bar = h("div", { class: "cs-bar", role: "img" })
    this.parts = Object.fromEntries(BAR_PARTS.map((name) => [name, h("div", { class: `cs-part cs-${name}` })]))
    this.bar.append(...Object.values(this.parts))
    this.words = h("div", { class: "cs-told" })
    this.pause = new Switch("Pause", (on) => ask({ type: "hold", on }))
    this.cancel = h("button", { type: "button", class: "cs-button" }, "Cancel")
    this.cancel.addEventListener("click", () => ask({ type: "cancel" }))
    this.box = h("input", { type: "checkbox" })
    this.box.addEventListener("change", () => view.comparison.pick(id, this.box.checked))
    this.pick = h("label", { class: "cs-pick" }, this.box, "compare")
    this.tools = h("div", { class: "cs-tools" }, this.pause.element, this.cancel, this.pick)
    this.inside = h("div", { class: "cs-inside", hidden: "" })
    this.element = h(
      "li",
      { class: "cs-one" },
      h("div", { class: "cs-line" }, h("div", { class: "cs-names" }, this.sign, this.title, this.number), this.time),
      h("div", { class: "cs-line" }, h("div", { class: "cs-how" }, this.bar, this.words), this.tools),
      this.inside,
    )
  }

  update(row) {
    if (!row) return
    this.row = row
    const { shared, comparison } = this.view
    const { counts, phase, live } = row
    mark(this.element, "data-phase", phase)
    mark(this.element, "data-live", live ? "" : null)
    write(this.sign, OF_PHASE[phase] ?? "▸")
    write(this.title, row.title)
    write(this.number, `run ${number(row.number)}`)
    mark(this.title, "title", row.panel ? "Show its panel" : `%cascade panel ${row.number} shows its panel`)
    this.title.disabled = !row.panel
    const total = counts.total || 1
    for (const name of BAR_PARTS) this.parts[name].style.width = `${(100 * counts[name]) / total}%`
    const reused = counts.reused ? `, ${number(counts.reused)} reused` : ""
    const told = `${number(counts.done + counts.reused)} of ${number(counts.total)} done${reused}`
    mark(this.bar, "aria-label", told)
    write(this.words, [row.headline, told].join(" · "))
    mark(this.words, "title", this.words.textContent)
    this.pause.name(`Pause run ${row.number}`)
    this.pause.element.hidden = !live
    this.pause.update(phase === "paused" || phase === "pausing", shared.answered, live && !shared.gone)
    this.cancel.hidden = !live
    this.cancel.disabled = shared.gone || phase === "cancelling"
    mark(this.cancel, "aria-label", `Cancel run ${row.number}`)
    this.pick.hidden = live
    this.box.checked = comparison.picked.includes(this.id)
    mark(this.box, "aria-label", `Compare run ${row.number}`)
  }

  tick(later, now) {
    const { row } = this
    if (!row) return
    const took = row.elapsed + (row.ticking ? later : 0)
    write(this.time, row.live ? lengthText(took) : `${exactText(took)} · ${agoText(Math.max(0, now - row.started))}`)
  }

  // Jupyter's own view of that run's panel: the same panel in one more place.
  async toggle() {
    const open = this.inside.hidden
    this.inside.hidden = !open
    mark(this.title, "aria-expanded", open)
    this.shown?.remove()
    this.shown = null
    if (!open) return
    const asked = (this.asked = {})
    try {
      const manager = this.view.model.widget_manager
      const model = await manager.get_model(this.row.panel)
      const shown = await manager.create_view(model)
      if (this.asked !== asked || this.inside.hidden) return shown.remove()
      this.shown = shown
      this.inside.replaceChildren(shown.el)
    } catch {
      this.inside.replaceChildren(h("p", { class: "cs-note" }, "Its panel cannot be shown here; it is gone from this page."))
    }
  }
}
