// What the kernel told of a run's time: attempts one by one, and those before them put together.

const OUTCOMES = { d: "done", f: "failed", c: "cancelled", l: "lost", r: "running" }
export const TINY = "tiny tasks"

export class TimelineData {
  constructor() {
    this.forget()
  }

  forget() {
    this.serial = -2
    this.last = 0
    this.ended = 0
    this.now = 0
    this.over = false
    this.first = 0
    this.known = [] // those that are over, with the number of each
    this.going = []
    this.slices = []
    this.pauses = []
    this.folded = []
    this.path = new Set()
    this.version = 0
  }

  // Whether it said something. An edit gives the run another graph, so all is told anew.
  take(told) {
    if (told.serial < 0) return false
    if (told.serial !== this.serial || told.last < this.last) this.forget()
    this.serial = told.serial
    const bar = (one) => barOf(one, told)
    const start = told.last - told.bars.length
    this.known = this.known.filter(({ seq }) => seq >= told.first && seq < start)
    told.bars.forEach((one, i) => this.known.push({ ...bar(one), seq: start + i }))
    this.going = told.going.map(bar)
    this.slices = told.slices.map(([at, took, count]) => tiny(at, took, count))
    this.pauses = told.pauses.map(([since, until, kind, words]) => ({ since, until, kind, words }))
    if (told.folded.length) {
      this.folded = told.folded.map(([kind, number, count, busy, badly]) => ({
        kind: told.kinds[kind][0],
        from: number * told.width,
        to: (number + 1) * told.width,
        count,
        busy: busy / told.width,
        badly,
      }))
    }
    for (const [node, item] of told.path) this.path.add(`${node}:${item}`)
    Object.assign(this, { last: told.last, ended: told.ended, first: told.first, now: told.now, over: told.over })
    this.version += 1
    return true
  }

  // Everything that is a bar.
  get bars() {
    return [...this.known, ...this.going, ...this.slices]
  }

  isOnPath(bar) {
    return bar.node >= 0 && bar.how !== "lost" && this.path.has(`${bar.node}:${bar.item}`) && this.isLast(bar)
  }

  // Of the attempts at one node the end waited for the last.
  isLast(bar) {
    if (this.lastOf?.version !== this.version) {
      this.lastOf = { version: this.version, of: new Map() }
      for (const one of this.known) this.lastOf.of.set(`${one.node}:${one.item}`, one)
    }
    return this.lastOf.of.get(`${bar.node}:${bar.item}`) === bar
  }

  refOf({ node, item }) {
    return node < 0 ? null : `${this.serial}:${node}${item < 0 ? "" : `:${item}`}`
  }
}

function barOf([node, item, name, kind, number, at, took, how, rests], { names, kinds }) {
  const [task, place] = kinds[kind]
  const whole = item < 0 ? names[name] : `${names[name]}[${item}]`
  return { node, item, name: whole, kind: task, place, number, at, took, how: OUTCOMES[how], rests: rests ?? [] }
}

function tiny(at, took, count) {
  const name = count === 1 ? "a tiny task" : `about ${count.toLocaleString("en-US")} tiny tasks`
  return { node: -1, item: -1, name, kind: TINY, place: "loop", number: 1, at, took, how: "done", rests: [] }
}
