// What failed, as a part of the panel that opens by itself: with which input, where, by which calls, what fell with it.

import { h, mark, write } from "./dom.js"
import { button, link } from "./drawer_tabs.js"
import { cellOf, goTo } from "./page.js"
import { section } from "./section.js"
import { number } from "./words.js"

export class Failures {
  // `open` shows a node in the drawer, `given` the element that is to have the focus afterwards.
  constructor(shared, open) {
    this.shared = shared
    this.open = open
    this.section = section("failures")
    this.element = this.section.element
    this.list = h("ul", { class: "cs-failures" })
    this.rest = h("p", { class: "cs-note" })
    this.again = h("p", { class: "cs-note" })
    this.said = h("p", { class: "cs-said", role: "status" })
    this.retry = button("Retry what failed", () => this.ask("retry"))
    this.rerun = button("Run it all again", () => this.ask("again"))
    this.deeds = h("div", { class: "cs-deeds" }, this.retry, this.rerun, this.said)
    this.section.body.append(this.list, this.rest, this.again, this.deeds)
    this.drawn = ""
  }

  draw({ failures, unlisted = 0, again = "", ended }) {
    const count = failures.length + unlisted
    this.section.show(count)
    // Once, when the first comes: who closes it then has seen it.
    if (count && !this.shown) {
      this.shown = true
      this.element.open = true
    }
    write(this.rest, unlisted ? `and ${number(unlisted)} more, which their boxes in the graph list` : "")
    write(this.again, again)
    mark(this.deeds, "hidden", ended && count ? null : "")
    for (const deed of [this.retry, this.rerun]) deed.disabled = this.shared.gone
    const drawn = JSON.stringify(failures)
    if (drawn === this.drawn) return
    this.drawn = drawn
    this.list.replaceChildren(...failures.map((one, i) => this.item(one, i)))
  }

  item({ task, error, where, inputs = [], calls = [], fell = "" }, i) {
    const name = link({ ref: i, name: task }, () => this.open({ failure: i, tab: "Error" }, name))
    const given = inputs.length ? [h("div", { class: "cs-note" }, `with ${inputs.join(", ")}`)] : []
    const place = where ? [this.where(where)] : []
    const steps = calls.map((call) => `${call.name} (${call.place}, line ${call.line})`).join(" → ")
    const chain = calls.length > 1 ? [h("div", { class: "cs-where" }, steps)] : []
    const lost = fell ? [h("div", { class: "cs-note" }, fell)] : []
    return h("li", {}, h("div", {}, name, " ", h("span", { class: "cs-error" }, error)), ...given, ...place, ...chain, ...lost)
  }

  // "cell [4], line 7: x / 0" leads to that cell, where the page shows it.
  where(words) {
    const cell = cellOf(words)
    const text = h("div", { class: "cs-where" }, words)
    if (cell) text.append(" ", button("Go to cell", () => goTo(cell)))
    return text
  }

  ask(deed) {
    this.shared.asks = (this.shared.asks ?? 0) + 1
    this.asked = this.shared.asks
    this.shared.send({ type: "node", page: this.shared.page, ask: this.asked, do: deed })
  }

  answer({ page, ask, said, problem }) {
    if (page === this.shared.page && ask === this.asked) write(this.said, problem ?? said)
  }
}
