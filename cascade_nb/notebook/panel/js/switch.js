// A switch.

import { h, mark } from "./dom.js"

// It shows what the kernel acknowledged (`aria-checked`). A click only asks: until the answer is there the
// switch stands in the middle and is busy.
export class Switch {
  constructor(label, ask) {
    this.asked = null // what the last unanswered click asks for
    this.on = false
    this.element = h("button", { type: "button", role: "switch", class: "cs-switch", "aria-checked": "false" })
    this.element.append(h("span", { class: "cs-knob", "aria-hidden": "true" }))
    this.name(label)
    this.element.addEventListener("click", () => {
      const wanted = !(this.asked?.wanted ?? this.on)
      const seq = ask(wanted)
      this.asked = seq === null ? null : { wanted, seq }
      this.draw()
    })
  }

  name(label) {
    mark(this.element, "aria-label", label)
    mark(this.element, "title", label)
  }

  // What a click would do.
  tell(words) {
    mark(this.element, "title", words)
  }

  update(on, answered, enabled) {
    if (this.asked && this.asked.seq <= answered) this.asked = null
    this.on = on
    this.element.disabled = !enabled
    this.draw()
  }

  draw() {
    mark(this.element, "aria-checked", this.on)
    mark(this.element, "aria-busy", this.asked !== null)
  }
}
