// Groups that are drawn as one box open into their nodes, and close again: a sign on the box, and two keys.

import { drawn } from "./dom.js"

const FOLD_SIGNS = { open: "M-3 0H3M0 -3V3", close: "M-3 0H3" }

// What can be done with a box: `data-size` and `data-part` are said in cascade_nb/view/svg/markup.py.
export function foldsOf(box) {
  return [...(box.dataset.size ? ["open"] : []), ...("part" in box.dataset ? ["close"] : [])]
}

export function foldWords(box) {
  return foldsOf(box).map((fold) => (fold === "open" ? " · O opens this group" : " · C closes its group"))
}

export class Folds {
  // `ask` is given the id of a box, and whether its group is to be opened.
  constructor(graph, ask) {
    this.ask = ask
    graph.addEventListener("click", (event) => this.click(event), { capture: true })
  }

  take(boxes) {
    for (const box of boxes) {
      // The outline begins at the upper edge, left; see cascade_nb/view/svg/shapes.py.
      const [x, y] = (box.querySelector(".shape")?.getAttribute("d") ?? "").match(/-?[\d.]+/g)?.map(Number) ?? []
      foldsOf(box).forEach((fold, i) => {
        const title = drawn("title", {}, fold === "open" ? "Open this group (O)" : "Close its group (C)")
        const place = { transform: `translate(${x + 15 * i} ${y})`, class: "cs-chip", "data-fold": fold, "aria-hidden": "true" }
        const sign = drawn("path", { class: "cs-sign", d: FOLD_SIGNS[fold], fill: "none", "stroke-width": "1.6", "stroke-linecap": "round" })
        box.append(drawn("g", place, title, drawn("circle", { class: "cs-disc", r: "6.5", "stroke-width": "1.2" }), sign))
      })
    }
  }

  click(event) {
    const chip = event.target.closest(".cs-chip")
    if (!chip) return
    event.stopPropagation()
    this.turn(chip.closest("g.node"), chip.dataset.fold)
  }

  // Whether there is such a thing to do with the box.
  turn(box, fold) {
    if (!box || !foldsOf(box).includes(fold)) return false
    this.ask(box.id, fold === "open")
    return true
  }
}
