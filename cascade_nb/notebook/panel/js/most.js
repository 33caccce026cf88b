// How many calls of a task may run at once, to be changed in place.

import { h, mark, write } from "./dom.js"
import { button } from "./drawer_tabs.js"
import { number } from "./words.js"

export class Most {
  // `ask` is called with the task and the number, null for any number.
  constructor(ask) {
    this.limit = null
    const step = (by) => () => this.change(by(this.limit), ask)
    this.less = button("−", step(fewer))
    this.more = button("+", step((limit) => limit.most + 1))
    this.any = button("no limit", step(() => null))
    this.kind = h("span")
    this.count = h("span", { class: "cs-most-of" })
    this.element = h("div", { class: "cs-most", role: "group", hidden: "" }, this.kind, this.less, this.count, this.more, this.any)
  }

  change(most, ask) {
    this.take({ ...this.limit, most })
    ask(this.limit.kind, most)
  }

  take(limit) {
    this.limit = limit
    this.element.hidden = !limit
    if (!limit) return
    const { kind, most } = limit
    const none = most === null
    write(this.kind, `${kind}:`)
    write(this.count, none ? "any number at once" : `at most ${number(most)} at once`)
    mark(this.element, "aria-label", `How many of ${kind} run at once`)
    this.tell(this.less, most === 0 ? null : `At most ${number(fewer(limit))} of ${kind} at once`)
    this.tell(this.more, none ? null : `At most ${number(most + 1)} of ${kind} at once`)
    this.tell(this.any, none ? null : `Any number of ${kind} at once`)
  }

  // What it would do; nothing where it would do nothing.
  tell(element, words) {
    element.disabled = words === null
    mark(element, "title", words)
    mark(element, "aria-label", words ?? element.textContent)
  }
}

// From any number to as many as run just now.
function fewer({ most, running }) {
  return most === null ? Math.max(1, running) : Math.max(0, most - 1)
}
