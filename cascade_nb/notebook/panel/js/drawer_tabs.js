// What the tabs of a node show. Everything is text, but for what Jupyter itself shows of a trusted notebook's results.

import { h } from "./dom.js"
import { cellOf, goTo, rich } from "./page.js"
import { number } from "./words.js"

const pre = (text, kind = "") => h("pre", { class: `cs-pre ${kind}`, tabindex: "0" }, text)
const note = (text) => h("p", { class: "cs-note" }, text)
const part = (title, ...children) => h("section", { class: "cs-part-of" }, h("h4", {}, title), ...children)

export function button(words, act, kind = "") {
  const element = h("button", { type: "button", class: `cs-small ${kind}` }, words)
  element.addEventListener("click", act)
  return element
}

// A node that can be opened: its state as a word too, since a colour says nothing to some.
export function link({ ref, name, state }, open) {
  const element = h("button", { type: "button", class: "cs-link" }, name)
  element.addEventListener("click", () => open(ref))
  return state ? h("span", { class: "cs-linked", "data-state": state }, element, ` ${state}`) : element
}

export function facts(pairs) {
  return h("dl", { class: "cs-facts" }, ...pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))
}

function shown({ text, data, notes = [] }, { manager }) {
  const made = rich(manager, data ?? {})
  const all = notes.map(note)
  if (made) all.push(h("div", { class: "cs-displays cs-rich" }, made))
  else if (text) all.push(pre(text))
  return all
}

function result(body, tools) {
  if (body.none !== undefined) return [note(body.none)]
  return [facts(body.facts), button("Put into a variable", () => tools.act({ do: "put" })), ...shown(body, tools)]
}

function lines(told, pause, tools) {
  const all = told.map((one) => h("p", { class: one.startsWith("    ") ? "cs-code-line" : "" }, one))
  if (pause) all.push(button("Resume", () => tools.act({ do: "resume", scope: pause })))
  return all
}

function why({ lines: told, pause, causes }, tools) {
  const steps = causes.map(({ ref, name, lines: more, pause: held }) =>
    h("li", {}, link({ ref, name }, tools.open), ...lines(more, held, tools)),
  )
  const chain = steps.length ? [part("What that comes down to", h("ol", { class: "cs-causes" }, ...steps))] : []
  return [...lines(told, pause, tools), ...chain]
}

function log({ chunks, displays, earlier }, tools) {
  if (!chunks.length && !displays.length) return [note("It has written and displayed nothing.")]
  const spans = chunks.map(([stream, text]) => h("span", { class: `cs-${stream}` }, text))
  const before = earlier ? [note(`${number(earlier)} earlier characters are left out.`)] : []
  const text = spans.length ? [h("pre", { class: "cs-pre", tabindex: "0" }, ...spans)] : []
  return [...before, ...text, ...displays.flatMap((one) => shown(one, tools))]
}

// "cell [4], line 7", which leads there where the page shows that cell.
function where(place, at) {
  const words = at ? `${place}, line ${at}` : place
  const cell = cellOf(place)
  return cell ? button(words, () => goTo(cell), "cs-place") : h("span", { class: "cs-place" }, words)
}

function frame({ place, line, name, code }) {
  return h("li", { class: "cs-frame" }, where(place, line), ` in ${name}`, ...(code ? [h("code", {}, code)] : []))
}

// Frames that are not the user's, folded where several follow each other.
function frames(all) {
  const list = h("ol", { class: "cs-frames" })
  for (let i = 0; i < all.length; i++) {
    if (all[i].own) {
      list.append(frame(all[i]))
      continue
    }
    let end = i
    while (end < all.length && !all[end].own) end++
    const some = all.slice(i, end)
    const names = [...new Set(some.map(({ place }) => place))].slice(0, 3).join(", ")
    const count = some.length === 1 ? "1 line of a library" : `${some.length} lines of libraries`
    const folded = h("details", {}, h("summary", {}, `${count}: ${names}`), h("ol", { class: "cs-frames" }, ...some.map(frame)))
    list.append(h("li", {}, folded))
    i = end - 1
  }
  return list
}

function failure({ task, attempt, inputs, chain }) {
  const tries = attempt > 1 ? ` in attempt ${attempt}` : ""
  const given = inputs.length ? [note(`with ${inputs.join(", ")}`)] : []
  const told = chain.flatMap(({ link: how, text, frames: of }) => [
    ...(how ? [note(`${how}:`)] : []),
    h("p", { class: "cs-error" }, text),
    frames(of),
  ])
  return part(`${task} failed${tries}`, ...given, ...told)
}

function error({ failures }) {
  return failures.map(failure)
}

function difference(told) {
  const kind = { "+": "cs-new", "-": "cs-old" }
  return h("pre", { class: "cs-pre", tabindex: "0" }, ...told.map((one) => h("span", { class: kind[one[0]] ?? "" }, `${one}\n`)))
}

function code({ parts, more, place, line, changes }) {
  const changed = changes.map(({ name, lines: told }) => part(`${name}: what changed since the run before`, difference(told)))
  const all = parts.map(({ name, text }, i) => part(i ? `${name}, which it uses` : name, pre(text)))
  const rest = more ? [note(`${number(more)} more that it uses are left out.`)] : []
  return [...(place ? [h("p", {}, where(place, line))] : []), ...changed, ...all, ...rest]
}

function inputs({ inputs: all, files }, tools) {
  if (!all.length && !files.length) return [note("It is given nothing.")]
  const rows = all.map(({ name, sources, more, shown: value }) => {
    const links = sources.map((one) => link(one, tools.open))
    const rest = more ? [` and ${number(more)} more`] : []
    const from = links.length ? [h("div", { class: "cs-sources" }, ...links, ...rest)] : []
    return h("div", {}, h("dt", {}, name), h("dd", {}, ...from, ...(value ? [h("code", {}, value)] : [])))
  })
  const list = h("ul", { class: "cs-files" }, ...files.map((path) => h("li", {}, path)))
  return [h("dl", { class: "cs-facts cs-given" }, ...rows), ...(files.length ? [part("Files that it and its inputs met", list)] : [])]
}

function reproduce({ cell, variable, problem }, tools) {
  if (problem) return [note(problem)]
  return [
    note("The call once more, as a plain function: it prints, draws, raises and stops in a debugger as in any cell."),
    button(`Put its inputs into ${variable}`, () => tools.act({ do: "put_inputs" })),
    button("Copy the cell", () => tools.copy(cell)),
    pre(cell),
  ]
}

const TABS = { Result: result, Why: why, Log: log, Error: error, Code: code, Inputs: inputs, Reproduce: reproduce }

export const tabBody = (tab, body, tools) => TABS[tab](body, tools)
