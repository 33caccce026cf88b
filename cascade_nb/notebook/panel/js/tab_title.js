// Marks title and icon of the browser's tab while runs go on in this page: they are seen from other tabs.

import { showIcon } from "./tab_icon.js"

const TITLE_MARK = /^[▶‖✓✕■] (?:\d+ % )?· /
const ENDINGS = { succeeded: "✓", failed: "✕", cancelled: "■" }
const TITLED = Symbol.for("cascade-nb runs in the title") // each panel is a module of its own

// What these runs come to in one sign; none where there are none.
export function signOf(runs) {
  const open = runs.filter(({ phase }) => !ENDINGS[phase])
  if (!open.length) return ["✕", "■", "✓"].find((sign) => runs.some(({ phase }) => ENDINGS[phase] === sign)) ?? ""
  return open.every(({ phase, held }) => phase === "paused" || held) ? "‖" : "▶"
}

// The title with what these runs say, and without what was said before.
export function marked(title, runs) {
  const bare = title.replace(TITLE_MARK, "")
  if (!runs.length) return bare
  const open = runs.filter(({ phase }) => !ENDINGS[phase])
  if (!open.length) return `${signOf(runs)} · ${bare}`
  const [over, total] = ["over", "total"].map((name) => open.reduce((sum, run) => sum + run[name], 0))
  return `${signOf(runs)} ${total ? Math.floor((100 * over) / total) : 0} % · ${bare}`
}

export class TabTitle {
  constructor() {
    this.runs = globalThis[TITLED] ??= new Map()
    this.wasOpen = false
  }

  // What goes on is told; how it ended only to whoever looks elsewhere, until they come back.
  look({ twin, phase, ended, counts }) {
    this.twin = twin
    if (!ended) this.wasOpen = true
    else if (!document.hidden) this.wasOpen = false
    const held = Boolean(counts.held) && !counts.running && !counts.queued
    if (this.wasOpen) this.runs.set(twin, { phase, held, over: counts.done + counts.reused, total: counts.total })
    else this.runs.delete(twin)
    this.write()
  }

  leave() {
    this.runs.delete(this.twin)
    this.write()
  }

  write() {
    const runs = [...this.runs.values()]
    const title = marked(document.title, runs)
    if (title !== document.title) document.title = title
    showIcon(signOf(runs))
  }
}
