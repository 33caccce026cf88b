// What can be opened over the graph: what its marks mean, and its keys.

import { drawn, h, mark } from "./dom.js"

const GRAPH_KEYS = [
  ["Ctrl or ⌘ + wheel", "zoom at the pointer; after a click on the graph the wheel alone"],
  ["drag, Shift + arrows", "move the picture"],
  ["+  −", "zoom"],
  ["0", "the whole graph"],
  ["1", "100 %"],
  ["F", "follow what runs, or not"],
  ["/", "find; then Enter for the next one, ↓ to go to it, Esc to end"],
  ["arrows", "along a line to the next box, or to the one beside it"],
  ["Enter", "open the node of a box"],
  ["O, C", "open a ×N group into its nodes, as + does; close it again, as − does"],
  ["?", "these keys"],
  ["Esc", "close what is open"],
]

const SHAPES = [
  ["a task", "M10 3H40A7 7 0 0 1 47 10V14A7 7 0 0 1 40 21H10A7 7 0 0 1 3 14V10A7 7 0 0 1 10 3Z"],
  ["×N: several nodes, or a task for each item", "M10 1H36A7 7 0 0 1 43 8V10A7 7 0 0 1 36 17H10A7 7 0 0 1 3 10V8A7 7 0 0 1 10 1Z", "stack"],
  ["what was asked for", "M12 6H38A5 5 0 0 1 43 11V13A5 5 0 0 1 38 18H12A5 5 0 0 1 7 13V11A5 5 0 0 1 12 6Z", "ring"],
  ["a parameter", "M8 4H48L42 20H2Z"],
  ["takes one of several branches", "M3 4H38L47 12L38 20H3Z"],
  ["decides whether others run", "M12 4H38L47 12L38 20H12L3 12Z"],
]

const STROKES = [
  ["its result goes there; a number: so many of them as one line", "", "head"],
  ["starts only afterwards", "5 4", "vee"],
  ["runs only if", "0.1 4", "open"],
]

const SAMPLE = { class: "cascade-graph cs-sample", viewBox: "0 0 50 24", "aria-hidden": "true" }
const sample = (...parts) => drawn("svg", SAMPLE, ...parts)
const legendRow = (picture, words) => h("li", { class: "cs-mark" }, picture, words)

function boxSample(d, extra) {
  const parts = [drawn("path", { class: "shape", d })]
  if (extra === "stack") parts.unshift(...[6, 3].map((by) => drawn("path", { class: "behind", d, transform: `translate(${by} ${by})` })))
  if (extra === "ring") parts.unshift(drawn("path", { class: "ring", d: "M12 2H38A9 9 0 0 1 47 11V13A9 9 0 0 1 38 22H12A9 9 0 0 1 3 13V11A9 9 0 0 1 12 2Z" }))
  return sample(drawn("g", { class: "node" }, ...parts))
}

function stateSample(state, icon) {
  const shape = drawn("path", { class: "shape", d: SHAPES[0][1] })
  const pen = { fill: "none", "stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round" }
  const sign = drawn("path", { class: "icon", d: icon, ...pen })
  const badge = drawn("g", { class: "badge", transform: "translate(25 12)" }, drawn("circle", { r: "7" }), sign)
  return sample(drawn("g", { class: "node", "data-state": state }, shape, badge))
}

function lineSample(dashes, end) {
  const round = end === "open" ? { "stroke-linecap": "round", "stroke-width": "2" } : { "stroke-width": "1.3" }
  const line = drawn("path", { d: "M2 12H38", fill: "none", "stroke-dasharray": dashes, ...round })
  const d = end === "vee" ? "M38 8L47 12L38 16" : "M38 8L47 12L38 16Z"
  return sample(drawn("g", { class: "edge" }, line, drawn("path", { class: end, d, fill: "none", "stroke-width": "1.2" })))
}

export class Sheets {
  constructor() {
    this.element = h("div", { class: "cs-sheet", tabindex: "0", role: "region", hidden: "" })
    this.buttons = ["legend", "keys"].map((name) => {
      const title = name === "keys" ? "The keys of the graph (?)" : "What the marks mean"
      const label = name === "keys" ? "?" : name
      const words = name === "keys" ? "Keys" : "Legend"
      const button = h("button", { type: "button", class: "cs-tool", title, "aria-label": words, "aria-expanded": "false" }, label)
      button.addEventListener("click", () => this.turn(name))
      return button
    })
    this.shown = null
    this.looks = {}
  }

  turn(name) {
    this.shown = this.shown === name ? null : name
    this.element.hidden = this.shown === null
    this.buttons.forEach((button, i) => mark(button, "aria-expanded", this.shown === ["legend", "keys"][i]))
    if (this.shown) {
      mark(this.element, "aria-label", name === "keys" ? "Keys of the graph" : "What the marks mean")
      this.element.replaceChildren(...(name === "keys" ? this.keys() : this.legend()))
    }
  }

  keys() {
    const rows = GRAPH_KEYS.map(([key, does]) => h("tr", { class: "cs-key" }, h("th", { scope: "row", class: "cs-press" }, key), h("td", { class: "cs-does" }, does)))
    return [h("table", { class: "cs-keys" }, h("tbody", {}, ...rows))]
  }

  // The states are those that the kernel told of, in its words.
  legend() {
    const states = Object.entries(this.looks).map(([name, [word, icon]]) => legendRow(stateSample(name, icon), word))
    const boxes = SHAPES.map(([words, d, extra]) => legendRow(boxSample(d, extra), words))
    const lines = STROKES.map(([words, dashes, end]) => legendRow(lineSample(dashes, end), words))
    return [states, boxes, lines].map((rows) => h("ul", { class: "cs-legend" }, ...rows))
  }
}
