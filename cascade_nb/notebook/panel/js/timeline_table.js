// The attempts of a run as a table, for those who see no picture.

import { h, write } from "./dom.js"
import { link } from "./drawer_tabs.js"
import { exactText, number } from "./words.js"

const LATEST = 200 // the latest, which are there
const HEADS = ["node", "attempt", "began", "took", "came to", "where"]

export class TimelineTable {
  // `open` is given what to show in the drawer, and the element that is to have the focus afterwards.
  constructor(data, open) {
    this.data = data
    this.open = open
    this.rows = h("tbody")
    this.rest = h("p", { class: "cs-note" })
    const heads = HEADS.map((name) => h("th", { scope: "col" }, name))
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), this.rows)
    this.element = h(
      "details",
      { class: "cs-timetable" },
      h("summary", {}, "the same as a table"),
      h("div", { class: "cs-scroller", tabindex: "0", role: "region", "aria-label": "Attempts" }, table),
      this.rest,
    )
    this.element.addEventListener("toggle", () => this.draw())
  }

  draw() {
    if (!this.element.open || this.drawn === this.data.version) return
    this.drawn = this.data.version
    const all = [...this.data.known, ...this.data.going].sort((one, other) => other.at - one.at)
    const rows = all.slice(0, LATEST).map((bar) => this.row(bar))
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.textContent : null
    this.rows.replaceChildren(...rows)
    if (focused !== null) [...this.rows.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus()
    const more = this.data.ended + this.data.going.length - rows.length
    write(this.rest, more > 0 ? `and ${number(more)} before them` : "")
  }

  row(bar) {
    const ref = this.data.refOf(bar)
    const name = ref === null ? bar.name : link({ ref, name: bar.name }, () => this.open({ node: ref }, name))
    const took = bar.took === null ? "" : exactText(bar.took)
    const came = this.data.isOnPath(bar) ? `${bar.how}; the end waited for it` : bar.how
    const cells = [name, number(bar.number), exactText(bar.at), took, came, bar.place]
    return h("tr", {}, ...cells.map((one) => h("td", {}, one)))
  }
}
