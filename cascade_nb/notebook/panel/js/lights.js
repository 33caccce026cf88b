// What is upstream and downstream of the box under the pointer, or that the keys are at.

const SOON = 140 // ms: a pointer that only passes lights nothing

export class Lights {
  constructor(graph) {
    this.graph = graph
    this.boxes = []
    this.lines = []
    this.links = null
    this.lit = null
    graph.addEventListener("pointerover", ({ target }) => this.turn(target.closest("g.node")))
    graph.addEventListener("pointerleave", () => this.turn(null))
    graph.addEventListener("focusin", ({ target }) => {
      if (target.matches("g.node:focus-visible")) this.show(target)
    })
    graph.addEventListener("focusout", () => this.turn(null))
  }

  take(boxes, lines, links) {
    Object.assign(this, { boxes, lines, links, lit: null })
    this.graph.toggleAttribute("data-lights", false)
  }

  turn(box) {
    clearTimeout(this.timer)
    if (box !== this.lit) this.timer = setTimeout(() => this.show(box), SOON)
  }

  show(box) {
    clearTimeout(this.timer)
    this.lit = box
    const at = this.boxes.indexOf(box)
    const near = at < 0 ? null : this.links.around(at)
    this.graph.toggleAttribute("data-lights", near !== null)
    this.boxes.forEach((one, i) => one.toggleAttribute("data-lit", Boolean(near?.boxes.has(i))))
    this.lines.forEach((one, i) => one.toggleAttribute("data-lit", Boolean(near?.lines.has(i))))
  }
}
