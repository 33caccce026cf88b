// Wheel and pointer on the graph. The notebook scrolls as ever unless Ctrl or ⌘ is held, or the graph was clicked.

import { wheelFactor } from "./camera.js"

const FAR = 4 // pixels from which a press is a drag and no click

export class Gestures {
  // `moves` has zoom(factor, at) and pan(dx, dy), in pixels of the graph.
  constructor(graph, moves) {
    this.graph = graph
    this.moves = moves
    this.from = null
    this.drags = false
    graph.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
    graph.addEventListener("pointerdown", (event) => this.press(event))
    graph.addEventListener("pointermove", (event) => this.drag(event))
    for (const name of ["pointerup", "pointercancel"]) graph.addEventListener(name, () => this.release())
    // What ends a drag is no click on the box below it.
    graph.addEventListener("click", (event) => this.click(event), { capture: true })
    // To bring something into sight (a search of the browser's, a screen reader) is to scroll: that moves the picture.
    graph.addEventListener("scroll", () => this.scrolled())
  }

  get hasFocus() {
    return this.graph.contains(document.activeElement)
  }

  wheel(event) {
    const { clientX, clientY, ctrlKey, metaKey } = event
    if (!event.deltaY || !(ctrlKey || metaKey || this.hasFocus)) return
    event.preventDefault()
    event.stopPropagation()
    const { left, top } = this.graph.getBoundingClientRect()
    const at = { x: clientX - left - this.graph.clientLeft, y: clientY - top - this.graph.clientTop }
    this.moves.zoom(wheelFactor(event), at)
  }

  // A finger scrolls the page, unless the graph was tapped before.
  press({ button, pointerType, clientX, clientY }) {
    this.dragged = false
    if (button === 0 && (pointerType !== "touch" || this.hasFocus)) this.from = { x: clientX, y: clientY }
  }

  drag({ clientX, clientY, pointerId }) {
    if (!this.from) return
    const [dx, dy] = [clientX - this.from.x, clientY - this.from.y]
    if (!this.drags) {
      if (Math.hypot(dx, dy) < FAR) return
      this.drags = this.dragged = true
      this.graph.setPointerCapture(pointerId)
      this.graph.classList.add("cs-drags")
    }
    this.from = { x: clientX, y: clientY }
    this.moves.pan(dx, dy)
  }

  release() {
    this.from = null
    this.drags = false
    this.graph.classList.remove("cs-drags")
  }

  click(event) {
    if (!this.dragged) return
    this.dragged = false
    event.stopImmediatePropagation()
  }

  scrolled() {
    const { scrollLeft, scrollTop } = this.graph
    if (!scrollLeft && !scrollTop) return
    this.graph.scrollTo(0, 0)
    this.moves.pan(-scrollLeft, -scrollTop)
  }
}
