// The form of a notebook's parameters. It shows what the kernel told and asks the kernel for what is chosen;
// whether a value fits, and what it costs, is the kernel's to say. Python's side is parameters/form.py.

import { connection } from "./connection.js"
import { h, mark, write } from "./dom.js"

let forms = 0

export default () => {
  const shared = connection()

  return {
    initialize({ model }) {
      shared.begin(model)
    },

    render({ el }) {
      const view = new Form(shared)
      el.append(view.root)
      shared.views.add(view)
      view.update()
      return () => shared.views.delete(view)
    },
  }
}

// All rows, and below them what a run would cost.
class Form {
  constructor(shared) {
    this.shared = shared
    this.id = `cascade-form-${(forms += 1)}`
    this.rows = new Map()
    this.list = h("div", { class: "cs-params" })
    this.cost = h("p", { class: "cs-cost", role: "status" })
    this.error = h("p", { class: "cs-error", role: "alert" })
    this.root = h("section", { class: "cascade-panel cascade-form", "aria-label": "Parameters" })
    this.root.append(this.list, this.error, this.cost, h("p", { class: "cs-note" }, NOTE))
  }

  update() {
    const { fields = [], cost = "", working, stale = [] } = this.shared.state
    const named = fields.map((field) => `${field.name}/${field.kind}/${field.choices.join("/")}`)
    if (named.join() !== this.named) {
      this.named = named.join()
      this.rows = new Map(fields.map((field, at) => [field.name, new Row(this, field, `${this.id}-${at}`)]))
      this.list.replaceChildren(...[...this.rows.values()].map((row) => row.root))
    }
    for (const field of fields) this.rows.get(field.name).update(field, this.shared.gone)
    const busy = this.shared.late ? this.shared.lateWords : ""
    write(this.cost, this.shared.gone ? GONE : busy || (working ? "Looking what a run would do …" : cost))
    mark(this.cost, "data-stale", stale.length > 0 ? "" : null)
    write(this.error, this.shared.error ?? "")
    this.error.hidden = !this.shared.error
  }
}

const NOTE = "%cascade run, plan and graph take these values; cs.run(x, params={…}) takes its own."
const GONE = "The kernel that had these parameters is gone; %cascade params shows them anew."

// One parameter: its name, a control, its default.
class Row {
  constructor(form, field, id) {
    this.form = form
    this.name = field.name
    this.control = control(field, id)
    this.shown = h("output", { class: "cs-shown", for: id })
    this.reset = h("button", { type: "button", class: "cs-button cs-reset" }, "Default")
    const about = h("span", { class: "cs-about", id: `${id}-about` })
    about.append([field.words, field.description].filter(Boolean).join(" · "))
    mark(this.control, "aria-describedby", `${id}-about`)
    this.root = h("div", { class: "cs-param" }, h("label", { for: id, class: "cs-param-name" }, field.name))
    this.root.append(h("div", { class: "cs-param-value" }, this.control, this.shown), this.reset, about)
    this.control.addEventListener("change", () => this.choose())
    this.control.addEventListener("input", () => this.follow())
    this.reset.addEventListener("click", () => form.shared.ask({ type: "reset", name: this.name }))
    this.waits = 0
  }

  value() {
    return this.control.type === "checkbox" ? this.control.checked : this.control.value
  }

  choose() {
    const value = this.value()
    if (value === "") return
    this.waits = this.form.shared.ask({ type: "choose", name: this.name, value }) ?? 0
  }

  follow() {
    if (this.control.type === "range") write(this.shown, this.control.value)
  }

  update(field, gone) {
    this.control.disabled = gone
    const { value, default: usual } = field
    this.reset.hidden = usual === null || value === usual
    mark(this.reset, "title", usual === null ? null : `Back to ${usual}`)
    mark(this.reset, "aria-label", `${this.name}: back to its default`)
    mark(this.root, "data-missing", value === null ? "" : null)
    // What is being written stays, and so does what the kernel has refused, until it is written anew.
    const waiting = this.waits > this.form.shared.answered
    const refused = this.waits === this.form.shared.answered && this.waits > 0 && this.form.shared.error
    mark(this.control, "aria-invalid", refused ? "true" : null)
    if (waiting || refused || (document.activeElement === this.control && this.value() !== this.last)) return
    if (this.control.type === "checkbox") this.control.checked = value === "True"
    else this.control.value = value ?? ""
    this.last = this.value()
    this.follow()
  }
}

const TYPES = { slider: "range", number: "number", date: "date", time: "datetime-local", bool: "checkbox" }

function control(field, id) {
  if (field.kind === "choice") {
    const made = h("select", { id, class: "cs-field" })
    if (field.value === null) made.append(h("option", { value: "" }, "choose …"))
    made.append(...field.choices.map((one) => h("option", { value: one }, one)))
    return made
  }
  const made = h("input", { id, class: "cs-field", type: TYPES[field.kind] ?? "text", autocomplete: "off" })
  if (field.kind === "slider" || field.kind === "number") {
    if (field.low !== undefined) made.min = field.low
    if (field.high !== undefined) made.max = field.high
    made.step = field.step ?? "any"
  }
  if (field.kind === "time") made.step = "any"
  if (field.kind === "text") mark(made, "spellcheck", "false")
  return made
}
