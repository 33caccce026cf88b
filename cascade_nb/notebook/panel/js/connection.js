// The way to the kernel, and what it told.

import { Lines } from "./lines.js"

const PATIENCE = 700 // ms after a click until the panel says that the kernel is busy

// What all views of one widget share: what the kernel told, and the way to it.
export function connection() {
  return {
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

    // Begins to hear the kernel: `take` is given what it tells to all, `answer` anything else.
    begin(model, take = (news) => this.take(news), answer = () => {}) {
      this.model = model
      take(model.get("snapshot"))
      model.on("msg:custom", (message) => (message.type === "patch" ? take : answer)(message))
      // What was told before this moment, or while the connection was lost, has passed unheard.
      const hello = () => this.send({ type: "hello" })
      model.on("comm_live_update", hello)
      hello()
    },

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
      const { type: _type, output, boxes, cells, took, ack, page, error, ...fields } = news
      Object.assign(this.state, fields)
      if (boxes) this.state.boxes = { ...this.state.boxes, ...boxes }
      if (cells) this.state.cells = { ...this.state.cells, ...cells }
      if (took) this.state.times = { ...this.state.times, ...took }
      if (output) {
        if (output.anew) this.output.clear()
        for (const [stream, text, node] of output.chunks) this.output.add(stream, text, node)
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
}
