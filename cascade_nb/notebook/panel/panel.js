// The panel in the browser. It shows what the kernel told and asks the kernel for what is clicked; it
// decides nothing. Python's side is panel.py, what is told is made in portrait.py.
//
// Everything that is shown is text (`textContent`), but for the picture of the graph, which is SVG made by
// cascade_nb.view: it is parsed as XML, and whatever could act is taken out once more.

const SVG = "http://www.w3.org/2000/svg"
const PATIENCE = 700 // ms after a click until the panel says that the kernel is busy
const LINES = 1000 // of output that are kept on the page
const GONE = "The kernel that ran this is gone; this is how it was last seen."
const ENDED = { succeeded: "✓", failed: "✕", cancelled: "■" }
const COUNTED = [
  ["running", "running"],
  ["held", "held"],
  ["queued", "queued"],
  ["waiting", "waiting"],
  ["failed", "failed"],
  ["skipped", "skipped"],
  ["cancelled", "cancelled"],
]

// ---- small things -------------------------------------------------------------------------------------

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

// Writes only what is new: a screen reader hears a live region again each time it is written to.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function mark(element, name, value) {
  if (value === null) element.removeAttribute(name)
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value))
}

const number = (n) => n.toLocaleString("en-US")

function lengthText(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`
  const minutes = Math.floor(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

// As cascade_nb.control.words says it.
function exactText(seconds) {
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`
  return seconds < 9.95 ? `${seconds.toFixed(1).replace(".0", "")} s` : lengthText(Math.round(seconds))
}

function aboutText(seconds) {
  if (seconds < 10) return "a few seconds left"
  if (seconds < 60) return `about ${Math.round(seconds / 5) * 5} s left`
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`
  return `about ${(seconds / 3600).toFixed(1)} h left`
}

function agoText(seconds) {
  if (seconds < 1.5) return "just now"
  return seconds < 60 ? `${Math.round(seconds)} s ago` : `${lengthText(seconds)} ago`
}

// ---- a picture that cannot act ------------------------------------------------------------------------

const HARMLESS = new Set(
  ("svg g path polygon polyline rect ellipse circle line text tspan title desc defs marker style use " +
    "clipPath pattern").split(" "),
)

function safePicture(source) {
  const parsed = new DOMParser().parseFromString(source, "image/svg+xml").documentElement
  if (parsed.namespaceURI !== SVG || parsed.localName !== "svg") return null
  for (const element of [...parsed.querySelectorAll("*"), parsed]) {
    if (element.namespaceURI !== SVG || !HARMLESS.has(element.localName)) element.remove()
    for (const { name, value } of [...element.attributes]) {
      const outside = /href$/i.test(name) && !value.startsWith("#")
      if (/^on/i.test(name) || outside || /url\(\s*['"]?(?!#)/i.test(value)) element.removeAttribute(name)
    }
    if (element.localName === "style" && /@import|url\(|expression/i.test(element.textContent)) element.remove()
  }
  return document.importNode(parsed, true)
}

// ---- a switch -----------------------------------------------------------------------------------------

// It shows what the kernel acknowledged (`aria-checked`). A click only asks: until the answer is there the
// switch stands in the middle and is busy.
class Switch {
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

// ---- output -------------------------------------------------------------------------------------------

// Text of two streams as lines; `\r` goes back to the beginning of the line, as progress bars want it.
class Lines {
  constructor() {
    this.clear()
  }

  clear() {
    this.lines = []
    this.open = false
    this.dropped = 0
  }

  add(stream, text) {
    const plain = text.replace(/\r\n/g, "\n")
    const pieces = plain.split("\n")
    pieces.forEach((piece, i) => {
      const last = this.lines[this.lines.length - 1]
      const ends = i < pieces.length - 1
      if (piece || ends) {
        if (this.open && last.stream === stream) last.text = overwritten(last.text + piece)
        else this.lines.push({ stream, text: overwritten(piece) })
        this.open = !ends
      }
    })
    const surplus = this.lines.length - LINES
    if (surplus > 0) {
      this.lines.splice(0, surplus)
      this.dropped += surplus
    }
  }

  get count() {
    return this.dropped + this.lines.length
  }
}

function overwritten(line) {
  const at = line.endsWith("\r") ? line.lastIndexOf("\r", line.length - 2) : line.lastIndexOf("\r")
  return at < 0 ? line : line.slice(at + 1)
}

// ---- one view -----------------------------------------------------------------------------------------

class View {
  constructor(shared, model, el) {
    this.shared = shared
    this.model = model
    this.build(el)
    this.timer = setInterval(() => this.tick(), 500)
    this.drawPicture()
    this.update()
  }

  build(el) {
    const ask = (message) => this.shared.ask(message)
    this.pause = new Switch("Pause this run", (on) => ask({ type: "hold", scope: "run", on }))
    this.cancel = h("button", { type: "button", class: "cs-button" }, "Cancel")
    this.cancel.addEventListener("click", () => ask({ type: "cancel" }))
    this.title = h("span", { class: "cs-title" })
    this.run = h("span", { class: "cs-run" })
    this.bar = h("div", { class: "cs-bar", role: "progressbar", "aria-valuemin": "0" })
    this.parts = {}
    for (const name of ["done", "reused", "failed", "skipped", "running"]) {
      this.parts[name] = h("div", { class: `cs-part cs-${name}` })
      this.bar.append(this.parts[name])
    }
    this.counts = h("span", { class: "cs-counts" })
    this.time = h("span", { class: "cs-time" })
    this.headline = h("div", { class: "cs-headline", role: "status", "aria-live": "polite" })
    this.ago = h("span", { "aria-hidden": "true" })
    this.graph = h("div", { class: "cs-graph", role: "img", tabindex: "0" })
    this.whole = h("button", { type: "button", class: "cs-whole", "aria-pressed": "false" }, "whole graph")
    this.whole.addEventListener("click", () => {
      const whole = this.graph.classList.toggle("cs-fit")
      mark(this.whole, "aria-pressed", whole)
    })
    this.kinds = h("tbody")
    this.retries = h("ul", { class: "cs-retries", hidden: "" })
    this.rows = new Map()
    this.output = section("output")
    this.text = h("pre", { class: "cs-text", tabindex: "0" })
    this.displays = h("div", { class: "cs-displays" })
    this.output.body.append(this.text, this.displays)
    this.output.element.addEventListener("toggle", () => this.drawOutput())
    this.failures = section("failures")
    this.failureList = h("ul", { class: "cs-failures" })
    this.failures.body.append(this.failureList)
    this.root = h(
      "div",
      // Lumino's shortcuts would take Enter and Space from the switches.
      { class: "cascade-panel", "data-lm-suppress-shortcuts": "true" },
      h(
        "div",
        { class: "cs-head" },
        h("div", { class: "cs-names" }, this.title, this.run),
        h(
          "div",
          { class: "cs-tools" },
          h("span", { class: "cs-label", "aria-hidden": "true" }, "Pause"),
          this.pause.element,
          this.cancel,
        ),
      ),
      this.bar,
      h("div", { class: "cs-line" }, this.counts, this.time),
      this.headline,
      h(
        "div",
        { class: "cs-columns" },
        h("div", { class: "cs-stage" }, this.graph, this.whole),
        h(
          "div",
          { class: "cs-kinds" },
          h(
            "table",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ...["kind", "done", "hold", "limit"].map((name) => h("th", { scope: "col" }, name)),
              ),
            ),
            this.kinds,
          ),
          this.retries,
        ),
      ),
      this.output.element,
      this.failures.element,
    )
    el.append(this.root)
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
    this.pause.update(["pausing", "paused"].includes(phase), this.shared.answered, open)
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
    this.drawKinds()
    this.drawStates()
    this.drawFailures()
    this.drawOutput()
    this.tick()
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

  tick() {
    const { time } = this.state
    if (!time || this.shared.gone) return
    const since = (Date.now() - this.shared.heard) / 1000
    const passed = time.ticking ? since : 0
    const elapsed = this.state.ended ? exactText(time.elapsed) : lengthText(time.elapsed + passed)
    const left = time.remaining === null ? "" : `, ${aboutText(time.remaining - passed)}`
    write(this.time, this.state.ended ? elapsed : elapsed + left)
    if (time.paused !== null) write(this.ago, agoText(time.paused + since))
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
          name: h("th", { scope: "row", title: kind.depth ? `${kind.name}, in ${kind.key}` : kind.name }, kind.name),
          done: h("td", { class: "cs-number" }),
          limit: h("td", { class: "cs-limit" }),
        }
        row.element = h("tr", {}, row.name, row.done, h("td", {}, row.hold.element), row.limit)
        row.name.style.setProperty("--cs-depth", kind.depth)
        this.rows.set(kind.key, row)
        if (above) above.after(row.element)
        else this.kinds.prepend(row.element)
      }
      above = row.element
      write(row.done, `${number(kind.done)}/${number(kind.total)}`)
      write(row.limit, kind.limit === null ? "no limit" : `at most ${number(kind.limit)}`)
      mark(row.element, "data-state", kindState(kind, ended))
      row.hold.update(kind.paused, this.shared.answered, open)
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

  drawPicture() {
    const source = this.model.get("svg")
    this.boxes = new Map()
    const picture = source ? safePicture(source) : null
    if (!picture) {
      this.graph.replaceChildren(h("p", { class: "cs-empty" }, source ? "The graph cannot be shown." : "Drawing the graph…"))
      return
    }
    // Its own size, and it scrolls: shrunk to the page a large graph could not be read.
    picture.removeAttribute("style")
    for (const box of picture.querySelectorAll("g.node")) {
      const title = box.querySelector("title")
      this.boxes.set(box.id, { box, title, words: title?.textContent ?? "", shown: "", note: "" })
    }
    this.graph.replaceChildren(picture)
    const height = Number(picture.getAttribute("height"))
    this.graph.style.height = `${Math.min(Math.max(height + 2, 120), 460)}px`
    this.fits()
    this.drawStates()
  }

  // Whether the picture can be seen as a whole where it stands.
  fits() {
    const picture = this.graph.querySelector("svg")
    const { clientWidth, clientHeight } = this.graph
    const fits = !picture || (picture.getAttribute("width") <= clientWidth && picture.getAttribute("height") <= clientHeight)
    this.whole.hidden = fits
  }

  // How a box is built, and what shows a state, is said in cascade_nb/view/svg/markup.py.
  drawStates() {
    const { counts, looks, boxes, notes } = this.state
    for (const [id, [name, done, total]] of Object.entries(boxes ?? {})) {
      const known = this.boxes.get(id)
      const shown = `${name} ${done}/${total}`
      if (!known || known.shown === shown) continue
      known.shown = shown
      const { box, title, words } = known
      const [word, icon] = looks[name] ?? [name, ""]
      box.dataset.state = name
      box.querySelector(".icon")?.setAttribute("d", icon)
      const counted = total !== undefined && name !== "waiting" ? `${number(done)}/${number(total)}` : ""
      const bar = box.querySelector(".bar")
      if (counted && bar) {
        box.dataset.progress = counted
        write(box.querySelector(".progress"), counted)
        bar.setAttribute("width", (bar.dataset.full * done) / (total || 1))
      } else delete box.dataset.progress
      if (title) write(title, [words, word, counted].filter(Boolean).join(" · "))
    }
    for (const [id, known] of this.boxes) this.drawNote(known, notes?.[id] ?? "")
    if (counts) mark(this.graph, "aria-label", `Graph of ${counts.total} nodes: ${this.counts.textContent}`)
  }

  // What is said of a node beside its state, in a second line of its box.
  drawNote(known, note) {
    if (known.note === note) return
    const { box } = known
    if (!known.line) {
      const name = box.querySelector(".title")
      known.line = name.cloneNode()
      known.line.setAttribute("class", "progress")
      known.line.setAttribute("font-size", "9.5px")
      known.line.removeAttribute("font-weight")
      known.line.setAttribute("y", Number(name.getAttribute("y")) + (box.querySelector(".caption") ? 13.5 : 10))
      box.append(known.line)
    }
    known.note = note
    write(known.line, note)
    if (note) box.dataset.note = note
    else delete box.dataset.note
    const room = box.querySelector(".shape").getBBox().width - 6
    known.line.removeAttribute("textLength")
    if (note && known.line.getComputedTextLength() > room) {
      mark(known.line, "lengthAdjust", "spacingAndGlyphs")
      mark(known.line, "textLength", room)
    }
  }

  drawFailures() {
    const { failures } = this.state
    this.failures.show(failures.length)
    if (this.failureList.childElementCount === failures.length) return
    this.failureList.replaceChildren(
      ...failures.map(({ task, error, where }) =>
        h(
          "li",
          {},
          h("div", {}, h("b", {}, task), " ", h("span", { class: "cs-error" }, error)),
          ...(where ? [h("div", { class: "cs-where" }, where)] : []),
        ),
      ),
    )
  }

  drawOutput() {
    const { output } = this.shared
    this.output.show(output.count)
    if (!this.output.element.open || this.drawn === output.version) return
    this.drawn = output.version
    const box = this.text
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 20
    const earlier = output.dropped ? [`… ${number(output.dropped)} earlier lines\n`] : []
    const runs = []
    for (const { stream, text } of output.lines) {
      const last = runs[runs.length - 1]
      if (last?.stream === stream) last.text += `${text}\n`
      else runs.push({ stream, text: `${text}\n` })
    }
    box.replaceChildren(...earlier, ...runs.map(({ stream, text }) => h("span", { class: `cs-${stream}` }, text)))
    if (atEnd) box.scrollTop = box.scrollHeight
  }

  // What tasks displayed is shown by Jupyter's own Output widget, which knows every kind of output.
  async drawDisplays() {
    const reference = this.model.get("displays")
    if (!reference || this.displays.childElementCount) return
    const holder = h("div")
    this.displays.append(holder)
    const child = await this.model.widget_manager.get_model(reference.replace("IPY_MODEL_", ""))
    const view = await this.model.widget_manager.create_view(child)
    holder.append(view.el)
  }

  close() {
    clearInterval(this.timer)
  }
}

function section(name) {
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

function kindState(kind, ended) {
  if (kind.failed) return "failed"
  if (kind.done === kind.total) return "done"
  if (ended) return "left"
  if (kind.paused) return "held"
  if (kind.running) return "running"
  if (kind.held) return "held"
  return kind.queued ? "queued" : "waiting"
}

// ---- the saved picture below --------------------------------------------------------------------------

// The same cell has a picture that stays when the notebook is saved and opened without a kernel. While the
// panel shows the same graph alive, that one is hidden; where it cannot be found, both are seen.
function hideTwins(el, twin) {
  const area = el.closest(".jp-OutputArea")
  if (!area || !twin) return () => {}
  const hide = (on) => {
    for (const child of area.children) {
      const image = child.querySelector(".jp-RenderedSVG img")
      const text = child.querySelector(".jp-RenderedText pre")
      const ours = image?.src.includes(twin) || text?.textContent.includes(twin)
      if (ours) child.classList.toggle("cascade-twin", on)
    }
  }
  hide(true)
  const watch = new MutationObserver((records) => {
    if (records.some(({ target }) => !el.contains(target))) hide(true)
  })
  watch.observe(area, { childList: true, subtree: true })
  return () => {
    watch.disconnect()
    hide(false)
  }
}

// ---- the widget ---------------------------------------------------------------------------------------

export default () => {
  // One for each widget, shared by its views.
  const shared = {
    views: new Set(),
    state: {},
    heard: Date.now(),
    // Each page counts its own clicks, and every page hears every answer.
    page: Math.random().toString(36).slice(2),
    seq: 0,
    answered: 0,
    late: false,
    lateWords: "",
    error: null,
    output: new Lines(),
    gone: false,
    model: null,

    // A restarted kernel has forgotten the panel, and sending to it fails.
    send(message) {
      const before = this.gone
      try {
        this.model.send(message)
        this.gone = false
      } catch {
        this.gone = true
      }
      if (this.gone) this.answered = this.seq
      if (this.gone !== before) for (const view of this.views) view.update()
    },

    // The number that the answer will have; null when there is nobody to answer.
    ask(message) {
      this.seq += 1
      this.send({ ...message, page: this.page, seq: this.seq })
      setTimeout(() => this.lookWhetherLate(), PATIENCE)
      return this.gone ? null : this.seq
    },

    lookWhetherLate() {
      const late = this.seq > this.answered
      if (late === this.late) return
      this.late = late
      this.lateWords = this.state.busyWords ?? "The kernel is busy: clicks arrive when the cell ends."
      for (const view of this.views) view.update()
    },

    take(news) {
      const { type, output, boxes, ack, page, error, ...fields } = news
      Object.assign(this.state, fields)
      if (boxes) this.state.boxes = { ...this.state.boxes, ...boxes }
      if (output) {
        if (output.anew) this.output.clear()
        for (const [stream, text] of output.chunks) this.output.add(stream, text)
        this.output.version = (this.output.version ?? 0) + 1
      }
      if (ack !== undefined && page === this.page) {
        this.answered = Math.max(this.answered, ack)
        this.error = error ?? null
        if (this.seq <= this.answered) this.late = false
      }
      if (news.time) this.heard = Date.now()
      for (const view of this.views) view.update()
    },

    watched: null,
    look() {
      const seen = [...this.views].some((view) => view.seen) && document.visibilityState === "visible"
      if (seen === this.watched) return
      this.watched = seen
      this.send({ type: "watch", visible: seen })
    },
  }

  return {
    initialize({ model }) {
      shared.model = model
      shared.take(model.get("snapshot"))
      model.on("msg:custom", (message) => message.type === "patch" && shared.take(message))
      // What was told before this moment, or while the connection was lost, has passed unheard.
      const hello = () => shared.send({ type: "hello" })
      model.on("comm_live_update", hello)
      hello()
    },

    render({ model, el }) {
      const view = new View(shared, model, el)
      let showTwins = null
      const onPicture = () => view.drawPicture()
      const onDisplays = () => view.drawDisplays()
      model.on("change:svg", onPicture)
      model.on("change:displays", onDisplays)
      view.drawDisplays()
      const look = () => shared.look()
      const watcher = new IntersectionObserver(([entry]) => {
        view.seen = entry.isIntersecting
        // Jupyter puts a view into its page only after it was rendered.
        if (el.isConnected) showTwins ??= hideTwins(el, shared.state.twin)
        look()
      })
      watcher.observe(view.root)
      const resized = new ResizeObserver(() => view.fits())
      resized.observe(view.graph)
      document.addEventListener("visibilitychange", look)
      shared.views.add(view)
      return () => {
        shared.views.delete(view)
        document.removeEventListener("visibilitychange", look)
        watcher.disconnect()
        resized.disconnect()
        model.off("change:svg", onPicture)
        model.off("change:displays", onDisplays)
        showTwins?.()
        view.close()
        look()
      }
    },
  }
}
