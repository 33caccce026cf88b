// The whole graph, small, in a corner of it: where one is, and a way to go elsewhere. From 60 boxes on.

import { drawn, h, mark } from "./dom.js"

const MANY = 60
const WIDE = 150 // pixels
const HIGH = 150

export class Minimap {
  // `go` is given a point of the picture that is to be in the middle.
  constructor(go) {
    this.go = go
    this.frame = h("div", { class: "cs-lens" })
    this.element = h("div", { class: "cs-minimap", "aria-hidden": "true", hidden: "" })
    this.rects = []
    this.element.addEventListener("pointerdown", (event) => this.press(event))
    this.element.addEventListener("pointermove", (event) => event.buttons === 1 && this.held && this.point(event))
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, () => (this.held = false))
  }

  take() {
    this.rects = []
    this.element.hidden = true
  }

  // `places` are those of the boxes in the picture; they are known only when it is seen.
  draw(size, places, boxes) {
    if (boxes.length < MANY || this.rects.length) return
    this.scale = Math.min(WIDE / size.width, HIGH / size.height)
    const [width, height] = [size.width * this.scale, size.height * this.scale]
    this.element.style.width = `${width}px`
    this.element.style.height = `${height}px`
    this.rects = places().map(({ left, top, right, bottom }) => {
      const at = { x: left, y: top, width: right - left, height: bottom - top }
      return drawn("rect", { class: "cs-spot", ...at })
    })
    const view = { viewBox: `0 0 ${size.width} ${size.height}`, width, height }
    this.element.replaceChildren(drawn("svg", view, ...this.rects), this.frame)
    this.drawStates(boxes)
  }

  drawStates(boxes) {
    this.rects.forEach((rect, i) => mark(rect, "data-state", boxes[i].dataset.state))
  }

  // Of what is seen as a whole there is none.
  stand({ x, y, k }, size, room) {
    if (!this.rects.length) return
    this.element.hidden = x >= 0 && y >= 0 && x + k * size.width <= room.width && y + k * size.height <= room.height
    const by = this.scale / k
    const { style } = this.frame
    style.transform = `translate(${-x * by}px, ${-y * by}px)`
    style.width = `${room.width * by}px`
    style.height = `${room.height * by}px`
  }

  press(event) {
    if (event.button !== 0) return
    event.preventDefault()
    this.held = true
    this.element.setPointerCapture(event.pointerId)
    this.point(event)
  }

  point({ clientX, clientY }) {
    const { left, top } = this.element.getBoundingClientRect()
    this.go({ x: (clientX - left) / this.scale, y: (clientY - top) / this.scale })
  }
}
