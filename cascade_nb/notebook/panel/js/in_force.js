// What is in force, by whom and since when, each with a button that lifts it.

import { h, mark, write } from "./dom.js"
import { agoText, lengthText } from "./words.js"

const OF_KIND = { pause: "‖", concurrency: "⋯", rate_limit: "⋯", breaker: "↯", guard: "▤", breakpoint: "◆" }

export class InForce {
  // As a strip it is one line whatever is in force, so that nothing moves for it; all of it is shown on demand.
  constructor(shared, strip = false) {
    this.shared = shared
    this.lifts = strip ? "×" : "Lift"
    this.rows = new Map()
    this.list = h("ul", { class: "cs-force", "aria-label": "In force" })
    if (!strip) {
      this.element = h("div", { class: "cs-inforce" }, h("div", { class: "cs-label" }, "In force"), this.list)
      return
    }
    this.all = h("button", { type: "button", class: "cs-button", "aria-expanded": "false", hidden: "" })
    this.all.addEventListener("click", () => this.expand(!this.whole))
    this.element = h("div", { class: "cs-strip" }, this.list, this.all)
  }

  get whole() {
    return this.element.hasAttribute("data-whole")
  }

  expand(whole) {
    mark(this.element, "data-whole", whole ? "" : null)
    mark(this.all, "aria-expanded", whole)
    this.offerAll()
  }

  // Where more is in force than the line has room for.
  offerAll() {
    if (!this.all) return
    const words = [...this.rows.values()].map((row) => row.words)
    this.all.hidden = !this.rows.size || !(this.whole || [this.list, ...words].some((one) => one.scrollWidth > one.clientWidth))
    write(this.all, this.whole ? "less" : this.rows.size > 1 ? `all ${this.rows.size}` : "more")
  }

  update(constraints, gone) {
    this.element.hidden = !constraints.length
    const known = new Set()
    constraints.forEach((one, place) => {
      const key = `${one.scope}\n${one.kind}`
      known.add(key)
      if (!this.rows.has(key)) this.rows.set(key, this.row())
      const row = this.rows.get(key)
      row.one = one
      if (this.list.children[place] !== row.element) this.list.insertBefore(row.element, this.list.children[place] ?? null)
      write(row.sign, OF_KIND[one.kind] ?? "·")
      write(row.words, `${one.what}: ${one.words}`)
      mark(row.words, "title", row.words.textContent)
      mark(row.lift, "aria-label", `Lift: ${one.what}: ${one.does}`)
      row.lift.disabled = gone
    })
    for (const [key, { element }] of this.rows) {
      if (known.has(key)) continue
      element.remove()
      this.rows.delete(key)
    }
  }

  row() {
    const row = { one: null, sign: h("span", { class: "cs-mark", "aria-hidden": "true" }), words: h("span", { class: "cs-words" }), time: h("span", { class: "cs-when" }) }
    row.lift = h("button", { type: "button", class: "cs-button" }, this.lifts)
    row.lift.addEventListener("click", () => this.shared.ask({ type: "lift", scope: row.one.scope, kind: row.one.kind }))
    row.element = h("li", { class: "cs-held-by" }, row.sign, h("div", { class: "cs-what" }, row.words, row.time), row.lift)
    return row
  }

  tick(now) {
    for (const { one, time } of this.rows.values()) {
      const left = one.until === null ? "" : ` · ends in ${lengthText(Math.max(0, one.until - now))}`
      write(time, ` · ${agoText(Math.max(0, now - one.since))}${left}`)
    }
    this.offerAll()
  }
}
