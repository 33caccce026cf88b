// Two runs that were picked, and what the second of them differs in.

import { h, write } from "./dom.js"

export class RunComparison {
  constructor(shared, changed) {
    this.shared = shared
    this.changed = changed
    this.picked = []
    this.title = h("div", { class: "cs-both" })
    this.body = h("div", { role: "status" })
    this.element = h("section", { class: "cs-compared", "aria-label": "Comparison", hidden: "" }, this.title, this.body)
  }

  // Two at most: a third takes the place of the one that was picked first.
  pick(id, on) {
    this.picked = [...this.picked.filter((one) => one !== id), ...(on ? [id] : [])].slice(-2)
    this.element.hidden = this.picked.length < 2
    if (this.picked.length === 2) {
      const { rows } = this.shared.state
      const [before, after] = [...this.picked].sort((a, b) => rows[a].started - rows[b].started)
      write(this.title, `Run ${rows[before].number} → run ${rows[after].number}`)
      this.body.replaceChildren("…")
      this.shared.ask({ type: "compare", before, after })
    }
    this.changed()
  }

  take({ before, after, error, comparison }) {
    if (!this.picked.includes(before) || !this.picked.includes(after)) return // another pair is asked for now
    if (error) {
      this.body.replaceChildren(h("p", { class: "cs-note" }, error))
      return
    }
    const { title, changed, slower, faster, values, notes } = comparison
    write(this.title, title)
    const nothing = changed.length || notes.length ? [] : [h("p", { class: "cs-note" }, "Nothing changed in code, arguments and parameters.")]
    this.body.replaceChildren(
      ...nothing,
      ...this.part("Changed", changed.map((one) => this.change(one))),
      ...this.part("Slower", slower.map((words) => [words])),
      ...this.part("Faster", faster.map((words) => [words])),
      ...this.part("Other values", values.map(([node, old, now]) => [h("span", { class: "cs-which" }, node), h("code", { class: "cs-where" }, ` ${old} → ${now}`)])),
      ...notes.map((words) => h("p", { class: "cs-note" }, words)),
    )
  }

  part(title, items) {
    if (!items.length) return []
    return [h("div", { class: "cs-label" }, title), h("ul", { class: "cs-found" }, ...items.map((item) => h("li", { class: "cs-item" }, ...item)))]
  }

  change({ words, lines, nodes }) {
    const told = [h("span", {}, words), h("span", { class: "cs-where" }, ` · ${nodes}`)]
    if (!lines.length) return told
    const kinds = { "+": "cs-came", "-": "cs-went" }
    const text = lines.map((line) => h("span", { class: kinds[line[0]] ?? "cs-same" }, `${line}\n`))
    return [h("details", {}, h("summary", { class: "cs-fold" }, ...told), h("pre", { class: "cs-text", tabindex: "0" }, ...text))]
  }
}
