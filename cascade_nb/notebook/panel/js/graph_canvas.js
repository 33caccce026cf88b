// The graph in its window: the picture, its states, and how much of it is seen and where.
//
// The layout is the kernel's: a picture comes laid out, and only moves and grows here. At 100 % one of its units is a
// pixel, so that its smallest text is 11 pixels high.

import { BoxStates } from "./box_states.js"
import { Boxes } from "./boxes.js"
import { anchored, centred, densest, fit, inRoom, kept, moved, seenAt, sees, tidy, toward, zoomed } from "./camera.js"
import { h, mark, write } from "./dom.js"
import { Finder } from "./finder.js"
import { Folds } from "./folds.js"
import { Gestures } from "./gestures.js"
import { Lights } from "./lights.js"
import { Links } from "./links.js"
import { Minimap } from "./minimap.js"
import { safePicture } from "./safe_picture.js"
import { Sheets } from "./sheets.js"

const STEP = 1.25 // of the buttons and keys that zoom
const GLIDE = 240 // ms
const PUSH = 60 // pixels
const PUSHES = { ArrowLeft: [PUSH, 0], ArrowRight: [-PUSH, 0], ArrowUp: [0, PUSH], ArrowDown: [0, -PUSH] }
const AT_WORK = new Set(["running", "asking"])

export class GraphCanvas {
  // `open` is called with the id of a box that was chosen, `fold` with that of one and whether its group is to open,
  // `find` with a query, of which `finder` is to have the answer.
  constructor(open, fold, find) {
    this.states = new BoxStates()
    this.camera = null // nothing was shown yet
    this.size = { width: 0, height: 0 }
    this.room = { width: 0, height: 0 }
    this.whole = false // the reader wants to see all of it, whatever the window
    this.untouched = true // the reader has neither moved nor zoomed it
    this.follows = true
    this.hovered = false
    this.graph = h("div", { class: "cs-graph", role: "group", tabindex: "-1" })
    this.boxes = new Boxes(this.graph, open, (box) => this.reveal(box), (at, key) => this.links.walk(this.all, at, key))
    this.lights = new Lights(this.graph)
    this.finder = new Finder(this.graph, {
      reveal: (box) => this.reveal(box),
      enter: (box) => this.enter(box),
      ask: find,
      unfold: (box) => this.folds.turn(box, "open"),
    })
    this.minimap = new Minimap((point) => this.goTo(point))
    this.sheets = new Sheets()
    this.tools = this.buildTools()
    this.element = h("div", { class: "cs-stage" }, h("div", { class: "cs-canvas" }, this.graph, this.minimap.element), this.tools, this.sheets.element)
    const moves = { zoom: (factor, at) => this.zoom(factor, at), pan: (dx, dy) => this.pan(dx, dy) }
    this.gestures = new Gestures(this.graph, moves)
    this.folds = new Folds(this.graph, (id, opens) => {
      this.turned = id
      fold(id, opens)
    })
    this.graph.addEventListener("pointerenter", () => (this.hovered = true))
    this.graph.addEventListener("pointerleave", () => (this.hovered = false))
    // Whatever leads there by keys: a screen reader has ways of its own.
    this.graph.addEventListener("focusin", ({ target }) => {
      if (target.matches("g.node:focus-visible")) this.reveal(target)
    })
    this.element.addEventListener("keydown", (event) => this.key(event))
  }

  buildTools() {
    const tool = (label, words, title, act) => {
      const element = h("button", { type: "button", class: "cs-tool", "aria-label": words, title }, label)
      element.addEventListener("click", act)
      return element
    }
    this.percent = tool("100 %", "Show at 100 %", "Show at 100 % (1)", () => this.showAt(1))
    this.following = tool("follow", "Follow what runs", "Keep what runs in sight (F)", () => this.follow(!this.follows))
    mark(this.following, "aria-pressed", this.follows)
    return h(
      "div",
      { class: "cs-graph-tools", role: "group", "aria-label": "View of the graph" },
      tool("−", "Zoom out", "Zoom out (−, or Ctrl and the wheel)", () => this.zoom(1 / STEP)),
      this.percent,
      tool("+", "Zoom in", "Zoom in (+, or Ctrl and the wheel)", () => this.zoom(STEP)),
      tool("fit", "Fit the whole graph", "The whole graph (0)", () => this.showAll()),
      this.following,
      this.finder.element,
      ...this.sheets.buttons,
    )
  }

  // ---- the picture

  take(source) {
    const before = this.standing()
    this.places = null
    const picture = source ? safePicture(source) : null
    if (!picture) {
      const words = source ? "The graph cannot be shown." : "Drawing the graph…"
      this.picture = null
      this.graph.replaceChildren(h("p", { class: "cs-empty" }, words))
      return
    }
    picture.removeAttribute("style")
    const [, , width, height] = (picture.getAttribute("viewBox") ?? "").split(" ").map(Number)
    this.size = { width: width || picture.getAttribute("width"), height: height || picture.getAttribute("height") }
    mark(picture, "width", this.size.width)
    mark(picture, "height", this.size.height)
    this.picture = picture
    this.graph.replaceChildren(picture)
    this.states.take(picture.querySelectorAll("g.node"))
    this.boxes.take(picture)
    const lines = [...picture.querySelectorAll("g.edge[data-ends]")]
    this.links = new Links(this.boxes.all.length, lines.map((line) => line.dataset.ends.split(" ").map(Number)))
    this.lights.take(this.boxes.all, lines, this.links)
    this.finder.take(this.boxes.all)
    this.minimap.take()
    this.folds.take(this.boxes.all)
    this.graph.style.height = `${Math.min(Math.max(this.size.height + 2, 120), 460)}px`
    this.camera = null
    this.untouched ||= !before
    this.resized()
    if (before) this.goOn(before)
    this.finder.goOn()
  }

  // Where the reader is in this picture, for when another one takes its place.
  standing() {
    if (!this.camera || !this.boxes.all.length) return null
    const { camera, middle, turned } = this
    const at = this.boxes.find(turned) ?? this.boxes.all.find((box) => box === document.activeElement)
    const here = seenAt(camera, at ? this.placeOf(at) : { left: 0, top: 0, right: 0, bottom: 0 })
    const { x, y } = at ? { x: here.left, y: here.top } : middle
    const far = ({ left, top }) => Math.abs(camera.x + camera.k * left - x) + Math.abs(camera.y + camera.k * top - y)
    const places = this.boxes.all.map((box, i) => ({ id: box.id, place: this.all[i], far: far(this.all[i]) }))
    const focus = this.gestures.hasFocus && (document.activeElement.matches("g.node:focus-visible") ? "box" : "graph")
    return { camera, focus, near: places.sort((a, b) => a.far - b.far), turned: Boolean(turned) }
  }

  // What is in both pictures and was nearest to the reader stays where it is.
  goOn({ camera, focus, near, turned }) {
    const same = near.find(({ id }) => this.boxes.find(id))
    this.turned = null
    if (!this.room.width || !same) return
    const box = this.boxes.find(same.id)
    if (turned || !this.untouched) {
      this.untouched = false
      const all = fit(this.size, this.room)
      this.stand(camera)
      this.stand(all.k === 1 || this.whole ? all : kept(anchored(camera, same.place, this.placeOf(box)), this.size, this.room))
    }
    if (focus) this.enter(focus === "box" ? box : null)
  }

  // The keys go on from there.
  enter(box) {
    if (box) this.boxes.go(box)
    else this.graph.focus({ preventScroll: true })
  }

  // The box whose node is open, or none.
  show(id) {
    this.boxes.show(id)
    this.reveal(this.boxes.find(id))
  }

  drawStates(state, told) {
    const { counts, looks } = state
    this.states.draw(state)
    if (counts) mark(this.graph, "aria-label", `Graph of ${counts.total} nodes: ${told}`)
    if (looks) this.sheets.looks = looks
    this.finder.look(false)
    this.minimap.drawStates(this.boxes.all)
    this.followOn()
  }

  // ---- where it stands

  // The window has another size, or one at last.
  resized() {
    const before = this.room
    this.room = { width: this.graph.clientWidth, height: this.graph.clientHeight }
    if (!this.picture || !this.room.width || !this.room.height) return
    if (this.untouched || !this.camera) this.begin()
    else if (this.whole) this.stand(fit(this.size, this.room))
    else if (before.width) this.stand(inRoom(this.camera, this.size, before, this.room))
    if (this.boxes.chosen) this.reveal(this.boxes.find(this.boxes.chosen), false)
  }

  // All of it where its words can be read then, else what runs, else the beginning.
  begin() {
    const all = fit(this.size, this.room)
    this.stand(all.k === 1 ? all : tidy({ x: 0, y: 0, k: 1 }, this.size, this.room))
    const runs = all.k === 1 ? [] : this.atWork()
    if (runs.length) this.stand(centred(densest(runs, 1, this.room), 1, this.size, this.room))
  }

  stand(camera, heading = camera) {
    cancelAnimationFrame(this.gliding)
    this.camera = camera
    this.heading = heading
    const { x, y, k } = camera
    this.picture.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) scale(${k})`
    write(this.percent, `${Math.round(100 * k)} %`)
    this.minimap.draw(this.size, () => this.all, this.boxes.all)
    this.minimap.stand(camera, this.size, this.room)
  }

  // What leaves the place that the reader looks at is seen to go.
  glide(to) {
    const from = this.camera
    if (globalThis.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.stand(to)
      return
    }
    const begun = performance.now()
    const step = () => {
      const part = Math.min(1, (performance.now() - begun) / GLIDE)
      const eased = part * (2 - part)
      const at = (name) => from[name] + eased * (to[name] - from[name])
      this.stand(part < 1 ? { x: at("x"), y: at("y"), k: at("k") } : to, to)
      if (part < 1) this.gliding = requestAnimationFrame(step)
    }
    this.stand(from, to)
    this.gliding = requestAnimationFrame(step)
  }

  get middle() {
    return { x: this.room.width / 2, y: this.room.height / 2 }
  }

  // Whether there is something that the reader can move.
  touch(whole = false) {
    this.untouched = false
    this.whole = whole
    return this.camera !== null
  }

  zoom(factor, at = this.middle) {
    if (!this.touch()) return
    this.stand(zoomed(this.camera, factor, at, this.size, this.room))
  }

  pan(dx, dy) {
    if (!this.touch()) return
    this.follow(false)
    this.stand(moved(this.camera, dx, dy, this.size, this.room))
  }

  goTo({ x, y }) {
    if (!this.touch()) return
    this.follow(false)
    this.stand(centred({ left: x, right: x, top: y, bottom: y }, this.camera.k, this.size, this.room))
  }

  showAt(k) {
    if (!this.touch()) return
    this.glide(zoomed(this.camera, k / this.camera.k, this.middle, this.size, this.room))
  }

  showAll() {
    if (!this.touch(true)) return
    this.glide(fit(this.size, this.room))
  }

  // Only the picture moves, and only as far as it must: the page stays where it is.
  reveal(box, gliding = true) {
    if (!this.camera || !box) return
    const to = toward(this.camera, this.placeOf(box), this.size, this.room)
    if (gliding) this.glide(to)
    else this.stand(to)
  }

  // Where the boxes stand in the picture, in their order.
  get all() {
    this.places ??= this.boxes.all.map((box) => {
      const { x, y, k } = this.camera
      const at = this.graph.getBoundingClientRect()
      const [u, v] = [at.left + this.graph.clientLeft + Math.round(x), at.top + this.graph.clientTop + Math.round(y)]
      const { left, top, right, bottom } = box.getBoundingClientRect()
      return { left: (left - u) / k, top: (top - v) / k, right: (right - u) / k, bottom: (bottom - v) / k }
    })
    return this.places
  }

  placeOf(box) {
    return this.all[this.boxes.all.indexOf(box)]
  }

  // ---- what runs

  atWork() {
    return this.boxes.all.filter((box) => AT_WORK.has(box.dataset.state)).map((box) => this.placeOf(box))
  }

  follow(on) {
    this.follows = on
    mark(this.following, "aria-pressed", on)
    if (on) this.followOn(true)
  }

  // Not away from under the reader's pointer or keys, nor from what was searched for, unless the reader says so.
  followOn(asked = false) {
    if (!this.follows || !this.camera) return
    if (!asked && (this.hovered || this.gestures.hasFocus || this.finder.finds)) return
    const runs = this.atWork()
    if (!runs.length || runs.some((place) => sees(this.heading, place, this.room))) return
    this.glide(centred(densest(runs, this.camera.k, this.room), this.camera.k, this.size, this.room))
  }

  // ---- keys: only those that come while the graph or its tools have the focus

  key(event) {
    const { key, shiftKey, target } = event
    if (event.altKey || event.ctrlKey || event.metaKey || target.matches("input")) return
    const push = shiftKey && this.graph.contains(target) ? PUSHES[key] : undefined
    const act = push
      ? () => this.pan(...push)
      : {
          "+": () => this.zoom(STEP),
          "=": () => this.zoom(STEP),
          "-": () => this.zoom(1 / STEP),
          0: () => this.showAll(),
          1: () => this.showAt(1),
          f: () => this.follow(!this.follows),
          "/": () => this.finder.field.select(),
          "?": () => this.sheets.turn("keys"),
          o: () => this.folds.turn(target.closest("g.node"), "open"),
          c: () => this.folds.turn(target.closest("g.node"), "close"),
        }[key.toLowerCase()]
    if (act) act()
    else if (key === "Escape" && this.sheets.shown) this.sheets.turn(this.sheets.shown)
    else if (key.startsWith("Arrow") && target === this.graph && this.boxes.all.length) this.enter(this.boxes.first)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}
