// What the run asks: a small form for each question. What is typed stays while the panel is told other things, and a
// form goes only when the kernel says that its question has an answer.

import { h, mark, write } from "./dom.js"

const BUTTONS = 4 // choices that are a button each; more are a list

export class Questions {
  constructor(shared) {
    this.shared = shared
    this.forms = new Map()
    this.element = h("div", { class: "cs-questions", role: "group", "aria-label": "Questions", hidden: "" })
  }

  draw(questions, open) {
    const asked = new Map((questions ?? []).map((one) => [`${one.run}/${one.name}`, one]))
    for (const [key, form] of this.forms) {
      if (asked.has(key)) continue
      form.element.remove()
      this.forms.delete(key)
    }
    for (const [key, one] of asked) {
      let form = this.forms.get(key)
      if (form?.text !== one.text) {
        form?.element.remove()
        form = new Form(one, (value) =>
          this.shared.ask({ type: "answer", run: one.run, name: one.name, value }),
        )
        this.forms.set(key, form)
        this.element.append(form.element)
      }
      form.update(this.shared, open)
    }
    this.element.hidden = !asked.size
  }
}

class Form {
  constructor({ name, text, fields, topic }, ask) {
    this.text = text
    this.seq = null
    this.inputs = topic ? [] : fields.map((field) => input(field, fields.length > 1))
    this.error = h("span", { class: "cs-wrong", role: "alert" })
    this.buttons = topic ? [] : this.choices(fields)
    const label = h("span", { class: "cs-asks" })
    write(label, topic ? `waits for ${text}` : text)
    const row = h("div", { class: "cs-answer" })
    for (const { element } of this.inputs) if (element) row.append(element)
    row.append(...this.buttons, this.error)
    this.element = h("form", { class: "cs-question" }, h("div", {}, h("b", {}, name), " ", label), row)
    mark(this.element, "aria-label", `${name} asks: ${text}`)
    this.element.addEventListener("submit", (event) => {
      event.preventDefault()
      this.seq = ask(this.value(fields, event.submitter))
      this.busy(this.seq !== null)
    })
  }

  // One field of few choices has a button for each of them, everything else one that sends.
  choices(fields) {
    const { kind, choices } = fields[0]
    const offered = kind === "bool" ? ["yes", "no"] : choices
    if (fields.length > 1 || !offered.length || offered.length > BUTTONS)
      return [h("button", { type: "submit", class: "cs-button" }, "Answer")]
    return offered.map((value) => h("button", { type: "submit", class: "cs-button", value }, value))
  }

  value(fields, submitter) {
    if (fields.length === 1 && !fields[0].name) {
      const only = this.inputs[0].field
      return only ? only.value : (submitter ?? this.buttons[0]).value
    }
    return Object.fromEntries(fields.map(({ name }, i) => [name, this.inputs[i].field.value]))
  }

  update(shared, open) {
    if (this.seq !== null && this.seq <= shared.answered) {
      this.seq = null
      write(this.error, shared.error ?? "")
    }
    this.busy(this.seq !== null || !open)
  }

  busy(waits) {
    mark(this.element, "aria-busy", this.seq !== null)
    for (const button of this.buttons) button.disabled = waits
  }
}

// The element of a field, in a label where it has a name, and what its value is read of; neither where buttons do.
function input({ name, kind, words, choices }, several) {
  const offered = kind === "bool" ? ["yes", "no"] : choices
  if (offered.length && !several && !name && offered.length <= BUTTONS) return { element: null, field: null }
  const field = offered.length
    ? h("select", { class: "cs-field" }, h("option", { value: "" }, "…"), ...offered.map((value) => h("option", { value }, value)))
    : h("input", { class: "cs-field", type: "text", placeholder: words, autocomplete: "off" })
  if (kind === "number" || kind === "slider") mark(field, "inputmode", "decimal")
  mark(field, "aria-label", name || "Answer")
  return { element: name ? h("label", {}, name, " ", field) : field, field }
}
