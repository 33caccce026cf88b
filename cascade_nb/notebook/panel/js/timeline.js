// When what ran, as a part of the panel: a picture to zoom and to point at, and the same as a table.

import { h, mark, write } from "./dom.js"
import { button } from "./drawer_tabs.js"
import { section } from "./section.js"
import { TimelineData, TINY } from "./timeline_data.js"
import { barAt, HEAD, lanesOf } from "./timeline_lanes.js"
import { paintTimeline } from "./timeline_paint.js"
import { TimelineTable } from "./timeline_table.js"
import { exactText, number } from "./words.js"

const ASK_AGAIN = 1000 // ms between two questions while the run goes on
const FOLDED = 5000 // ms between two that ask for what is put together, too
const LATE = 10_000 // ms after which an answer does not come any more
const LEFT = 116 // pixels for the names of lanes; fewer where it is narrow
const NOBODY = "This run is over and nobody has it any more, so its times are not known."
const KEYS = "Arrows go from bar to bar, plus and minus zoom, 0 shows all of it, Enter opens the node."
const SIGNS = [
  ["done", "done"],
  ["running", "running"],
  ["failed", "failed"],
  ["again", "tried again"],
  ["rest", "stood still"],
  ["pause", "paused"],
  ["path", "what the end waited for"],
]

export class Timeline {
  // `open` shows a node in the drawer, `given` the element that is to have the focus afterwards.
  constructor(shared, open) {
    this.shared = shared
    this.open = open
    this.data = new TimelineData()
    this.mode = "kind"
    this.zoom = null // seconds from and to; null for all of it
    this.lanes = []
    this.chosen = null
    this.build()
  }

  build() {
    this.section = section("timeline")
    this.element = this.section.element
    this.modes = ["kind", "slot"].map((mode) => {
      const element = button(mode === "kind" ? "By task" : "By slot", () => this.show(mode))
      mark(element, "aria-pressed", mode === this.mode)
      return element
    })
    const tool = (words, name, act) => {
      const element = button(words, act)
      mark(element, "aria-label", name)
      return element
    }
    this.tools = h(
      "div",
      { class: "cs-deeds" },
      ...this.modes,
      tool("−", "Zoom out", () => this.zoomBy(2)),
      tool("+", "Zoom in", () => this.zoomBy(0.5)),
      tool("All", "Show all of it", () => this.showAll()),
      h("span", { class: "cs-signs", "aria-hidden": "true" }, ...SIGNS.map(([name, words]) => h("span", { class: `cs-sign cs-sign-${name}` }, words))),
    )
    this.canvas = h("canvas", { class: "cs-times", role: "application", tabindex: "0", "aria-label": "Timeline" })
    for (const [name, act] of [
      ["mousemove", (event) => this.point(event)],
      ["mouseleave", () => this.leave()],
      ["click", (event) => this.pick(event)],
      ["pointerdown", (event) => this.grab(event)],
      ["pointermove", (event) => this.drag(event)],
      ["pointerup", () => this.drop()],
      ["keydown", (event) => this.key(event)],
      ["focus", () => this.say(this.chosen)],
    ])
      this.canvas.addEventListener(name, act)
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
    this.scroller = h("div", { class: "cs-lanes" }, this.canvas)
    this.said = h("p", { class: "cs-told", role: "status" })
    this.none = h("p", { class: "cs-none" })
    this.table = new TimelineTable(this.data, this.open)
    this.section.body.append(this.none, this.tools, this.scroller, this.said, this.table.element)
    this.element.addEventListener("toggle", () => this.look())
  }

  get isOpen() {
    return this.element.open
  }

  // The run stands otherwise than before, or some time has passed.
  tick() {
    if (!this.isOpen) return
    this.look()
    if (!this.data.over || this.laid?.width !== this.scroller.clientWidth) this.draw()
  }

  look() {
    if (!this.isOpen || this.shared.gone || this.data.over || this.nobody) return
    const since = Date.now() - (this.askedAt ?? 0)
    if (this.asked && since < LATE) return
    if (since >= ASK_AGAIN) this.ask()
  }

  ask() {
    this.askedAt = Date.now()
    this.shared.asks = (this.shared.asks ?? 0) + 1
    this.asked = this.shared.asks
    const { serial, last } = this.data
    const folded = this.askedAt - (this.foldedAt ?? 0) >= FOLDED || this.shared.state.ended === true
    if (folded) this.foldedAt = this.askedAt
    this.shared.send({ type: "timeline", page: this.shared.page, ask: this.asked, serial, since: last, folded })
  }

  answer(told) {
    if (told.page !== this.shared.page || told.ask !== this.asked) return
    this.asked = null
    if (told.problem) {
      write(this.said, told.problem)
      return
    }
    this.heard = Date.now()
    if (!this.data.take(told)) {
      this.nobody = this.shared.state.ended === true && told.serial === -1 && this.data.serial < 0
      if (this.nobody) write(this.said, NOBODY)
      return
    }
    if (this.data.last < this.data.ended) setTimeout(() => this.ask(), 30)
    this.draw()
    this.table.draw()
  }

  // ---- the picture ---------------------------------------------------------------------------

  get now() {
    return this.data.over ? this.data.now : this.data.now + (Date.now() - (this.heard ?? Date.now())) / 1000
  }

  draw() {
    const width = this.scroller.clientWidth
    if (!this.isOpen || width <= 0) return
    const { data } = this
    const now = this.now
    const endOf = (bar) => (bar.took === null ? now : bar.at + bar.took)
    const left = width < 560 ? 78 : LEFT
    const [from, to] = this.zoom ?? [0, Math.max(now, 0.1) * 1.01]
    const scale = (width - left - 4) / (to - from)
    const xOf = (time) => left + (time - from) * scale
    const timeOf = (x) => (x < left ? null : from + (x - left) / scale)
    const kept = this.chosen && this.keyOf(this.chosen)
    this.lanes = lanesOf(data, this.mode, endOf)
    if (kept) this.chosen = data.bars.find((bar) => this.keyOf(bar) === kept) ?? null
    this.laid = { width, left, from, to, xOf, timeOf, endOf, scale }
    const isOnPath = (bar) => data.isOnPath(bar)
    const drawn = { ...this.laid, lanes: this.lanes, pauses: data.pauses, chosen: this.chosen, isOnPath, now, over: data.over }
    paintTimeline(this.canvas, drawn, this.colours())
    const count = data.ended + data.going.length
    this.section.show(count)
    const none = data.over && !count && !data.slices.length
    write(this.none, none ? "Nothing was under way: every result stood already." : "")
    mark(this.element, "data-none", none ? "" : null)
    const told = `Timeline: ${number(count)} attempts in ${exactText(now)}`
    mark(this.canvas, "aria-label", `${told}. ${KEYS}`)
  }

  keyOf({ node, item, number: attempt, at }) {
    return `${node}:${item}:${attempt}:${at}`
  }

  colours() {
    const style = getComputedStyle(this.scroller)
    const colour = (name) => style.getPropertyValue(`--cs-${name}`).trim() || "#777"
    const names = ["paper", "ink", "faint", "rule", "soft", "done", "running", "failed", "held"]
    return { font: style.fontFamily, ...Object.fromEntries(names.map((name) => [name, colour(name)])) }
  }

  show(mode) {
    this.mode = mode
    for (const [i, one] of ["kind", "slot"].entries()) mark(this.modes[i], "aria-pressed", one === mode)
    this.draw()
  }

  // ---- zoom ----------------------------------------------------------------------------------

  showAll() {
    this.zoom = null
    this.draw()
  }

  // Around a moment; the middle of what is seen where none is given.
  zoomBy(factor, around = null) {
    if (!this.laid) return
    const { from, to } = this.laid
    const all = Math.max(this.now, 0.1) * 1.01
    const length = Math.max((to - from) * factor, 0.002)
    if (length >= all) {
      this.showAll()
      return
    }
    const at = around ?? (from + to) / 2
    const begin = at - ((at - from) / (to - from)) * length
    this.moveTo(begin, length, all)
  }

  moveTo(begin, length, all) {
    const from = Math.min(Math.max(begin, 0), Math.max(0, all - length))
    this.zoom = [from, from + length]
    this.draw()
  }

  // With a key held, as on a map: a wheel alone scrolls the page.
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return
    event.preventDefault()
    this.zoomBy(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, this.laid?.timeOf(event.offsetX))
  }

  grab(event) {
    this.held = { x: event.clientX, from: this.laid?.from ?? 0, moved: false }
    this.canvas.setPointerCapture?.(event.pointerId)
  }

  drag(event) {
    if (!this.held || !this.zoom) return
    const away = event.clientX - this.held.x
    if (Math.abs(away) > 3) this.held.moved = true
    if (this.held.moved) this.moveTo(this.held.from - away / this.laid.scale, this.zoom[1] - this.zoom[0], this.now * 1.01)
  }

  drop() {
    this.dragged = this.held?.moved ?? false
    this.held = null
  }

  // ---- what is pointed at --------------------------------------------------------------------

  barUnder({ offsetX, offsetY }) {
    const { timeOf, xOf, endOf } = this.laid ?? {}
    return this.laid ? barAt(this.lanes, offsetX, offsetY, timeOf, xOf, endOf) : null
  }

  point(event) {
    const bar = this.barUnder(event)
    this.canvas.style.cursor = bar && bar.node >= 0 ? "pointer" : this.zoom ? "grab" : "default"
    write(this.said, bar ? this.wordsOf(bar) : this.around(event))
  }

  leave() {
    this.say(this.chosen)
  }

  say(bar) {
    write(this.said, bar ? this.wordsOf(bar) : "")
  }

  wordsOf(bar) {
    const again = bar.number > 1 ? ` · attempt ${number(bar.number)}` : ""
    const took = this.laid.endOf(bar) - bar.at
    const rested = bar.rests.reduce((sum, [since, length]) => sum + (length ?? this.now - since), 0)
    const still = rested ? ` · stood still for ${exactText(rested)}` : ""
    const path = this.data.isOnPath(bar) ? " · the end waited for it" : ""
    const how = bar.kind === TINY ? "" : ` · ${bar.how}`
    return `${bar.name}${again}${how} · began after ${exactText(bar.at)} · ${exactText(took)}${still}${path}`
  }

  // Where no bar is: a pause, or what is put together there.
  around({ offsetX, offsetY }) {
    const time = this.laid?.timeOf(offsetX) ?? null
    if (time === null) return ""
    const lane = this.lanes.find(({ top, height }) => offsetY >= top && offsetY <= top + height)
    const cell = lane?.cells.find(({ from, to }) => from <= time && time < to)
    if (cell) {
      const badly = cell.badly ? `, ${number(cell.badly)} not well` : ""
      return `${number(cell.count)} attempts at ${cell.kind} ended between ${exactText(cell.from)} and ${exactText(cell.to)}${badly}`
    }
    const over = this.data.pauses.find(
      ({ since, until, kind }) => since <= time && time <= (until ?? this.now) && (kind === "" || kind === lane?.name || (kind === null && offsetY < HEAD)),
    )
    return over ? `${over.words} · ${exactText((over.until ?? this.now) - over.since)}` : ""
  }

  pick(event) {
    const bar = this.dragged ? null : this.barUnder(event)
    this.dragged = false
    if (bar) this.choose(bar, true)
  }

  choose(bar, opens = false) {
    this.chosen = bar
    this.draw()
    this.say(this.chosen)
    const ref = this.data.refOf(bar)
    if (opens && ref !== null) this.open({ node: ref }, this.canvas)
  }

  key(event) {
    const acts = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      ArrowDown: () => this.cross(1),
      ArrowUp: () => this.cross(-1),
      "+": () => this.zoomBy(0.5, this.chosen?.at),
      "-": () => this.zoomBy(2, this.chosen?.at),
      0: () => this.showAll(),
      Enter: () => this.chosen && this.choose(this.chosen, true),
    }
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : acts[event.key]
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }

  step(way) {
    const lane = this.lanes.find(({ bars }) => bars.includes(this.chosen))
    if (!lane) {
      const first = this.lanes.find(({ bars }) => bars.length)
      if (first) this.choose(first.bars[0])
      return
    }
    const next = lane.bars[lane.bars.indexOf(this.chosen) + way]
    if (next) this.choose(next)
  }

  // The bar of the next lane that begins about then.
  cross(way) {
    const full = this.lanes.filter(({ bars }) => bars.length)
    const at = full.findIndex(({ bars }) => bars.includes(this.chosen))
    const lane = at < 0 ? full[0] : full[at + way]
    if (!lane) return
    const time = this.chosen?.at ?? 0
    this.choose(lane.bars.reduce((best, bar) => (Math.abs(bar.at - time) < Math.abs(best.at - time) ? bar : best)))
  }
}
