// A part of the panel that folds, with a count.

import { h, mark, write } from "./dom.js"
import { number } from "./words.js"

export function section(name) {
  const count = h("span", { class: "cs-count" })
  const body = h("div")
  const element = h("details", { class: `cs-section cs-section-${name}` }, h("summary", {}, name, count), body)
  return {
    element,
    body,
    show(n) {
      write(count, n ? ` · ${number(n)}` : "")
      mark(element, "data-empty", n ? null : "")
    },
  }
}
