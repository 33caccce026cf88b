// What the page around the panel allows: to go to a cell, to copy, to show what is not text.

// The cell of a notebook that "cell [4]" means, where the page shows its number.
export function cellOf(place, page = document) {
  const number = /^cell \[(\d+)\]/.exec(place)?.[1]
  if (!number) return null
  const prompts = [...page.querySelectorAll(".jp-InputPrompt")]
  return prompts.find((prompt) => prompt.textContent.trim() === `[${number}]:`)?.closest(".jp-Cell") ?? null
}

export function goTo(cell) {
  cell.scrollIntoView({ block: "center" })
  cell.classList.add("cascade-found")
  setTimeout(() => cell.classList.remove("cascade-found"), 1600)
}

// Whether it could be copied; a page that was not opened safely may not use the clipboard itself.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement("textarea")
    area.value = text
    area.setAttribute("style", "position: fixed; opacity: 0")
    document.body.append(area)
    area.select()
    const done = document.execCommand("copy")
    area.remove()
    return done
  }
}

// Whether the reader trusts this notebook: each of its code cells was run here, or signed.
export function isTrusted(manager) {
  const cells = manager?.context?.model?.cells
  if (!cells) return false
  for (let i = 0; i < cells.length; i++) {
    const cell = cells.get(i)
    if (cell.type === "code" && !cell.trusted) return false
  }
  return true
}

// What Jupyter itself shows for this data; null where the page has no such thing, or nothing that says more than text.
export function rich(manager, data) {
  const registry = manager?.rendermime
  if (!registry || !isTrusted(manager)) return null
  const others = Object.keys(data).filter((name) => name !== "text/plain")
  if (!others.length) return null
  const name = registry.preferredMimeType(data, "any")
  if (!name || name === "text/plain") return null
  const renderer = registry.createRenderer(name)
  // What cannot be shown says so itself, in its place.
  renderer.renderModel(registry.createModel({ data, metadata: {}, trusted: true })).catch(() => {
    renderer.node.textContent = "It cannot be shown."
  })
  return renderer.node
}
