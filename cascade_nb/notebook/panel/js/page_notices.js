// Where the browser allows it, tells whoever looks elsewhere that the run has ended, asks, or is held by itself.

import { h } from "./dom.js"

const ITSELF = / by the (breaker|state backend)/

export class PageNotices {
  constructor(shared) {
    this.shared = shared
    this.known = null
    this.button = h("button", { type: "button", class: "cs-button cs-notify" }, "Notify me")
    this.button.title = "When this run ends, asks, or is held by itself, and you look elsewhere"
    // Browsers ask their user only after a click. Whoever has said no is not asked again.
    this.button.addEventListener("click", async () => {
      await globalThis.Notification.requestPermission()
      for (const { notices } of this.shared.views) notices.draw(this.shared.state)
    })
  }

  draw({ ended }) {
    this.button.hidden = Boolean(ended) || globalThis.Notification?.permission !== "default"
  }

  look(state) {
    this.draw(state)
    const headline = state.headline.join("")
    const asked = new Map((state.questions ?? []).map((one) => [`${one.run}/${one.name}`, one]))
    const now = { ended: state.ended, held: ITSELF.test(headline), asked }
    const before = this.known
    this.known = now
    if (!before || document.hasFocus()) return // what was so before anybody could know is no news
    if (now.ended && !before.ended) this.tell(state, headline)
    else if (now.held && !before.held) this.tell(state, headline)
    for (const [key, { name, text }] of asked) if (!before.asked.has(key)) this.tell(state, `${name} asks: ${text}`)
  }

  // One tag for all views of a run: the page says the same only once.
  tell({ title, twin }, body) {
    if (globalThis.Notification?.permission !== "granted") return
    const notice = new globalThis.Notification(title, { body: body.slice(0, 300), tag: `${twin} ${body}` })
    notice.onclick = () => window.focus()
  }
}
