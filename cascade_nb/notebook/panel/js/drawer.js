// The pane of one node: it asks the kernel when it is opened, and again when something changed.

import { DOES, deedWords } from "./deeds.js"
import { h, mark, write } from "./dom.js"
import { button, facts, link, tabBody } from "./drawer_tabs.js"
import { Items } from "./items.js"
import { Most } from "./most.js"
import { copy } from "./page.js"
import { number } from "./words.js"

const AGAIN = 1000 // ms between two questions of one open drawer
const WAITS = 400 // ms until it says that it waits
const LOST = "The kernel that ran this is gone, so this node cannot be looked at any more."
let drawers = 0

export class Drawer {
  constructor(shared, model, moved) {
    this.shared = shared
    this.model = model
    this.moved = moved // called with the id of the box whose node is open, or null
    this.target = null
    this.trail = []
    this.build(`cs-drawer-${++drawers}`)
  }

  build(id) {
    this.id = id
    this.name = h("h3", { class: "cs-name", tabindex: "-1", id: `${id}-name` })
    this.state = h("span", { class: "cs-state" })
    this.back = button("Back", () => this.goBack())
    const close = button("×", () => this.close(), "cs-close")
    mark(close, "aria-label", "Close")
    this.task = h("span", { class: "cs-task" })
    this.facts = h("div")
    this.deeds = h("div", { class: "cs-deeds" })
    this.most = new Most((kind, most) => this.act({ do: "limit", kind, most }))
    this.said = h("p", { class: "cs-said", role: "status", "aria-live": "polite" })
    this.tabs = h("div", { class: "cs-tabs", role: "tablist", "aria-label": "What is shown of the node" })
    this.tabs.addEventListener("keydown", (event) => this.tabKey(event))
    this.body = h("div", { class: "cs-body", tabindex: "0" })
    this.inner = h(
      "div",
      { class: "cs-inner" },
      h("div", { class: "cs-drawer-head" }, this.name, this.state, this.back, close),
      this.task,
      this.facts,
      this.deeds,
      this.most.element,
      this.said,
      this.tabs,
      this.body,
    )
    this.element = h("div", { class: "cs-drawer", role: "region", "aria-labelledby": `${id}-name`, hidden: "" }, this.inner)
  }

  get isOpen() {
    return this.target !== null
  }

  // `target` is { box }, { kind } or { node }; `opener` is given the focus when it is closed.
  open(target, opener) {
    this.opener = opener ?? this.opener
    this.trail = []
    this.begin(target)
    this.element.hidden = false
    this.moved(target.box ?? null)
    this.name.focus({ preventScroll: true })
  }

  follow(ref) {
    this.trail.push(this.target)
    this.begin({ node: ref })
    this.name.focus({ preventScroll: true })
  }

  goBack() {
    const before = this.trail.pop()
    if (before) this.begin(before)
    this.name.focus({ preventScroll: true })
  }

  begin(target) {
    this.target = target
    this.head = null
    this.items = null
    this.drawn = ""
    write(this.said, "")
    write(this.name, "…")
    write(this.state, "")
    write(this.task, "")
    this.facts.replaceChildren()
    this.deeds.replaceChildren()
    this.most.take(null)
    this.tabs.replaceChildren()
    this.body.replaceChildren()
    this.back.hidden = !this.trail.length
    this.ask(target)
  }

  close() {
    if (!this.isOpen) return
    this.target = null
    this.asked = this.polled = null
    this.element.hidden = true
    this.moved(null)
    this.opener?.focus?.({ preventScroll: true })
  }

  send(message) {
    this.shared.asks = (this.shared.asks ?? 0) + 1
    this.shared.send({ type: "node", page: this.shared.page, ask: this.shared.asks, ...message })
    if (this.shared.gone) write(this.said, LOST)
    return this.shared.asks
  }

  ask(target, tab = this.tab) {
    this.askedAt = Date.now()
    this.key = this.stand()
    const rows = this.items ? { rows: this.items.query } : {}
    const asked = (this.asked = this.send({ ...(tab ? { tab } : {}), ...rows, ...target }))
    mark(this.body, "aria-busy", "true")
    setTimeout(() => {
      if (this.asked === asked && !this.shared.gone) write(this.said, "Waiting for the kernel…")
    }, WAITS)
  }

  act(deed) {
    this.acted = this.send({ node: this.head?.ref ?? "", ...deed })
  }

  // What of the run's state says that this node may look different.
  stand() {
    const { boxes, counts, ended, phase } = this.shared.state
    return JSON.stringify([this.target?.box ? boxes?.[this.target.box] : counts, ended, phase, this.shared.gone])
  }

  update() {
    if (!this.isOpen) return
    if (this.shared.gone) {
      write(this.said, LOST)
      for (const one of this.deeds.querySelectorAll("button")) one.disabled = one.dataset.deed !== "copy"
      this.most.take(null)
      return
    }
    const changed = this.stand() !== this.key
    const runs = this.head?.state === "running" && !this.shared.state.ended
    if ((changed || runs) && !this.asked && Date.now() - this.askedAt >= AGAIN) this.askAgain()
  }

  askAgain() {
    if (!this.head) {
      this.ask(this.target)
      return
    }
    this.askedAt = Date.now()
    this.key = this.stand()
    this.polled = this.send({ node: this.head.ref, only: "head" })
  }

  answer(message) {
    if (message.page !== this.shared.page || !this.isOpen) return
    if (message.ask === this.acted) {
      this.acted = null
      write(this.said, message.problem ?? message.said)
      this.askedAt = 0
      this.key = ""
      return
    }
    if (message.ask === this.polled) this.takeHead(message.head, message.problem)
    if (message.ask !== this.asked) return // it was asked before something else was
    this.asked = null
    mark(this.body, "aria-busy", null)
    write(this.said, message.problem ?? "")
    if (message.group) this.drawGroup(message.group)
    else if (message.head) {
      this.drawHead(message.head)
      this.drawTab(message.tab, message.body)
    } else if (message.problem && !this.head) write(this.name, "Cannot be shown")
  }

  // The same node a moment later; its tab is asked for again only where it may say something else.
  takeHead(head, problem) {
    this.polled = null
    if (problem) write(this.said, problem)
    if (!head) return
    const before = this.head
    this.drawHead(head)
    const other = before.state !== head.state || before.tabs.length !== head.tabs.length
    const goesOn = ["Log", "Why", "Items"].includes(this.drawnTab)
    if (other || goesOn) this.ask({ node: head.ref })
  }

  drawHead(head) {
    if (this.head?.ref !== head.ref && head.box) this.moved(head.box)
    this.head = head
    write(this.name, head.name)
    mark(this.name, "title", head.name)
    const word = this.shared.state.looks?.[head.state]?.[0] ?? head.state
    write(this.state, word)
    mark(this.state, "data-state", head.state)
    const above = head.above ? ["item of ", link(head.above, (ref) => this.follow(ref)), " · "] : []
    this.task.replaceChildren(...above, `task ${head.task}`)
    this.facts.replaceChildren(facts(head.facts))
    this.drawDeeds([...head.can, "copy"], { ...DOES, ...head.does })
    this.takeLimit(head.limit)
    const tabs = head.tabs.join()
    if (this.tabs.dataset.shown === tabs && this.tabs.childElementCount) return
    this.tabs.dataset.shown = tabs
    this.tabs.replaceChildren(...head.tabs.map((tab) => this.tabButton(tab)))
    this.chosen(head.tabs.includes(this.tab) ? this.tab : head.tabs[0])
  }

  // What was clicked and is not answered is more than what was told before.
  takeLimit(limit) {
    if (!this.acted) this.most.take(limit ?? null)
  }

  drawDeeds(deeds, does, kind) {
    const shown = deeds.join()
    if (this.deeds.dataset.shown !== shown || !this.deeds.childElementCount) {
      this.deeds.dataset.shown = shown
      this.deeds.replaceChildren(...deeds.map((deed) => this.deed(deed, kind)))
    }
    for (const element of this.deeds.children) mark(element, "title", does[element.dataset.deed] || null)
  }

  deed(deed, kind) {
    const act = deed === "copy" ? () => this.copyText(this.head.whole) : () => this.act(kind ? { do: deed, kind } : { do: deed })
    const element = button(deedWords(deed, kind), act)
    element.dataset.deed = deed
    // What it would do stands there before it is done.
    const tell = () => element.title && write(this.said, element.title)
    const untell = () => this.said.textContent === element.title && write(this.said, "")
    for (const name of ["pointerenter", "focus"]) element.addEventListener(name, tell)
    for (const name of ["pointerleave", "blur"]) element.addEventListener(name, untell)
    return element
  }

  async copyText(text) {
    write(this.said, (await copy(text)) ? "Copied." : "This page may not copy.")
  }

  tabButton(tab) {
    const element = h("button", { type: "button", role: "tab", id: `${this.id}-${tab}`, class: "cs-tab" }, tab)
    element.addEventListener("click", () => this.show(tab))
    return element
  }

  show(tab) {
    this.tab = tab
    this.chosen(tab)
    this.ask({ node: this.head.ref }, tab)
  }

  chosen(tab) {
    for (const element of this.tabs.children) {
      const on = element.textContent === tab
      mark(element, "aria-selected", on)
      mark(element, "tabindex", on ? "0" : "-1")
    }
    mark(this.body, "role", "tabpanel")
    mark(this.body, "aria-labelledby", `${this.id}-${tab}`)
  }

  tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    const all = [...this.tabs.children]
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length]
    event.preventDefault()
    next.focus()
    this.show(next.textContent)
  }

  // What has a state of its own, as a search, is not made anew for each answer.
  drawItems(body) {
    if (!this.items || this.drawnTab !== "Items") {
      this.items = new Items({
        ask: () => this.head && this.ask({ node: this.head.ref }, "Items"),
        open: (ref) => this.follow(ref),
        act: (deed) => this.act(deed),
        held: () => !this.head.can.includes("hold"),
        name: () => this.head.name,
        ref: () => this.head.ref,
      })
      this.body.replaceChildren(this.items.element)
    }
    this.drawn = ""
    this.drawnTab = "Items"
    this.drawnRef = this.head.ref
    this.chosen("Items")
    this.items.take(body, this.shared.state.ended)
  }

  drawTab(tab, body) {
    if (tab === "Items") {
      this.drawItems(body)
      return
    }
    this.items = null
    const drawn = JSON.stringify([this.head.ref, tab, body])
    if (drawn === this.drawn) return
    const same = this.drawnTab === tab && this.drawnRef === this.head.ref
    this.drawn = drawn
    this.drawnTab = tab
    this.drawnRef = this.head.ref
    this.chosen(tab)
    const tools = {
      manager: this.model.widget_manager,
      open: (ref) => this.follow(ref),
      act: (deed) => this.act(deed),
      copy: (text) => this.copyText(text),
    }
    const at = same ? this.body.scrollTop : 0
    this.body.replaceChildren(...tabBody(tab, body, tools))
    this.body.scrollTop = at
  }

  drawGroup({ name, total, counts, nodes, limit, hold }) {
    this.takeLimit(limit)
    this.drawDeeds(hold ? [hold.do] : [], { [hold?.do]: hold?.does }, hold?.kind)
    const drawn = JSON.stringify([name, nodes])
    if (drawn === this.drawn) return
    this.drawn = drawn
    write(this.name, name)
    write(this.state, "")
    write(this.task, `${number(total)} nodes`)
    this.facts.replaceChildren(facts(counts.map(([state, count]) => [this.shared.state.looks?.[state]?.[0] ?? state, number(count)])))
    this.tabs.replaceChildren()
    mark(this.body, "role", null)
    mark(this.body, "aria-labelledby", null)
    const items = nodes.map(([ref, of, state]) => h("li", {}, link({ ref, name: of, state }, (one) => this.follow(one))))
    const rest = total > nodes.length ? [h("p", { class: "cs-note" }, `${number(total - nodes.length)} more are not listed.`)] : []
    const at = this.body.scrollTop
    this.body.replaceChildren(h("ul", { class: "cs-group" }, ...items), ...rest)
    this.body.scrollTop = at
  }
}
