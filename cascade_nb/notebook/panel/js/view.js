// One view of the panel.

import { CellMarks } from "./cell_marks.js"
import { h, mark, write } from "./dom.js"
import { Drawer } from "./drawer.js"
import { Failures } from "./failures.js"
import { GraphCanvas } from "./graph_canvas.js"
import { InForce } from "./in_force.js"
import { kindState } from "./kind_state.js"
import { PageLinks } from "./page_links.js"
import { Output } from "./output.js"
import { PageNotices } from "./page_notices.js"
import { Questions } from "./questions.js"
import { Switch } from "./switch.js"
import { TabTitle } from "./tab_title.js"
import { Timeline } from "./timeline.js"
import { aboutText, agoText, exactText, holdText, lengthText, number } from "./words.js"

const GONE = "The kernel that ran this is gone; this is how it was last seen."
const ENDED = { succeeded: "✓", failed: "✕", cancelled: "■" }
const COUNTED = [
  ["asking", "asking"],
  ["running", "running"],
  ["held", "held"],
  ["queued", "queued"],
  ["waiting", "waiting"],
  ["failed", "failed"],
  ["skipped", "skipped"],
  ["cancelled", "cancelled"],
]

export class View {
  constructor(shared, model, el) {
    this.shared = shared
    this.model = model
    this.build(el)
    this.marks = new CellMarks(el, model.widget_manager)
    this.timer = setInterval(() => this.tick(), 500)
    this.drawPicture()
    this.update()
  }

  build(el) {
    const ask = (message) => this.shared.ask(message)
    this.pause = new Switch("Pause this run", (on) => ask({ type: "hold", scope: "run", on }))
    this.cancel = h("button", { type: "button", class: "cs-button" }, "Cancel")
    this.cancel.addEventListener("click", () => ask({ type: "cancel" }))
    this.notices = new PageNotices(this.shared)
    this.tab = new TabTitle()
    this.title = h("span", { class: "cs-title" })
    this.run = h("span", { class: "cs-run" })
    this.pages = new PageLinks()
    this.bar = h("div", { class: "cs-bar", role: "progressbar", "aria-valuemin": "0" })
    this.parts = {}
    for (const name of ["done", "reused", "failed", "skipped", "running"]) {
      this.parts[name] = h("div", { class: `cs-part cs-${name}` })
      this.bar.append(this.parts[name])
    }
    this.counts = h("span", { class: "cs-counts" })
    this.time = h("span", { class: "cs-time" })
    this.questions = new Questions(this.shared)
    this.headline = h("div", { class: "cs-headline", role: "status", "aria-live": "polite" })
    this.ago = h("span", { "aria-hidden": "true" })
    this.since = h("p", { class: "cs-since", role: "status" })
    this.drawer = new Drawer(this.shared, this.model, (box) => this.opened(box))
    this.canvas = new GraphCanvas(
      (box) => this.drawer.open({ box }, this.canvas.boxes.find(box)),
      (box, opens) => ask({ type: "fold", box, open: opens }),
      (query) => this.shared.send({ type: "find", page: this.shared.page, ask: 0, query }),
    )
    this.kinds = h("tbody")
    this.retries = h("ul", { class: "cs-retries", hidden: "" })
    this.force = new InForce(this.shared, true)
    this.rows = new Map()
    this.output = new Output(this.shared)
    const parts = [Failures, Timeline].map((Part) => new Part(this.shared, (...what) => this.drawer.open(...what)))
    ;[this.failures, this.timeline] = parts
    this.root = h(
      "div",
      // Lumino's shortcuts would take Enter and Space from the switches.
      { class: "cascade-panel", "data-lm-suppress-shortcuts": "true" },
      h(
        "div",
        { class: "cs-head" },
        h("div", { class: "cs-names" }, this.title, this.run, this.pages.element),
        h(
          "div",
          { class: "cs-tools" },
          this.notices.button,
          h("span", { class: "cs-label", "aria-hidden": "true" }, "Pause"),
          this.pause.element,
          this.cancel,
        ),
      ),
      this.bar,
      h("div", { class: "cs-line" }, this.counts, this.time),
      this.headline,
      h("div", { class: "cs-below" }, this.force.element, this.since),
      this.questions.element,
      (this.columns = h(
        "div",
        { class: "cs-columns" },
        this.canvas.element,
        h(
          "div",
          { class: "cs-kinds" },
          h(
            "table",
            {},
            h("thead", {}, h("tr", {}, ...["task", "done", "hold", "limit"].map((name) => h("th", { scope: "col" }, name)))),
            this.kinds,
          ),
          this.retries,
        ),
        this.drawer.element,
      )),
      this.timeline.element,
      this.output.element,
      this.failures.element,
    )
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.drawer.isOpen) return
      event.stopPropagation()
      this.drawer.close()
    })
    el.append(this.root)
  }

  // What is painted is painted anew, in the colours of now.
  repaint() {
    if (this.timeline.isOpen) this.timeline.draw()
    this.drawer.items?.draw()
  }

  // The drawer shows a node, of this box where it was opened from one; or it is closed.
  opened(box) {
    mark(this.columns, "data-open", this.drawer.isOpen ? "" : null)
    this.canvas.show(box)
  }

  get state() {
    return this.shared.state
  }

  update() {
    const { state } = this
    if (!state.counts) return
    const { counts, phase } = state
    const over = counts.done + counts.reused
    write(this.title, state.title)
    write(this.run, `run ${state.number}`)
    const open = !state.ended && !this.shared.gone
    mark(this.root, "data-phase", this.shared.gone ? "gone" : phase)
    const paused = ["pausing", "paused"].includes(phase) || Boolean(state.pauses_next)
    this.pause.update(paused, this.shared.answered, open)
    this.pause.tell(this.pause.on ? "Let this run go on" : `Pause this run: ${holdText(counts)}`)
    this.cancel.disabled = !open || phase === "cancelling"
    for (const [name, part] of Object.entries(this.parts)) {
      part.style.width = `${counts.total ? (100 * counts[name]) / counts.total : 0}%`
    }
    mark(this.bar, "aria-valuemax", counts.total)
    mark(this.bar, "aria-valuenow", over)
    mark(this.bar, "aria-label", `${over} of ${counts.total} done`)
    const words = COUNTED.filter(([name]) => counts[name]).map(([name, word]) => `${number(counts[name])} ${word}`)
    if (counts.reused) words.unshift(`${number(counts.reused)} reused`)
    const told = [`${number(over)} of ${number(counts.total)} done`, ...words].join(" · ")
    write(this.counts, told)
    mark(this.counts, "title", told)
    this.drawHeadline()
    this.pages.draw(state.dashboards)
    this.questions.draw(state.questions, open)
    this.notices.look(state)
    this.drawKinds()
    this.force.update(state.force ?? [], !open)
    this.drawStates()
    this.failures.draw(state)
    this.output.draw()
    this.tick()
    this.drawer.update()
  }

  drawHeadline() {
    const { state } = this
    const { late, gone, error } = this.shared
    mark(this.headline, "data-late", late || gone ? "" : null)
    const note = gone ? GONE : late ? this.shared.lateWords : error
    const [before, after] = note ? [note] : state.headline
    const sign = ENDED[state.phase] && !note ? `${ENDED[state.phase]} ` : ""
    mark(this.headline, "title", sign + before + (after ?? ""))
    // The seconds are no news: they are hidden from screen readers, or each would be read out.
    if (after === undefined) {
      write(this.headline, sign + before)
      return
    }
    const parts = this.headline.childNodes
    if (parts.length !== 3 || parts[0].data !== before || parts[2].data !== after)
      this.headline.replaceChildren(before, this.ago, after)
  }

  // What became stale since the run was over.
  drawSince() {
    write(this.since, this.model.get("since") ?? "")
  }

  tick() {
    const { time } = this.state
    if (this.shared.gone) this.leavePage()
    if (!time || this.shared.gone) return
    this.tab.look(this.state)
    this.marks.look(this.state, this.model.get("cells"))
    const since = (Date.now() - this.shared.heard) / 1000
    const passed = time.ticking ? since : 0
    const elapsed = this.state.ended ? exactText(time.elapsed) : lengthText(time.elapsed + passed)
    const left = time.remaining === null ? "" : `, ${aboutText(time.remaining - passed)}`
    write(this.time, this.state.ended ? elapsed : elapsed + left)
    this.force.tick((time.wall ?? 0) + since)
    if (time.paused !== null) write(this.ago, agoText(time.paused + since))
    this.drawer.update()
    this.timeline.tick()
  }

  drawKinds() {
    const { kinds, ended, retries } = this.state
    const open = !ended && !this.shared.gone
    // Those of runs that a task has started stand below it, and stay when such a run is over: others may come.
    const known = new Set(kinds.map((kind) => kind.key))
    for (const [key, row] of this.rows) {
      if (known.has(key)) continue
      mark(row.element, "data-state", "left")
      write(row.done, "")
      row.hold.update(false, this.shared.answered, false)
    }
    let above = null
    for (const kind of kinds) {
      let row = this.rows.get(kind.key)
      if (!row) {
        const ask = (on) => this.shared.ask({ type: "hold", scope: `task:${kind.name}`, on })
        row = {
          hold: new Switch(`Hold ${kind.name}`, ask),
          name: h("th", { scope: "row", title: kind.depth ? `${kind.name}, in ${kind.key}` : kind.name }),
          done: h("td", { class: "cs-number" }),
          limit: h("td", { class: "cs-limit" }),
        }
        row.name.append(kind.depth ? kind.name : this.kindButton(kind.name))
        row.element = h("tr", {}, row.name, row.done, h("td", {}, row.hold.element), row.limit)
        row.name.style.setProperty("--cs-depth", kind.depth)
        this.rows.set(kind.key, row)
        if (above) above.after(row.element)
        else this.kinds.prepend(row.element)
      }
      above = row.element
      write(row.done, `${number(kind.done)}/${number(kind.total)}`)
      // Whoever holds it beside you stands where there is room already, so that nothing moves for that.
      const others = kind.others ?? []
      const most = kind.limit === null ? (others.length ? "" : "no limit") : `at most ${number(kind.limit)}`
      write(row.limit, [most, ...others].filter(Boolean).join(" · "))
      mark(row.limit, "title", kind.by || null)
      mark(row.limit, "data-others", others.length ? "" : null)
      mark(row.element, "data-state", kindState(kind, ended))
      row.hold.update(kind.paused, this.shared.answered, open)
      row.hold.tell(kind.paused ? `Let ${kind.name} go on` : `Hold ${kind.name}: ${holdText(kind)}`)
    }
    const told = retries ?? []
    // Once there, their place stays: attempts come and go, and nothing else is to move for that.
    if (told.length || this.state.retriable) this.retries.hidden = false
    mark(this.retries, "title", told.join("\n"))
    while (this.retries.childElementCount > told.length) this.retries.lastChild.remove()
    told.forEach((words, i) => {
      if (!this.retries.children[i]) this.retries.append(h("li", { class: "cs-retry" }))
      write(this.retries.children[i], words)
    })
  }

  // Its nodes, in the drawer. Those of runs inside are no nodes of this one.
  kindButton(kind) {
    const element = h("button", { type: "button", class: "cs-link" }, kind)
    element.addEventListener("click", () => this.drawer.open({ kind }, element))
    return element
  }

  drawPicture() {
    this.canvas.take(this.model.get("svg"))
    this.drawStates()
  }

  drawStates() {
    this.canvas.drawStates(this.state, this.counts.textContent)
  }

  // What tasks displayed is shown by Jupyter's own Output widget, which knows every kind of output.
  async drawDisplays() {
    const reference = this.model.get("displays")
    if (!reference || this.output.displays.childElementCount) return
    const holder = h("div")
    this.output.displays.append(holder)
    const child = await this.model.widget_manager.get_model(reference.replace("IPY_MODEL_", ""))
    const view = await this.model.widget_manager.create_view(child)
    holder.append(view.el)
  }

  // What is told outside of the panel goes with it.
  leavePage() {
    this.tab.leave()
    this.marks.leave()
  }

  close() {
    clearInterval(this.timer)
    this.leavePage()
  }
}
