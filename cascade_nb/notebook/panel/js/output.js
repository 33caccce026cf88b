// What tasks wrote, as a part of the panel: who wrote it, a part of it that is asked for, and the whole as a file.

import { h, mark, write } from "./dom.js"
import { button } from "./drawer_tabs.js"
import { section } from "./section.js"
import { number } from "./words.js"

const ALL = "" // what stands for all tasks where one is chosen

// The task of a node or of an item: `train` of `train#3` and of `train[17]`.
export const taskOf = (node) => node.replace(/[[#].*$/s, "")

// A colour that is always the same for a name, and has about the same contrast on light and on dark.
export function hueOf(name) {
  let sum = 0
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)) >>> 0
  return (sum * 47) % 360
}

export class Output {
  constructor(shared) {
    this.shared = shared
    this.follow = true
    this.section = section("output")
    this.element = this.section.element
    this.tasks = h("select", { class: "cs-small", "aria-label": "Of which task" })
    this.errors = h("input", { type: "checkbox" })
    this.words = h("input", { type: "search", class: "cs-small", placeholder: "Find", "aria-label": "Find in the output" })
    this.following = button("follow", () => this.keepUp(!this.follow))
    const save = button("Save as a file", () => this.ask())
    const errors = h("label", { class: "cs-only" }, this.errors, "stderr only")
    this.told = h("span", { class: "cs-note", role: "status" })
    this.tools = h("div", { class: "cs-deeds" }, this.tasks, errors, this.words, this.following, save, this.told)
    this.text = h("pre", { class: "cs-text", tabindex: "0" })
    this.displays = h("div", { class: "cs-displays" })
    this.section.body.append(this.tools, this.text, this.displays)
    this.element.addEventListener("toggle", () => this.draw())
    for (const [element, event] of [
      [this.tasks, "change"],
      [this.errors, "change"],
      [this.words, "input"],
    ])
      element.addEventListener(event, () => this.draw(true))
    this.text.addEventListener("scroll", () => this.scrolled())
    this.keepUp(true)
  }

  keepUp(on) {
    this.follow = on
    mark(this.following, "aria-pressed", on)
    if (on) this.text.scrollTop = this.text.scrollHeight
  }

  // Whoever scrolls up wants to read there.
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.text
    const atEnd = scrollHeight - scrollTop - clientHeight < 20
    if (atEnd !== this.follow) this.keepUp(atEnd)
  }

  draw(anew = false) {
    const { output } = this.shared
    this.section.show(output.count)
    if (!this.element.open || (!anew && this.drawn === output.version)) return
    this.drawn = output.version
    this.offer(output.lines)
    const found = output.lines.filter((line) => this.isWanted(line))
    const several = new Set(output.lines.map(({ node }) => node)).size > 1
    const earlier = output.dropped ? [`… ${number(output.dropped)} earlier lines\n`] : []
    const blocks = []
    for (const { stream, node, text } of found) {
      const last = blocks[blocks.length - 1]
      if (last?.stream === stream && last.node === node) last.text += `${text}\n`
      else blocks.push({ stream, node, text: `${text}\n` })
    }
    const keep = this.follow
    this.text.replaceChildren(...earlier, ...blocks.map((block) => blockOf(block, several)))
    if (keep) this.text.scrollTop = this.text.scrollHeight
    const some = found.length < output.lines.length
    write(this.told, some ? `${number(found.length)} of ${number(output.lines.length)} lines` : "")
  }

  isWanted({ stream, node, text }) {
    const words = this.words.value.toLowerCase()
    if (this.tasks.value !== ALL && taskOf(node) !== this.tasks.value) return false
    if (this.errors.checked && stream !== "stderr") return false
    return !words || text.toLowerCase().includes(words) || node.toLowerCase().includes(words)
  }

  // All that wrote something can be chosen; what was chosen stays so.
  offer(lines) {
    const names = [...new Set(lines.map(({ node }) => taskOf(node)))].filter(Boolean)
    const there = new Set([...this.tasks.options].map(({ value }) => value))
    if (!there.size) this.tasks.append(h("option", { value: ALL }, "all tasks"))
    for (const name of names) if (!there.has(name)) this.tasks.append(h("option", { value: name }, name))
  }

  // The kernel has more than is shown here, and gives it piece by piece: a browser keeps those of a file on disk.
  ask(start = 0, parts = []) {
    this.shared.asks = (this.shared.asks ?? 0) + 1
    this.asked = this.shared.asks
    this.parts = parts
    this.shared.send({ type: "output", page: this.shared.page, ask: this.asked, start })
    if (this.shared.gone) this.saveWhatIsHere()
  }

  answer({ page, ask, text, more, dropped, problem }) {
    if (page !== this.shared.page || ask !== this.asked) return
    this.asked = null
    if (problem) {
      this.saveWhatIsHere()
      return
    }
    this.parts.push(new Blob([text]))
    if (more === null) this.save(this.parts, dropped ? `Saved all but ${number(dropped)} bytes, for which there was no room.` : "Saved all of it.")
    else this.ask(more, this.parts)
  }

  saveWhatIsHere() {
    const lines = this.shared.output.lines.map(({ text }) => `${text}\n`)
    this.save([lines.join("")], "Saved the end of it: what was written before is not here.")
  }

  save(parts, words) {
    this.parts = null
    const url = URL.createObjectURL(new Blob(parts, { type: "text/plain" }))
    h("a", { href: url, download: `run ${this.shared.state.number ?? ""}.txt` }).click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
    write(this.told, words)
  }
}

function blockOf({ stream, node, text }, several) {
  // A block breaks the line itself, and what is copied would have it twice.
  const element = h("span", { class: `cs-${stream}` }, several ? text.slice(0, -1) : text)
  if (several) {
    element.classList.add("cs-block")
    mark(element, "data-who", node)
    element.style.setProperty("--cs-hue", hueOf(node))
  }
  return element
}
